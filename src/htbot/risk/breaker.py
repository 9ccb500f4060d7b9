"""The circuit breaker: when a day, an account or the system itself has gone wrong enough to stop (spec 05 section 4).

Pure: figures in, at most one trip out. Unknown figures trip nothing and are named, so that whoever shows the verdict
can say what it does not rest on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

_HUNDRED = Decimal(100)
_CENT = Decimal("0.01")


class Cause(StrEnum):
    """Why the breaker tripped; the word stands in `halts.source`."""

    DAILY_LOSS = "daily_loss"
    DRAWDOWN = "drawdown"
    ORDER_REJECTS = "order_rejects"
    RECONCILIATION = "reconciliation"
    INVARIANT = "invariant"

    @property
    def ends_with_session(self) -> bool:
        """True for the trip that is over with its session; the others are a person's to lift (RULINGS 13)."""
        return self is Cause.DAILY_LOSS


@dataclass(frozen=True, slots=True)
class BreakerLimits:
    """What trips. Dollars are positive, fractions of 1; `daily_loss_fraction` None means that only dollars count."""

    daily_loss_usd: Decimal = Decimal(1000)
    daily_loss_fraction: Decimal | None = None
    drawdown_fraction: Decimal = Decimal("0.10")
    most_rejects: int = 5
    rejects_within: timedelta = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class DayFigures:
    """One account on one session day, dollars, None = unknown.

    `realized_usd` is gross, `commissions_usd` positive; `broker_daily_usd` is what the broker says of the day.
    `loss_base_usd` is the day's P&L at which a person reset the breaker, 0 before: only what was lost since counts.
    `rejected_at` are market times of orders that the broker refused.
    """

    realized_usd: Decimal | None = None
    commissions_usd: Decimal | None = None
    unrealized_usd: Decimal | None = None
    start_unrealized_usd: Decimal | None = None
    broker_daily_usd: Decimal | None = None
    equity_usd: Decimal | None = None
    start_equity_usd: Decimal | None = None
    peak_equity_usd: Decimal | None = None
    loss_base_usd: Decimal = Decimal(0)
    rejected_at: tuple[datetime, ...] = ()
    mismatch_unresolved: bool = False
    broken_invariant: str | None = None


@dataclass(frozen=True, slots=True)
class DailyResult:
    """The day's P&L in dollars: the worse of ours and the broker's. `unknown` names the parts that are not known."""

    usd: Decimal | None
    own_usd: Decimal | None
    broker_usd: Decimal | None
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Trip:
    """The breaker trips: why, in one line, with the figures that it rests on."""

    cause: Cause
    reason: str
    as_of: datetime
    figures: dict[str, str] = field(default_factory=dict)


_PARTS = {
    "realized_usd": "realised P&L",
    "commissions_usd": "commissions",
    "unrealized_usd": "open P&L",
    "start_unrealized_usd": "open P&L at the session's start",
}


def daily_result(figures: DayFigures) -> DailyResult:
    """Realised + open now - open at the session's start - commissions, or the broker's figure when that is worse.

    Without one of our parts the broker's figure stands alone, and failing that the change of net liquidation, which
    holds the same money marked by the broker.
    """
    unknown = tuple(words for name, words in _PARTS.items() if getattr(figures, name) is None)
    own = None
    if (
        figures.realized_usd is not None
        and figures.commissions_usd is not None
        and figures.unrealized_usd is not None
        and figures.start_unrealized_usd is not None
    ):
        moved = figures.unrealized_usd - figures.start_unrealized_usd
        own = figures.realized_usd + moved - figures.commissions_usd
    broker = figures.broker_daily_usd
    if own is None and broker is None and figures.equity_usd is not None and figures.start_equity_usd is not None:
        broker = figures.equity_usd - figures.start_equity_usd
    known = [value for value in (own, broker) if value is not None]
    return DailyResult(min(known, default=None), own, broker, unknown)


def drawdown(equity_usd: Decimal | None, peak_usd: Decimal | None) -> Decimal | None:
    """Fall from the peak as a fraction, 0 at or above it (spec 05 section 23); None while either is unknown."""
    if equity_usd is None or peak_usd is None or peak_usd <= 0:
        return None
    return max(Decimal(0), (peak_usd - equity_usd) / peak_usd)


def loss_limit(limits: BreakerLimits, start_equity_usd: Decimal | None) -> Decimal:
    """The loss in dollars at which a day trips: the smaller of the amount and the share of the start's equity."""
    if limits.daily_loss_fraction is None or start_equity_usd is None:
        return limits.daily_loss_usd
    return min(limits.daily_loss_usd, limits.daily_loss_fraction * start_equity_usd)


def judge_breaker(figures: DayFigures, limits: BreakerLimits, as_of: datetime) -> Trip | None:
    """The first cause that trips at `as_of` (market time), or None. At the limit it trips: -499.99 runs, -500 does not.

    What a person has to look at comes first, so that a daily loss, which ends by itself, never hides it.
    """
    told = describe(figures, limits)
    for cause, reason in (
        (Cause.INVARIANT, _invariant(figures)),
        (Cause.DRAWDOWN, _drawdown(figures, limits)),
        (Cause.RECONCILIATION, _mismatch(figures)),
        (Cause.ORDER_REJECTS, _rejects(figures, limits, as_of)),
        (Cause.DAILY_LOSS, _loss(figures, limits)),
    ):
        if reason is not None:
            return Trip(cause, reason, as_of, told)
    return None


def describe(figures: DayFigures, limits: BreakerLimits) -> dict[str, str]:
    """The figures in words, for an alert and a log line."""
    result = daily_result(figures)
    fallen = drawdown(figures.equity_usd, figures.peak_equity_usd)
    told = {
        "Day's P&L": _usd(result.usd),
        "By our books": _usd(result.own_usd),
        "By the broker": _usd(result.broker_usd),
        "Daily loss limit": _usd(loss_limit(limits, figures.start_equity_usd)),
        "Net liquidation": _usd(figures.equity_usd),
        "Peak equity": _usd(figures.peak_equity_usd),
        "Drawdown": "not known" if fallen is None else f"{fallen * _HUNDRED:.2f} %",
    }
    if result.unknown:
        told["Not known"] = ", ".join(result.unknown)
    return told


def _invariant(figures: DayFigures) -> str | None:
    return figures.broken_invariant


def _drawdown(figures: DayFigures, limits: BreakerLimits) -> str | None:
    fallen = drawdown(figures.equity_usd, figures.peak_equity_usd)
    if fallen is None or fallen < limits.drawdown_fraction:
        return None
    return (
        f"equity {_usd(figures.equity_usd)} is {fallen * _HUNDRED:.2f} % below its peak of"
        f" {_usd(figures.peak_equity_usd)}, limit {limits.drawdown_fraction * _HUNDRED:.2f} %"
    )


def _mismatch(figures: DayFigures) -> str | None:
    return "books and broker have disagreed for five minutes" if figures.mismatch_unresolved else None


def _rejects(figures: DayFigures, limits: BreakerLimits, as_of: datetime) -> str | None:
    since = as_of - limits.rejects_within
    recent = sum(since < at <= as_of for at in figures.rejected_at)
    if recent < limits.most_rejects:
        return None
    minutes = limits.rejects_within.total_seconds() / 60
    return f"the broker refused {recent} orders within {minutes:.0f} minutes, limit {limits.most_rejects}"


def _loss(figures: DayFigures, limits: BreakerLimits) -> str | None:
    result = daily_result(figures)
    allowed = loss_limit(limits, figures.start_equity_usd)
    if result.usd is None or result.usd - figures.loss_base_usd > -allowed:
        return None
    since = f" since a reset at {_usd(figures.loss_base_usd)}" if figures.loss_base_usd else ""
    unknown = f"; not known: {', '.join(result.unknown)}" if result.unknown else ""
    return f"the day's P&L is {_usd(result.usd)}{since}, limit {_usd(-allowed)}{unknown}"


def _usd(amount: Decimal | None) -> str:
    return "not known" if amount is None else f"{amount.quantize(_CENT):,} USD"
