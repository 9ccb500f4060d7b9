"""Time in the market, and money in it."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from tests.support.results import TRADES, WEEK, a_result, a_trade, at, drawn_results

from htbot.backtest.metrics_exposure import measure_exposure
from htbot.backtest.result import BacktestResult, EquityCurve
from htbot.domain.sessions import Session, SessionTable

CASH = Decimal(10_000)
CURVE = a_result().curve
FLAT = EquityCurve(WEEK[:2], (CASH, CASH), (1.0, 1.0))


def test_a_week_worked_by_hand() -> None:
    week = measure_exposure(CASH, CURVE, TRADES, None)
    # minutes 60 + 30 + 180 (trade 4 lies within trade 3) + 30 + 60 of 5 x 390
    assert week.exposure == pytest.approx(360 / 1950)
    # 1000 dollars each: 60 at 10,000; 30 at 10,100; 180 + 120 at 9,898; 30 + 60 at 10,392.9
    value = 60 / 10_000 + 30 / 10_100 + 300 / 9_898 + 90 / 10_392.9
    assert week.exposure_value == pytest.approx(1000 * value / 1950)


def test_a_night_does_not_count() -> None:
    held = (a_trade(1, at(7, 15), at(8, 10, 30), "10"),)
    assert measure_exposure(CASH, FLAT, held, None).exposure == pytest.approx(120 / 780)


def test_what_lies_outside_of_every_session_does_not_count() -> None:
    outside = (a_trade(1, at(6, 10), at(6, 11), "10"), a_trade(2, at(8, 17), at(9, 20), "10"))
    assert measure_exposure(CASH, FLAT, outside, None).exposure == 0.0


def test_half_days_are_as_short_as_the_table_says() -> None:
    table = SessionTable([Session(WEEK[0], at(7, 9, 30), at(7, 13))])
    held = (a_trade(1, at(7, 9, 30), at(7, 16), "10"),)
    assert measure_exposure(CASH, FLAT, held, table).exposure == pytest.approx(210 / (210 + 390))


def test_the_whole_session_with_the_whole_equity_is_one() -> None:
    held = tuple(a_trade(day, at(day, 9, 30), at(day, 16), "10", exposure=CASH) for day in (7, 8))
    full = measure_exposure(CASH, FLAT, held, None)
    assert (full.exposure, full.exposure_value) == (pytest.approx(1), pytest.approx(1))


def test_a_single_session_has_an_exposure() -> None:
    one = measure_exposure(CASH, EquityCurve(WEEK[:1], (CASH,), (1.0,)), TRADES[:1], None)
    assert (one.exposure, one.exposure_value) == (pytest.approx(60 / 390), pytest.approx(6 / 390))


def test_unknown_without_sessions_or_without_equity() -> None:
    nothing = measure_exposure(CASH, EquityCurve((), (), ()), (), None)
    assert (nothing.exposure, nothing.exposure_value) == (None, None)
    spent = EquityCurve(WEEK[:2], (Decimal(-1), CASH), (1.0, 1.0))
    assert measure_exposure(CASH, spent, TRADES[:1], None).exposure_value is None
    assert measure_exposure(CASH, FLAT, (), None).exposure == 0.0


@given(drawn_results())
def test_time_in_the_market_is_a_share(result: BacktestResult) -> None:
    both = measure_exposure(result.cash, result.curve, result.trades, None)
    assert both.exposure is not None
    assert 0 <= both.exposure <= 1 + 1e-9
    assert both.exposure_value is not None
    assert both.exposure_value >= -1e-9
