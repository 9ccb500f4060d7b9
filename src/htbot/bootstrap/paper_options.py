"""Options of the paper gateway from the settings, with what a command line says in front."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from htbot.bootstrap.paper import PaperOptions
from htbot.matching.fees import Plan
from htbot.matching.view import FillRules
from htbot.paper.accounts.valuation import AccountKind, BrokerTerms
from htbot.paper.book.book import BookRules
from htbot.paper.faults.control import ControlPort
from htbot.paper.feeds.entitlement import Subscriptions
from htbot.paper.feeds.streams import DataRules
from htbot.paper.limits import ClientRules
from htbot.settings import Settings, load_settings
from htbot.settings.paper import PaperSettings

ANY_SYMBOL = "any"


def paper_options(
    given: Mapping[str, str], *, host: str = "127.0.0.1", symbol: str | None = None, fresh: bool = False
) -> PaperOptions:
    """The options; `given` are settings (`PAPER_PORT` ...) for this one process, checked by the same rules.

    `symbol` must have bars in a replay; None means the strategy's, `any` none in particular.

    Raises:
        ConfigurationError: a value is out of range, or the settings cannot be read.
    """
    return options_of(load_settings(command=given), host=host, symbol=symbol, fresh=fresh)


def options_of(
    read: Settings, *, host: str = "127.0.0.1", symbol: str | None = None, fresh: bool = False
) -> PaperOptions:
    """The options that settings come to."""
    chosen = read.paper
    wanted = symbol or read.strategy.symbol
    return PaperOptions(
        state_dir=read.paths.paper,
        host=host,
        port=chosen.port,
        market=chosen.market,
        data=chosen.data,
        bar=chosen.bar,
        symbol=None if chosen.market == "synthetic" or wanted == ANY_SYMBOL else wanted,
        start=chosen.start,
        end=chosen.end,
        speed=chosen.speed,
        seed=chosen.seed,
        accounts=chosen.accounts,
        cash=chosen.cash,
        listing=chosen.listing,
        scenario=chosen.scenario,
        fresh=fresh,
        ticks_per_second=chosen.ticks_per_second,
        data_rules=DataRules(
            Subscriptions(chosen.subscriptions), chosen.lines, "off" if chosen.stepped else chosen.pacing
        ),
        clients=ClientRules(chosen.master_client_id, chosen.read_only, chosen.session_hold_s, chosen.pace),
        terms=BrokerTerms(
            tuple(AccountKind(kind) for kind in chosen.account_type), chosen.naked_options, Plan(chosen.commissions)
        ),
        book=_book_rules(chosen),
        latency_s=chosen.latency_s,
        faults=chosen.faults,
        control=_control(chosen),
        calendar_dir=read.paths.var / "cache",
    )


def _book_rules(chosen: PaperSettings) -> BookRules:
    share = chosen.touch_share
    fills = FillRules(chosen.slippage_ticks, share or Decimal(1), sizes_limit=share > 0)
    return BookRules(fills, chosen.commission_delay_s)


def _control(chosen: PaperSettings) -> ControlPort | None:
    if chosen.control_port is None:
        return None
    return ControlPort(chosen.control_port, chosen.control_token.get_secret_value() if chosen.control_token else None)
