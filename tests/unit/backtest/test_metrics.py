"""All metrics of a result together."""

from __future__ import annotations

import math
from dataclasses import fields
from decimal import Decimal

from hypothesis import given
from tests.support.results import a_result, drawn_results

from htbot.backtest.metrics import Metrics, measure
from htbot.backtest.result import BacktestResult, EquityCurve


def test_the_parts_stand_side_by_side() -> None:
    metrics = measure(a_result())
    assert metrics.net_profit == Decimal(91)
    assert metrics.max_drawdown == 0.03
    assert metrics.exposure is not None
    assert metrics.by_symbol[0].trades == metrics.trades == 6


def test_what_the_trades_do_not_explain_is_open() -> None:
    metrics = measure(a_result())
    assert metrics.open_profit == Decimal("-9.887")  # 10,081.113 - 10,000 - 91
    assert measure(a_result(curve=EquityCurve((), (), ()))).open_profit is None


def test_the_risk_free_rate_reaches_the_ratios() -> None:
    plain, less = measure(a_result()), measure(a_result(), risk_free=0.05)
    assert plain.sharpe is not None
    assert less.sharpe is not None
    assert less.sharpe < plain.sharpe
    assert less.volatility == plain.volatility


@given(drawn_results())
def test_unknown_is_none_and_never_a_number_that_is_none(result: BacktestResult) -> None:
    metrics = measure(result)
    for field in fields(Metrics):
        value = getattr(metrics, field.name)
        assert not (isinstance(value, float) and not math.isfinite(value)), field.name
        if isinstance(value, Decimal):
            assert value.is_finite(), field.name
    assert metrics.open_profit == result.curve.equity[-1] - result.cash - metrics.net_profit
