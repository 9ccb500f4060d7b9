"""Metrics of a backtest, computed from its result alone. docs/concepts/backtest-metrics.md is their table.

Money is `Decimal`, ratios are float and shares (0.1 is 10 %), and what cannot be known is None: never 0, never NaN.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from htbot.backtest.metrics_curve import CurveMetrics, measure_curve
from htbot.backtest.metrics_exposure import ExposureMetrics, measure_exposure
from htbot.backtest.metrics_groups import GroupMetrics, measure_groups
from htbot.backtest.metrics_trades import TradeMetrics, measure_trades
from htbot.backtest.result import BacktestResult
from htbot.domain.sessions import SessionTable


@dataclass(frozen=True)
class Metrics(CurveMetrics, TradeMetrics, ExposureMetrics, GroupMetrics):
    """All of them side by side; each part's formulas stand in its own module.

    `open_profit` is what the curve has and the trades have not: the P&L of positions that are open at the end.
    """

    open_profit: Decimal | None


def measure(result: BacktestResult, risk_free: float = 0.0, sessions: SessionTable | None = None) -> Metrics:
    """Every metric of a result.

    Args:
        result: what the backtest handed out.
        risk_free: rate per year, for Sharpe and Sortino.
        sessions: knows the half days, for exposure; without it every session lasts from 09:30 to 16:00 New York.
    """
    curve = measure_curve(result.cash, result.curve, risk_free)
    trades = measure_trades(result.trades)
    exposure = measure_exposure(result.cash, result.curve, result.trades, sessions, result.open_since)
    groups = measure_groups(result.trades)
    end = curve.end_equity
    left = None if end is None else end - result.cash - trades.net_profit
    return Metrics(**vars(curve), **vars(trades), **vars(exposure), **vars(groups), open_profit=left)
