from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.record import NOON, SYMBOL, at

from htbot.domain.bars import Bar
from htbot.marketdata.bars import CLOSING_GRACE, BarFold
from htbot.marketdata.snapshot import OpenBar


def bar(minute: float, high: float = 101.0, low: float = 99.0, close: float = 100.0) -> Bar:
    """A five-minute bar that starts `minute` minutes after noon."""
    return Bar(SYMBOL, at(minute), 5, 100.0, high, low, close, 1.0)


@pytest.fixture
def fold() -> BarFold:
    """In an exact world, with one closed bar."""
    made = BarFold(exact=True)
    made.load([bar(-5)], NOON)
    return made


def seen(watched: OpenBar | None) -> tuple[float | None, float | None]:
    assert watched is not None
    return watched.seen_high, watched.seen_low


def test_history_is_closed_up_to_now_and_the_last_bar_is_open() -> None:
    fold = BarFold(exact=True)
    history = [bar(-10), bar(-5), bar(0)]
    assert fold.load(history, at(2)) == history[:2]
    assert fold.open_bar == OpenBar(bar(0), None, None)
    assert fold.settle(at(2)) == []


def test_a_bar_that_ends_now_is_closed_in_an_exact_world_only() -> None:
    assert BarFold(exact=True).load([bar(-5)], NOON) == [bar(-5)]
    real = BarFold(exact=False)
    assert real.load([bar(-5)], NOON) == []
    assert real.settle(NOON + CLOSING_GRACE - timedelta(seconds=1)) == []
    assert real.settle(NOON + CLOSING_GRACE) == [bar(-5)]


def test_a_bar_closes_at_its_end_once(fold: BarFold) -> None:
    fold.update(bar(0))
    assert fold.settle(at(4.99)) == []
    assert fold.settle(at(5)) == [bar(0)]
    assert fold.settle(at(5)) == []
    assert fold.open_bar is None


def test_the_next_bar_closes_the_one_before_it(fold: BarFold) -> None:
    final = bar(0, high=103.0)
    fold.update(bar(0))
    fold.update(final)
    fold.update(bar(5))
    assert fold.settle(at(5, 1)) == [final]
    assert fold.open_bar is not None
    assert fold.open_bar.bar == bar(5)


def test_a_late_update_of_a_closed_bar_is_ignored(fold: BarFold) -> None:
    fold.update(bar(0))
    fold.settle(at(5))
    fold.update(bar(0, high=200.0))
    fold.update(bar(-5, high=200.0))
    assert fold.open_bar is None
    assert fold.settle(at(10)) == []


def test_a_real_feeds_late_update_still_counts_within_its_grace() -> None:
    fold = BarFold(exact=False)
    fold.update(bar(0))
    assert fold.settle(at(5, 3)) == []
    fold.update(bar(0, close=100.5))
    assert fold.settle(at(5, 10)) == [bar(0, close=100.5)]


def test_extremes_of_a_bar_watched_from_its_start_are_its_own(fold: BarFold) -> None:
    fold.update(bar(0, high=100.0, low=100.0))
    fold.update(bar(0, high=104.0, low=98.0, close=99.0))
    assert seen(fold.open_bar) == (104.0, 98.0)


def test_a_wick_older_than_the_start_was_not_seen() -> None:
    """RULINGS 2: after a start in mid-bar."""
    fold = BarFold(exact=True)
    fold.load([bar(0, high=110.0, low=90.0)], at(2))
    assert seen(fold.open_bar) == (None, None)
    fold.update(bar(0, high=110.0, low=90.0, close=101.0))
    assert seen(fold.open_bar) == (101.0, 101.0)
    fold.update(bar(0, high=110.0, low=90.0, close=100.5))
    assert seen(fold.open_bar) == (101.0, 100.5)
    fold.update(bar(0, high=111.0, low=90.0, close=110.2))
    assert seen(fold.open_bar) == (111.0, 100.5)


def test_after_a_gap_extremes_begin_anew(fold: BarFold) -> None:
    fold.update(bar(0, high=108.0, low=92.0))
    fold.forget_extremes()
    assert seen(fold.open_bar) == (None, None)
    fold.update(bar(0, high=108.0, low=92.0, close=102.0))
    assert seen(fold.open_bar) == (102.0, 102.0)


def test_the_last_closed_bar_is_taken_once_with_what_was_seen_of_it(fold: BarFold) -> None:
    fold.update(bar(0, high=105.0))
    fold.settle(at(5))
    assert fold.take_last_closed() == OpenBar(bar(0, high=105.0), 105.0, 99.0)
    assert fold.take_last_closed() is None


def test_loading_again_forgets_what_was_not_stored(fold: BarFold) -> None:
    """A reconnect: the history that comes then has everything."""
    fold.update(bar(0))
    fold.update(bar(5))
    assert fold.load([bar(-5), bar(0), bar(5, high=107.0)], at(7)) == [bar(-5), bar(0)]
    assert fold.take_last_closed() is None
    assert seen(fold.open_bar) == (None, None)
    assert fold.settle(at(7)) == []


def test_a_bar_that_has_not_begun_is_watched_from_its_start() -> None:
    fold = BarFold(exact=True)
    fold.load([bar(-5), bar(0)], NOON)
    assert seen(fold.open_bar) == (101.0, 99.0)


@given(
    closes=st.lists(st.floats(90, 110), min_size=1, max_size=40),
    looks=st.sets(st.integers(0, 39)),
)
def test_every_bar_is_closed_exactly_once_whenever_one_looks(closes: list[float], looks: set[int]) -> None:
    fold = BarFold(exact=True)
    stored: list[Bar] = []
    current: Bar | None = None
    expected: dict[datetime, Bar] = {}
    for number, close in enumerate(closes):
        start = at(number // 4 * 5)
        if current is None or current.start != start:
            current = Bar(SYMBOL, start, 5, close, close, close, close)
        current = replace(current, high=max(current.high, close), low=min(current.low, close), close=close)
        expected[start] = current
        fold.update(current)
        if number in looks:
            stored += fold.settle(start + timedelta(seconds=60 * (number % 4)))
    assert current is not None
    stored += fold.settle(current.end)
    assert stored == [expected[start] for start in sorted(expected)]
