"""The breaker's figures as people read them (spec 05 section 4, get_risk_metrics)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy.orm import Session

from htbot.domain.sessions import NEW_YORK
from htbot.domain.trades import plain_money
from htbot.persistence.records import EquityDay
from htbot.persistence.repositories import EquityRepository, HaltRepository
from htbot.persistence.states import HaltKind
from htbot.risk.breaker import BreakerLimits, drawdown, loss_limit


@dataclass(frozen=True, slots=True)
class RiskView:
    """Dollars, percent, ISO times; null = unknown. `remaining` is what the day may still lose before it trips.

    `day` is the session that the figures are of; the day's P&L is null until the desk has judged today.
    """

    account: str | None
    day: date | None
    as_of: datetime | None
    daily_pnl: Decimal | None
    daily_loss_limit: Decimal
    remaining: Decimal | None
    breaker_active: bool
    breaker_reason: str | None
    tripped_at: datetime | None
    ends_at: datetime | None
    equity: Decimal | None
    start_equity: Decimal | None
    peak_equity: Decimal | None
    intraday_peak: Decimal | None
    drawdown_pct: Decimal | None
    max_drawdown_pct: Decimal


def risk_of(session: Session, account: str | None, limits: BreakerLimits, market_now: datetime) -> RiskView:
    """The figures of an account at a market time, and the trip that is in force."""
    row = None if account is None else EquityRepository(session).last(account)
    active = HaltRepository(session).active(market_now)
    trips = [
        one for one in active if one.kind is HaltKind.BREAKER and (account is None or one.account in {None, account})
    ]
    first = trips[0] if trips else None
    today = row is not None and row.day == market_now.astimezone(NEW_YORK).date()
    pnl = row.daily_pnl_usd if row is not None and today else None
    allowed = loss_limit(limits, row.start_net_liquidation_usd if row is not None and today else None)
    fallen = None if row is None else drawdown(row.equity_usd, row.peak_equity_usd)
    return RiskView(
        account=account,
        day=None if row is None else row.day,
        as_of=None if row is None else row.as_of,
        daily_pnl=pnl,
        daily_loss_limit=plain_money(allowed),
        remaining=_remaining(row, pnl, allowed),
        breaker_active=first is not None,
        breaker_reason="; ".join(f"{halt.source}: {halt.reason}" for halt in trips) or None,
        tripped_at=None if first is None else first.set_at,
        ends_at=None if first is None or any(halt.ends_at is None for halt in trips) else first.ends_at,
        equity=None if row is None else row.equity_usd,
        start_equity=None if row is None else row.start_net_liquidation_usd,
        peak_equity=None if row is None else row.peak_equity_usd,
        intraday_peak=None if row is None else row.intraday_peak_usd,
        drawdown_pct=None if fallen is None else round(fallen * 100, 2),
        max_drawdown_pct=round(limits.drawdown_fraction * 100, 2),
    )


def _remaining(row: EquityDay | None, pnl: Decimal | None, allowed: Decimal) -> Decimal | None:
    if row is None or pnl is None:
        return None
    return plain_money(max(Decimal(0), allowed + pnl - row.loss_base_usd))
