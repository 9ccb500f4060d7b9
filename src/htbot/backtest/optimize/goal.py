"""What a search looks for: a metric, and the order that it puts trials in."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from htbot.backtest.metrics_curve import CurveMetrics, measure_curve
from htbot.backtest.metrics_trades import TradeMetrics, measure_trades
from htbot.backtest.optimize.trial import TrialOutcome
from htbot.backtest.result import BacktestResult
from htbot.domain.errors import ConfigurationError
from htbot.domain.suggestions import suggestion

Item = TypeVar("Item")
Reader = Callable[[CurveMetrics, TradeMetrics], object]

METRICS: Mapping[str, Reader] = {
    "net_pnl": lambda curve, _: None if curve.end_equity is None else curve.end_equity - curve.start_equity,
    "sharpe": lambda curve, _: curve.sharpe,
    "sortino": lambda curve, _: curve.sortino,
    "calmar": lambda curve, _: curve.calmar,
    "cagr": lambda curve, _: curve.cagr,
    "max_drawdown": lambda curve, _: curve.max_drawdown,
    "profit_factor": lambda _, trades: trades.profit_factor,
    "expectancy": lambda _, trades: trades.expectancy,
    "win_rate": lambda _, trades: trades.win_rate,
    "payoff_ratio": lambda _, trades: trades.payoff_ratio,
}
"""Metrics by name. `net_pnl` is that of the equity curve: what is held at the end counts at the last close."""

SMALLER_IS_BETTER = frozenset({"max_drawdown"})


@dataclass(frozen=True, slots=True)
class Goal:
    """The metric that ranks trials; one with fewer trades than `minimum_trades` ranks as unknown, which is last."""

    metric: str = "sharpe"
    minimum_trades: int = 1

    def __post_init__(self) -> None:
        if self.metric not in METRICS:
            raise ConfigurationError(f"--metric {self.metric}: no such metric: {suggestion(self.metric, METRICS)}")

    def score(self, outcome: TrialOutcome) -> float | None:
        """The higher the better; None is unknown."""
        value = outcome.values.get(self.metric)
        if value is None or outcome.trades < self.minimum_trades:
            return None
        return -value if self.metric in SMALLER_IS_BETTER else value

    def value(self, score: float | None) -> float | None:
        """The metric that a score stands for."""
        return -score if score is not None and self.metric in SMALLER_IS_BETTER else score


def ranked(items: Sequence[Item], score: Callable[[Item], float | None]) -> list[Item]:
    """Best first, unknown last, equal ones in the order they came."""

    def place(item: Item) -> tuple[bool, float]:
        value = score(item)
        return (value is None, 0.0 if value is None else -value)

    return sorted(items, key=place)


def outcome_of(result: BacktestResult) -> TrialOutcome:
    """The metrics of a result that trials are ranked and told by."""
    curve, trades = measure_curve(result.cash, result.curve, 0.0), measure_trades(result.trades)
    return TrialOutcome(
        trades=trades.trades,
        values={name: _number(read(curve, trades)) for name, read in METRICS.items()},
        engine=result.engine,
        wall_s=result.wall_s,
        why_not=result.why_not,
    )


def _number(value: object) -> float | None:
    number = None if value is None else float(value)  # type: ignore[arg-type]
    return number if number is not None and math.isfinite(number) else None
