"""What kind of account the gate judges, and what the account carries, as the rules see it now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from htbot.domain.trades import plain_money
from htbot.risk.case import Case
from htbot.risk.exposure import gross_leverage
from htbot.risk.regime import regime_of
from htbot.risk.settled import counted


@dataclass(frozen=True, slots=True)
class AccountMode:
    """Cash or margin, and the rule on day trades that binds; null is what the broker has not told.

    `configured` ones are settings that hold whatever the broker tells. `day_trades_remaining` is the broker's own
    count, -1 where it sets no limit. `pdt_strict` and `gfv_strict` false warn instead of refusing. Good-faith
    violations are those of twelve months, counted from the record; from `gfv_limit` on only settled cash is spent for
    90 days.
    """

    account: str
    as_of: datetime
    kind: str | None
    kind_configured: bool
    day_trade_regime: str
    regime_configured: bool
    day_trades_remaining: int | None
    pdt_strict: bool
    gfv_strict: bool
    settlement_days: int
    good_faith_violations: int
    gfv_limit: int
    settled_only_until: date | None
    settled_cash: Decimal | None
    available_funds: Decimal | None
    buying_power: Decimal | None


@dataclass(frozen=True, slots=True)
class SymbolRisk:
    """What open trades on an underlying tie up, dollars: verticals by their maximum loss, shares by their price."""

    symbol: str
    value: Decimal
    limit: Decimal | None
    share: Decimal | None


@dataclass(frozen=True, slots=True)
class PortfolioRisk:
    """What the account carries, dollars and shares of net liquidation (0.1 is 10 %); unknown is null.

    `open_maximum_loss` is what open and opening trades can still lose, `max_position` the most that one may tie up.
    """

    account: str
    as_of: datetime
    net_liquidation: Decimal | None
    gross_position_value: Decimal | None
    leverage: Decimal | None
    max_leverage: Decimal
    open_trades: int
    max_open_trades: int
    open_maximum_loss: Decimal
    max_risk_per_day: Decimal
    realized_today: Decimal
    max_position: Decimal
    symbols: list[SymbolRisk]


def account_mode(case: Case) -> AccountMode:
    """Of the case's account."""
    snapshot, limits, kind = case.proposal.snapshot, case.limits, case.account_kind
    figures = snapshot.figures
    left = figures.day_trades_remaining
    regime, (violations, until) = regime_of(case), counted(case)
    return AccountMode(
        account=snapshot.account,
        as_of=case.as_of,
        kind=None if kind is None else kind.value,
        kind_configured=limits.account_kind is not None,
        day_trade_regime=regime.value,
        regime_configured=limits.day_trade_regime is regime,
        day_trades_remaining=None if left is None else int(left),
        pdt_strict=limits.pdt_strict,
        gfv_strict=limits.gfv_strict,
        settlement_days=limits.settlement_days,
        good_faith_violations=violations,
        gfv_limit=limits.gfv_limit,
        settled_only_until=until,
        settled_cash=figures.settled_cash,
        available_funds=figures.available_funds,
        buying_power=snapshot.buying_power,
    )


def portfolio_risk(case: Case) -> PortfolioRisk:
    """Of the case's account."""
    snapshot, limits, book = case.proposal.snapshot, case.limits, case.book
    worth, gross = snapshot.net_liquidation, snapshot.figures.gross_position_value
    leverage = gross_leverage(gross, Decimal(0), worth)
    most = None if worth is None else plain_money(limits.max_symbol_exposure_fraction * worth)
    return PortfolioRisk(
        account=snapshot.account,
        as_of=case.as_of,
        net_liquidation=worth,
        gross_position_value=gross,
        leverage=None if leverage is None else round(leverage, 4),
        max_leverage=limits.max_leverage,
        open_trades=book.account_open_trades,
        max_open_trades=limits.max_concurrent_trades,
        open_maximum_loss=plain_money(book.open_maximum_loss_usd),
        max_risk_per_day=limits.max_risk_per_day_usd,
        realized_today=plain_money(book.account_realized_today_usd),
        max_position=limits.max_position_size_usd,
        symbols=[
            SymbolRisk(symbol, plain_money(value), most, round(value / worth, 4) if worth else None)
            for symbol, value in sorted(book.value_by_symbol_usd.items())
        ],
    )
