"""`htbot parity`: a day through the real stack and through the backtest, held against each other.

The day is stepped, so nothing is tolerated: what could make the two differ is removed, or is an input of the backtest
that is taken from the stack and named in the report.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from htbot.backtest.day_loop import DayRun, play_session
from htbot.backtest.day_rows import DayRows, merged
from htbot.backtest.parity_compare import compare
from htbot.backtest.plain_parity import rows_of_plain
from htbot.backtest.plain_request import PlainRequest, Seat
from htbot.backtest.plain_run import PlainRun
from htbot.backtest.spread_parity import rows_of_result
from htbot.backtest.spread_request import SpreadRequest
from htbot.backtest.spread_run import SpreadRun
from htbot.backtest.terms import Terms
from htbot.backtest.untraded import untraded
from htbot.bootstrap.catalogue import strategies
from htbot.bootstrap.day_record import SeatRecord
from htbot.bootstrap.demo import BEFORE_OPEN, DemoOptions, DemoResult, Progress, quiet
from htbot.bootstrap.demo import run as run_demo
from htbot.bootstrap.limits import breaker_limits, plain_limits, risk_limits, spread_limits
from htbot.bootstrap.paper import build_market
from htbot.bootstrap.paper_options import options_of
from htbot.bootstrap.parity_cast import CastWanted, cast_of, every_name
from htbot.bootstrap.strategy import STRATEGY_NAME, build_strategy
from htbot.domain.sessions import Session
from htbot.market.ports import Market
from htbot.persistence.codecs import plain
from htbot.services.option_instances import with_symbol
from htbot.strategies.registry import create, create_bar

# In step with its clients the gateway lets an order look at the market of the instant at which it was sent.
STEPPED_LATENCY_S = 0.0


@dataclass(frozen=True, slots=True)
class ParityOptions:
    """The options of `htbot parity`. No `strategies`: all of them; `settings`: those of instances."""

    strategies: tuple[str, ...] = (STRATEGY_NAME,)
    day: date | None = None
    data: tuple[Path, ...] = ()
    symbols: tuple[str, ...] = ()
    seed: int = 7
    bar: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    days: int = 1


@dataclass(frozen=True, slots=True)
class ParityReport:
    """What came of it; `summary` has INTERFACE's shape and more."""

    identical: bool
    summary: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Backtested:
    """A day as the backtest has it: what happened, and with what it was asked."""

    rows: DayRows
    inputs: Mapping[str, Any]
    wall_s: float


def run(options: ParityOptions, progress: Progress = quiet) -> ParityReport:
    """Play the day both ways, from the main thread.

    Raises:
        NotFound: no strategy has this name.
        ConfigurationError: a strategy that the stack does not run; data, date, symbol or settings that cannot be run
            with.
        DemoFailed: the stack's day did not come to its end.
    """
    catalogue = strategies()
    names = options.strategies or every_name(catalogue)
    wanted = CastWanted(names, options.symbols, options.settings, overnight=options.days > 1)
    cast = cast_of(wanted, options.data, options.bar, catalogue)
    played = run_demo(
        DemoOptions(
            data=options.data,
            day=options.day,
            symbol=cast.own,
            seed=options.seed,
            bar=options.bar,
            environ=options.environ,
            instances=cast.instances,
            settings=cast.settings,
            days=options.days,
        ),
        progress,
    )
    return against_backtest(played, cast.names)


def against_backtest(played: DemoResult, names: Collection[str], latency_s: float = STEPPED_LATENCY_S) -> ParityReport:
    """Hold what some strategies did on a day that the stack has played against a backtest of the same day."""
    return report(played, names, backtested(played, names, latency_s))


def backtested(played: DemoResult, names: Collection[str], latency_s: float = STEPPED_LATENCY_S) -> Backtested:
    """The same day in the backtest: the strategies that take part, at the instants that they make together."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="htbot-parity-") as folder:
        options = replace(options_of(played.settings), calendar_dir=Path(folder))
        terms = terms_of(played, build_market(options, options.start), latency_s)
        parts = [*_on_options(played, names, terms), *_on_shares(played, names, terms)]
        for part in parts:
            part.run.begin(played.began or played.session.opens)
        for session in played.sessions:
            play_session(terms.market, session, [part.run for part in parts], (played.began, played.ended))
        rows = merged(part.rows() for part in parts)
    return Backtested(rows, inputs_of(played, terms, names), time.monotonic() - began)


@dataclass(frozen=True, slots=True)
class _Part:
    """A backtest that takes part, with an exchange and an account of its own, and what it tells of its day."""

    run: DayRun
    rows: Callable[[], DayRows]


def _on_options(played: DemoResult, names: Collection[str], terms: Terms) -> Iterator[_Part]:
    """Strategy 1, then instances on options, each for itself."""
    requests = [request_of(played, terms)] if STRATEGY_NAME in names else []
    requests += [spread_request_of(played, seat, terms) for seat in _seats(played, names) if seat.on_options]
    for request in requests:
        run = SpreadRun(request)
        yield _Part(run, partial(_rows_of_spreads, run, played.sessions))


def _on_shares(played: DemoResult, names: Collection[str], terms: Terms) -> Iterator[_Part]:
    """Those on plain instruments, account by account."""
    seats = [seat for seat in _seats(played, names) if not seat.on_options]
    for account in dict.fromkeys(seat.account for seat in seats):
        run = PlainRun(plain_request_of(played, [seat for seat in seats if seat.account == account], terms))
        yield _Part(run, partial(_rows_of_shares, run, played.sessions))


def _rows_of_spreads(run: SpreadRun, sessions: Sequence[Session]) -> DayRows:
    return rows_of_result(run.result(list(sessions)))


def _rows_of_shares(run: PlainRun, sessions: Sequence[Session]) -> DayRows:
    return rows_of_plain(run.result(list(sessions)))


def _seats(played: DemoResult, names: Collection[str]) -> list[SeatRecord]:
    return [seat for seat in played.record.seats if seat.name in names]


# --- what the backtest is asked ---------------------------------------------------------------------------------------


def terms_of(played: DemoResult, market: Market, latency_s: float = STEPPED_LATENCY_S) -> Terms:
    """The terms of a played day in its main account: same settings, same world."""
    settings, session = played.settings, played.session
    options = options_of(settings)
    return Terms(
        market=market,
        first=session.day,
        last=played.sessions[-1].day,
        account=played.record.account,
        cash_usd=options.cash,
        breaker=breaker_limits(settings),
        flatten_on_trip=settings.risk.breaker_flatten,
        rules=options.book.fills,
        plan=options.terms.plan,
        latency_s=latency_s,
        enabled_after=played.began or session.opens,
        told_from=played.began or session.opens - BEFORE_OPEN,
        deliveries=False,
    )


def request_of(played: DemoResult, terms: Terms) -> SpreadRequest:
    """Strategy 1 of a played day; the first bar that it saw comes from the record."""
    limits = risk_limits(played.settings, played.settings.strategy.symbol)
    return SpreadRequest(build_strategy(played.settings), terms, limits, history_from=played.record.history_from)


def spread_request_of(played: DemoResult, seat: SeatRecord, terms: Terms) -> SpreadRequest:
    """An instance on options, with its own strategy, account, limits and history."""
    strategy = create(seat.type, with_symbol(seat.settings, seat.symbol), instance=seat.name)
    limits = spread_limits(played.settings, strategy)
    return SpreadRequest(strategy, replace(terms, account=seat.account), limits, history_from=seat.history_from)


def plain_request_of(played: DemoResult, seats: Sequence[SeatRecord], terms: Terms) -> PlainRequest:
    """Strategies on plain instruments that share an account; where each began comes from its record."""
    settings = played.settings
    types, [account] = strategies(settings), {seat.account for seat in seats}
    return PlainRequest(
        seats=tuple(
            Seat(one.name, one.symbol, partial(create_bar, one.type, one.settings, types), *_began(one, played.session))
            for one in seats
        ),
        terms=replace(terms, account=account),
        limits_of=partial(plain_limits, settings),
        own_series=(settings.strategy.symbol, settings.strategy.bar_minutes),
    )


def _began(seat: SeatRecord, session: Session) -> tuple[datetime | None, datetime | None]:
    """From which bar on a seat knows, and since when it may enter: what began on this day begins by itself there."""
    if seat.since is not None and seat.since < session.opens:
        return seat.first_bar, seat.since
    return seat.history_from, None


def inputs_of(played: DemoResult, terms: Terms, names: Collection[str]) -> dict[str, Any]:
    """What could make the two differ, as the backtest was given it; `settings` are those that were set for this day."""
    own = {"config_hash": build_strategy(played.settings).config_hash, "history_from": played.record.history_from}
    return {
        "world": terms.market.world_id,
        "settings": dict(played.chosen),
        "account": terms.account,
        "cash_usd": terms.cash_usd,
        "latency_s": terms.latency_s,
        "plan": terms.plan.value,
        "slippage_ticks": terms.rules.slippage_ticks,
        "touch_share": terms.rules.touch_share,
        "sizes_limit": terms.rules.sizes_limit,
        "enabled_after": terms.enabled_after,
        "told_from": terms.told_from,
        "deliveries": terms.deliveries,
        **(own if STRATEGY_NAME in names else {}),
        "seats": [asdict(seat) for seat in _seats(played, names)],
    }


# --- the report -------------------------------------------------------------------------------------------------------


def report(played: DemoResult, names: Collection[str], other: Backtested) -> ParityReport:
    """Compare, and say what was compared."""
    stack = _rows_of(played, names)
    comparison, nothing = compare(stack, other.rows, *played.sessions), untraded(stack)
    summary = {
        "strategies": sorted(names),
        "symbol": played.settings.strategy.symbol,
        "date": played.session.day,
        "days": [session.day for session in played.sessions],
        "identical": comparison.identical,
        "compared": comparison.compared,
        "differing": comparison.differing,
        "divergence": None if comparison.divergence is None else asdict(comparison.divergence),
        "pnl": {"stack": _pnl(stack), "backtest": _pnl(other.rows)},
        "untraded": None if nothing is None else asdict(nothing),
        "inputs": other.inputs,
        "modelled_share": _modelled_share(other.rows),
        "wall_s": {"stack": played.summary["wall_s"], "backtest": round(other.wall_s, 1)},
    }
    return ParityReport(comparison.identical, plain(summary))


def _rows_of(played: DemoResult, names: Collection[str]) -> DayRows:
    """What the record has of those that take part, on the bars that closed while it was played."""
    own = played.settings.strategy
    series = {(seat.symbol, seat.minutes) for seat in _seats(played, names)}
    if STRATEGY_NAME in names:
        series.add((own.symbol, own.bar_minutes))
    rows, began = played.record.only(names, series), played.began
    return rows if began is None else replace(rows, bars=[known for known in rows.bars if known.bar.end > began])


def _pnl(rows: DayRows) -> dict[str, Decimal]:
    """Dollars over the closed trades."""
    names = {"gross": "gross_pnl", "commissions": "commissions", "net": "net_pnl"}
    return {name: sum((row.fields[key] for row in rows.trades), Decimal(0)) for name, key in names.items()}


def _modelled_share(rows: DayRows) -> Decimal | None:
    """The part of the fills, by number, whose quote was the model's; None without a fill."""
    return Decimal(sum(fill.modelled for fill in rows.fills)) / len(rows.fills) if rows.fills else None
