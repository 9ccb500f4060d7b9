"""Sessions side by side, named without running into each other."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.results import WEEK, at

from htbot.backtest.session_axis import date_ticks, place_of


def weekdays(first: date, count: int) -> list[date]:
    days = (first + timedelta(days=step) for step in range(count * 2 + 7))
    return [day for day in days if day.weekday() < 5][:count]


def test_an_instant_lies_in_its_session() -> None:
    assert place_of(at(7, 9, 30), WEEK) == 0
    assert place_of(at(8, 12, 45), WEEK) == 1.5
    assert place_of(at(11, 16), WEEK) == 5
    assert place_of(at(8, 20), WEEK) == 2  # in the evening: the end of its session
    assert place_of(at(12, 12), WEEK) == 5  # on the Saturday after


@pytest.mark.parametrize(
    ("count", "names"),
    [
        (3, ["3 Jan 2022", "4 Jan", "5 Jan"]),
        (21, ["3 Jan 2022", "10 Jan", "17 Jan"]),
        (60, ["3 Jan 2022", "10 Jan", "17 Jan"]),
        (250, ["Jan 2022", "Feb", "Mar"]),
        (750, ["Jan 2022", "Apr", "Jul"]),
        (2500, ["2022", "2023", "2024"]),
    ],
)
def test_longer_runs_have_coarser_marks(count: int, names: list[str]) -> None:
    told = [name for _, name in date_ticks(weekdays(date(2022, 1, 3), count), 880)]
    assert len(told) <= 17
    assert told[:3] == names


def test_a_new_year_is_named() -> None:
    told = [name for _, name in date_ticks(weekdays(date(2021, 9, 1), 160), 880)]
    assert [name for name in told if "20" in name[-4:]] == ["Sep 2021", "Jan 2022"]


def test_no_days_have_no_marks() -> None:
    assert date_ticks([], 880) == []


@given(st.dates(date(2000, 1, 1), date(2020, 1, 1)), st.integers(1, 6000))
def test_marks_have_room(first: date, count: int) -> None:
    days = weekdays(first, count)
    marks = [number * 880 / count for number, _ in date_ticks(days, 880)]
    assert all(after - before >= 53.9 for before, after in pairwise(marks))
    assert marks


def test_the_rest_of_a_month_yields_to_the_first_whole_one() -> None:
    told = [name for _, name in date_ticks(weekdays(date(2022, 1, 28), 250), 880)]
    assert told[:2] == ["Feb 2022", "Mar"]
