from __future__ import annotations

import pytest
from tests.support.results import a_result

from htbot.backtest.metrics import measure
from htbot.backtest.optimize.goal import METRICS, Goal, outcome_of, ranked
from htbot.backtest.optimize.trial import TrialOutcome
from htbot.domain.errors import ConfigurationError


def outcome(trades: int = 10, **values: float | None) -> TrialOutcome:
    return TrialOutcome(trades, {**dict.fromkeys(METRICS), **values}, "events", 0.1)


def test_the_higher_the_better_and_unknown_last_equal_ones_as_they_came() -> None:
    goal = Goal("sharpe")
    given = [("a", None), ("b", 1.0), ("c", -2.0), ("d", 3.0), ("e", 1.0), ("f", None)]
    order = ranked(given, lambda one: goal.score(outcome(sharpe=one[1])))
    assert "".join(name for name, _ in order) == "dbecaf"


def test_a_drawdown_is_the_better_the_smaller() -> None:
    goal = Goal("max_drawdown")
    order = ranked([0.3, 0.1, 0.2], lambda share: goal.score(outcome(max_drawdown=share)))
    assert order == [0.1, 0.2, 0.3]
    assert goal.value(goal.score(outcome(max_drawdown=0.3))) == 0.3


def test_too_few_trades_are_unknown() -> None:
    assert Goal("sharpe", minimum_trades=10).score(outcome(9, sharpe=5.0)) is None
    assert Goal("sharpe", minimum_trades=10).score(outcome(10, sharpe=5.0)) == 5.0


def test_an_unknown_metric_names_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match="--metric sharp: no such metric: did you mean sharpe"):
        Goal("sharp")


def test_values_are_those_of_the_metrics() -> None:
    result = a_result()
    found, metrics = outcome_of(result), measure(result)
    assert found.trades == len(result.trades)
    assert found.values.keys() == METRICS.keys()
    for name in ("sharpe", "sortino", "calmar", "cagr", "max_drawdown", "profit_factor", "win_rate", "payoff_ratio"):
        assert found.values[name] == getattr(metrics, name)
    assert found.values["net_pnl"] == float(result.curve.equity[-1] - result.cash)
