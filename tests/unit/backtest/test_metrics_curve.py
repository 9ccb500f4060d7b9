"""The curve against numbers worked by hand, and against pandas written out beside it."""

from __future__ import annotations

import math
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from tests.support.results import WEEK, a_result, drawn_results

from htbot.backtest.metrics_curve import (
    Drawdown,
    daily_returns,
    drawdowns,
    lucky_sharpe,
    measure_curve,
    monthly_returns,
    sharpe,
    sortino,
)
from htbot.backtest.result import BacktestResult, EquityCurve

CASH = Decimal(10_000)


def curve_of(*equity: float | str, first: date = date(2022, 3, 7)) -> EquityCurve:
    days = tuple(first + timedelta(days=step) for step in range(len(equity)))
    return EquityCurve(days, tuple(Decimal(str(value)) for value in equity), (0.0,) * len(equity))


def test_a_week_worked_by_hand() -> None:
    week = measure_curve(CASH, a_result().curve, 0.0)
    assert (week.sessions, week.first_day, week.last_day) == (5, WEEK[0], WEEK[-1])
    assert week.total_return == pytest.approx(0.0081113)
    assert week.cagr == pytest.approx(1.0081113 ** (365.25 / 5) - 1)
    # mean 0.01 / 5 = 0.002; squared distances 64 + 484 + 2304 + 4 + 1024 = 3880e-6, over 4 = 970e-6
    assert week.volatility == pytest.approx(math.sqrt(970e-6 * 252))
    assert week.sharpe == pytest.approx(0.002 / math.sqrt(970e-6) * math.sqrt(252))
    # below zero: 0.02^2 + 0.03^2 = 13e-4 over all five days
    assert week.sortino == pytest.approx(0.002 / math.sqrt(13e-4 / 5) * math.sqrt(252))
    assert (week.best_day, week.worst_day) == (0.05, -0.03)
    assert week.drawdown == Drawdown(Decimal("311.787"), 0.03, date(2022, 3, 10), date(2022, 3, 11), None)
    assert week.drawdown_usd == week.drawdown
    assert (week.max_drawdown, week.max_drawdown_usd) == (0.03, Decimal("311.787"))
    assert week.calmar == pytest.approx(week.cagr / 0.03)
    assert week.longest_drawdown_days == 2  # from the 7th, back on the 9th


def test_every_fall_is_found_with_its_days() -> None:
    assert drawdowns(CASH, curve_of(9_000, 9_500, 10_000, 12_000, 11_000, 11_500)) == [
        Drawdown(Decimal(1_000), 0.1, None, date(2022, 3, 7), date(2022, 3, 9)),
        Drawdown(Decimal(1_000), pytest.approx(1 / 12), date(2022, 3, 10), date(2022, 3, 11), None),
    ]


def test_the_deepest_in_percent_and_in_dollars_may_be_two() -> None:
    both = measure_curve(CASH, curve_of(8_000, 30_000, 27_000), 0.0)
    assert both.drawdown is not None
    assert both.drawdown_usd is not None
    assert (both.drawdown.share, both.drawdown.recovered) == (0.2, date(2022, 3, 8))
    assert (both.drawdown_usd.amount, both.drawdown_usd.peak) == (Decimal(3_000), date(2022, 3, 8))


def test_without_a_fall_the_drawdown_is_known_to_be_nothing() -> None:
    risen = measure_curve(CASH, curve_of(10_000, 10_500), 0.0)
    assert (risen.max_drawdown, risen.max_drawdown_usd, risen.longest_drawdown_days) == (0.0, Decimal(0), 0)
    assert risen.drawdown == Drawdown(Decimal(0), 0.0)
    assert risen.calmar is None
    assert risen.sortino is None


def test_a_single_day_has_neither_a_year_nor_a_spread() -> None:
    one = measure_curve(CASH, curve_of(10_100), 0.0)
    assert one.total_return == pytest.approx(0.01)
    assert (one.cagr, one.volatility, one.sharpe, one.sortino, one.calmar) == (None,) * 5


def test_no_day_at_all_is_unknown_altogether() -> None:
    none = measure_curve(CASH, curve_of(), 0.0)
    known = {name: value for name, value in vars(none).items() if value is not None}
    assert known == {"sessions": 0, "start_equity": CASH}
    assert (none.max_drawdown, none.max_drawdown_usd) == (None, None)


def test_equal_returns_have_no_sharpe() -> None:
    assert sharpe([0.1, 0.1, 0.1]) is None
    assert sharpe([0.1, 0.1 + 1e-16, 0.1 - 1e-16]) is None


def test_equity_that_was_spent_leaves_the_ratios_unknown() -> None:
    spent = measure_curve(CASH, curve_of(5_000, -100, 20), 0.0)
    assert daily_returns(CASH, curve_of(5_000, -100, 20).equity) == []
    assert (spent.volatility, spent.sharpe, spent.sortino, spent.best_day) == (None,) * 4
    assert spent.max_drawdown == pytest.approx(1.01)
    assert measure_curve(CASH, curve_of(5_000, -100), 0.0).cagr is None


def test_growth_beyond_any_number_is_unknown() -> None:
    assert measure_curve(Decimal(1), curve_of(1, 1e9), 0.0).cagr is None


def test_the_risk_free_rate_is_taken_off_by_the_day() -> None:
    returns = [0.01, -0.02, 0.03]
    daily = 1.05 ** (1 / 252) - 1
    series = pd.Series(returns) - daily
    assert sharpe(returns, 0.05) == pytest.approx(series.mean() / series.std(ddof=1) * np.sqrt(252))
    below = np.sqrt((series.clip(upper=0) ** 2).mean())
    assert sortino(returns, 0.05) == pytest.approx(series.mean() / below * np.sqrt(252))


def test_months_are_measured_from_the_end_of_the_month_before() -> None:
    days = (date(2021, 12, 30), date(2021, 12, 31), date(2022, 1, 3), date(2022, 3, 1))
    curve = EquityCurve(days, tuple(map(Decimal, (9_000, 11_000, 12_100, 6_050))), (0.0,) * 4)
    assert monthly_returns(CASH, curve) == {(2021, 12): 0.1, (2022, 1): 0.1, (2022, 3): -0.5}
    assert monthly_returns(Decimal(0), curve)[2021, 12] is None


def test_what_luck_alone_would_show() -> None:
    # expected maximum of N standard normals: 1.5388 of 10, 2.5076 of 100 (exact); the formula is close above
    assert lucky_sharpe(10, 252) == pytest.approx(1.5388, abs=0.04)
    assert lucky_sharpe(100, 252) == pytest.approx(2.5076, abs=0.03)
    assert lucky_sharpe(100, 63) == pytest.approx(2 * (lucky_sharpe(100, 252) or 0))
    assert (lucky_sharpe(1, 252), lucky_sharpe(10, 1)) == (None, None)


def near(ratio: float, divisor: float) -> object:
    """What may part two ways to a ratio: a quotient of equities less one is known to 1e-16, however small it is."""
    rounding = float(1e-9 + 1e-14 / divisor)
    return pytest.approx(ratio, rel=rounding, abs=rounding)


@given(drawn_results())
def test_the_same_as_pandas(result: BacktestResult) -> None:
    ours = measure_curve(result.cash, result.curve, 0.0)
    equity = pd.Series([float(result.cash), *map(float, result.curve.equity)])
    returns = equity.pct_change().dropna()
    assume(returns.std(ddof=1) > 1e-9)
    assert ours.volatility == pytest.approx(returns.std(ddof=1) * np.sqrt(252))
    deviation = returns.std(ddof=1)
    assert ours.sharpe == near(returns.mean() / deviation * np.sqrt(252), deviation)
    fall = 1 - equity / equity.cummax()
    assert ours.max_drawdown == pytest.approx(fall.max(), abs=1e-12)
    assert float(ours.max_drawdown_usd or 0) == pytest.approx((equity.cummax() - equity).max(), abs=1e-6)
    if (returns < 0).any():
        below = np.sqrt((returns.clip(upper=0) ** 2).sum() / len(returns))
        assert ours.sortino == near(returns.mean() / below * np.sqrt(252), below)
    compounded = (1 + returns).prod() - 1
    assert ours.total_return == pytest.approx(compounded, abs=1e-9)


@given(drawn_results())
def test_drawdowns_are_never_below_zero_and_their_days_are_in_order(result: BacktestResult) -> None:
    for fall in drawdowns(result.cash, result.curve):
        assert fall.amount > 0
        assert fall.share > 0
        assert fall.trough is not None
        assert fall.peak is None or fall.peak < fall.trough
        assert fall.recovered is None or fall.trough < fall.recovered


@given(drawn_results())
def test_ten_times_the_money_has_the_same_ratios(result: BacktestResult) -> None:
    curve = result.curve
    larger = EquityCurve(curve.days, tuple(value * 10 for value in curve.equity), curve.prices)
    one, ten = measure_curve(result.cash, curve, 0.02), measure_curve(result.cash * 10, larger, 0.02)
    for name in ("total_return", "cagr", "volatility", "sharpe", "sortino", "calmar", "max_drawdown"):
        assert getattr(one, name) == pytest.approx(getattr(ten, name)), name
    assert ten.max_drawdown_usd == (one.max_drawdown_usd or 0) * 10


@given(drawn_results())
def test_months_compound_to_the_total(result: BacktestResult) -> None:
    months = monthly_returns(result.cash, result.curve)
    product = math.prod(1 + (one or 0) for one in months.values())
    assert product - 1 == pytest.approx(measure_curve(result.cash, result.curve, 0.0).total_return, abs=1e-9)
