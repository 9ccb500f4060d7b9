"""What the equity curve says: returns, their spread, drawdowns. Daily, at the end of each session.

Formulas are those of W. F. Sharpe, 'The Sharpe Ratio' (1994), F. A. Sortino and L. N. Price (1994), and
T. W. Young, 'Calmar Ratio' (1991); a year has 252 sessions, and 365.25 calendar days. Unknown is None.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from statistics import NormalDist, fmean, stdev

from htbot.backtest.result import EquityCurve

SESSIONS_A_YEAR = 252
DAYS_A_YEAR = 365.25
NO_SPREAD = 1e-12
"""Returns closer together than this are equal: what is left is rounding."""
EULER = 0.5772156649015329


@dataclass(frozen=True, slots=True)
class Drawdown:
    """A fall of the equity from its highest value so far, `share` of that value.

    Days are those of the end of session; `peak` None is the cash before the first one, `recovered` None is not yet.
    Without any fall `amount` and `share` are 0 and there are no days.
    """

    amount: Decimal
    share: float
    peak: date | None = None
    trough: date | None = None
    recovered: date | None = None


@dataclass(frozen=True)
class CurveMetrics:
    """Metrics of the equity curve; ratios are shares (0.1 is 10 %), annual where their name says nothing else."""

    first_day: date | None
    last_day: date | None
    sessions: int
    start_equity: Decimal
    end_equity: Decimal | None
    total_return: float | None
    cagr: float | None
    volatility: float | None
    sharpe: float | None
    sortino: float | None
    calmar: float | None
    best_day: float | None
    worst_day: float | None
    drawdown: Drawdown | None
    drawdown_usd: Drawdown | None
    longest_drawdown_days: int | None

    @property
    def max_drawdown(self) -> float | None:
        """The deepest fall as a share of its peak, >= 0; its days are in `drawdown`."""
        return None if self.drawdown is None else self.drawdown.share

    @property
    def max_drawdown_usd(self) -> Decimal | None:
        """The deepest fall in dollars, >= 0, perhaps another one; its days are in `drawdown_usd`."""
        return None if self.drawdown_usd is None else self.drawdown_usd.amount


def measure_curve(cash: Decimal, curve: EquityCurve, risk_free: float) -> CurveMetrics:
    """Every metric of the curve; `risk_free` is a rate per year."""
    days, equity = curve.days, curve.equity
    returns = daily_returns(cash, equity)
    falls = drawdowns(cash, curve)
    deepest = _deepest([fall.share for fall in falls], falls) if cash > 0 and equity else None
    yearly = cagr(cash, curve)
    return CurveMetrics(
        first_day=days[0] if days else None,
        last_day=days[-1] if days else None,
        sessions=len(days),
        start_equity=cash,
        end_equity=equity[-1] if equity else None,
        total_return=float(equity[-1] / cash - 1) if equity and cash > 0 else None,
        cagr=yearly,
        volatility=stdev(returns) * math.sqrt(SESSIONS_A_YEAR) if len(returns) > 1 else None,
        sharpe=sharpe(returns, risk_free),
        sortino=sortino(returns, risk_free),
        calmar=None if yearly is None or deepest is None or deepest.share == 0 else yearly / deepest.share,
        best_day=max(returns, default=None),
        worst_day=min(returns, default=None),
        drawdown=deepest,
        drawdown_usd=_deepest([fall.amount for fall in falls], falls) if equity else None,
        longest_drawdown_days=_longest_days(falls, days) if days else None,
    )


def daily_returns(cash: Decimal, equity: Sequence[Decimal]) -> list[float]:
    """r(t) = E(t) / E(t-1) - 1, the first against the cash; none at all once the equity has been spent."""
    before = (cash, *equity[:-1])
    if not equity or min(before) <= 0:
        return []
    return [float(now / then - 1) for now, then in zip(equity, before, strict=True)]


def cagr(cash: Decimal, curve: EquityCurve) -> float | None:
    """(E(end) / cash) ^ (365.25 / calendar days, first and last included) - 1; None for less than two sessions."""
    if len(curve.days) < 2 or cash <= 0 or curve.equity[-1] < 0:
        return None
    years = ((curve.days[-1] - curve.days[0]).days + 1) / DAYS_A_YEAR
    try:
        return math.pow(float(curve.equity[-1] / cash), 1 / years) - 1
    except OverflowError:
        return None


def sharpe(returns: Sequence[float], risk_free: float = 0.0) -> float | None:
    """Mean of r - f over the sample standard deviation of r, x sqrt(252); f is the daily risk-free rate.

    None for less than two returns, or when they do not differ.
    """
    if len(returns) < 2:
        return None
    spread = stdev(returns)
    return None if spread <= NO_SPREAD else _excess(returns, risk_free) / spread * math.sqrt(SESSIONS_A_YEAR)


def sortino(returns: Sequence[float], risk_free: float = 0.0) -> float | None:
    """Mean of r - f over the root of the mean of min(r - f, 0)^2 over ALL days, x sqrt(252).

    None for less than two returns, or when none lies below f.
    """
    if len(returns) < 2:
        return None
    least = _daily(risk_free)
    downside = math.sqrt(math.fsum(min(one - least, 0.0) ** 2 for one in returns) / len(returns))
    return None if downside <= NO_SPREAD else _excess(returns, risk_free) / downside * math.sqrt(SESSIONS_A_YEAR)


def lucky_sharpe(trials: int, sessions: int) -> float | None:
    """The Sharpe ratio that the best of `trials` strategies without any edge is expected to show by luck.

    sqrt(252 / sessions) x ((1 - g) Z(1 - 1/N) + g Z(1 - 1/(N e))), g Euler's constant and Z the inverse normal:
    D. H. Bailey and M. Lopez de Prado, 'The Deflated Sharpe Ratio' (2014). None for less than two of either.
    """
    if trials < 2 or sessions < 2:
        return None
    inverse = NormalDist().inv_cdf
    expected = (1 - EULER) * inverse(1 - 1 / trials) + EULER * inverse(1 - 1 / (trials * math.e))
    return math.sqrt(SESSIONS_A_YEAR / sessions) * expected


def drawdowns(cash: Decimal, curve: EquityCurve) -> list[Drawdown]:
    """Every fall from a peak until its recovery, oldest first; the last one may not have recovered."""
    found: list[Drawdown] = []
    peak, peak_day = cash, None
    low: tuple[Decimal, date] | None = None
    for day, value in zip(curve.days, curve.equity, strict=True):
        if value < peak:
            if low is None or value < low[0]:
                low = (value, day)
            continue
        if low is not None:
            found.append(_drawdown(peak, peak_day, low, day))
        peak, peak_day, low = value, day, None
    if low is not None:
        found.append(_drawdown(peak, peak_day, low, None))
    return found


def monthly_returns(cash: Decimal, curve: EquityCurve) -> dict[tuple[int, int], float | None]:
    """(year, month) to the return from the end of the month before; None once the equity has been spent."""
    ends = {(day.year, day.month): value for day, value in zip(curve.days, curve.equity, strict=True)}
    before = cash
    returns: dict[tuple[int, int], float | None] = {}
    for month, value in ends.items():
        returns[month] = float(value / before - 1) if before > 0 else None
        before = value
    return returns


def _drawdown(peak: Decimal, peak_day: date | None, low: tuple[Decimal, date], recovered: date | None) -> Drawdown:
    amount = peak - low[0]
    share = float(amount / peak) if peak > 0 else math.inf
    return Drawdown(amount, share, peak_day, low[1], recovered)


def _deepest(depths: Sequence[float] | Sequence[Decimal], falls: Sequence[Drawdown]) -> Drawdown:
    """The first of the deepest."""
    return falls[list(depths).index(max(depths))] if falls else Drawdown(Decimal(0), 0.0)


def _longest_days(falls: Sequence[Drawdown], days: Sequence[date]) -> int:
    """Calendar days from peak to recovery, or to the end of the curve."""
    return max(((fall.recovered or days[-1]) - (fall.peak or days[0])).days for fall in falls) if falls else 0


def _daily(yearly: float) -> float:
    return math.pow(1 + yearly, 1 / SESSIONS_A_YEAR) - 1


def _excess(returns: Sequence[float], risk_free: float) -> float:
    return fmean(returns) - _daily(risk_free)
