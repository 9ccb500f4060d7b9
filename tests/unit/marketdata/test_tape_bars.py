"""Bars one by one lie where a whole tape puts them, and the calendar knows which bar follows which."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.support.strategy_tapes import random_tape, weekdays

from htbot.domain.bars import TapeBar
from htbot.marketdata.tape_bars import ClosedBar, TapeCalendar

CALENDAR = TapeCalendar(weekdays().all())
SESSIONS = weekdays().all()
HALF = SESSIONS[3]


def closed(start_s: int) -> ClosedBar:
    return ClosedBar(start_s, start_s + 300.0, 1.0, 2.0, 0.5, 1.5, 10.0)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("minutes", [1, 5])
def test_bars_are_those_of_the_tape(seed: int, minutes: int) -> None:
    tape = random_tape(seed, minutes=minutes)
    for row in tape.bars.tolist():
        wanted = TapeBar(*row)
        bar = ClosedBar(wanted.start_s, 0.0, wanted.open, wanted.high, wanted.low, wanted.close, wanted.volume)
        made = CALENDAR.tape_bar(bar, minutes)
        assert made is not None
        # A tape calls the last bar that a file has of a session its last one; live only the clock can tell.
        assert made._replace(ends_session=wanted.ends_session) == wanted
        assert made.ends_session == (wanted.end_minute == wanted.close_minute)


def test_nothing_outside_of_regular_hours() -> None:
    opens, closes = (int(moment.timestamp()) for moment in (HALF.opens, HALF.closes))
    assert CALENDAR.tape_bar(closed(opens - 300), 5) is None
    assert CALENDAR.tape_bar(closed(closes), 5) is None
    last = CALENDAR.tape_bar(closed(closes - 300), 5)
    assert last is not None
    assert (last.end_minute, last.close_minute, last.ends_session) == (780, 780, True)


def test_the_bar_after_the_last_one_is_the_next_sessions_first() -> None:
    opens, closes = (int(moment.timestamp()) for moment in (HALF.opens, HALF.closes))
    following = int(SESSIONS[4].opens.timestamp())
    assert CALENDAR.next_start_s(opens, 5) == opens + 300
    assert CALENDAR.next_start_s(closes - 300, 5) == following
    assert CALENDAR.next_start_s(closes, 5) is None
    assert CALENDAR.next_start_s(int((SESSIONS[-1].closes - timedelta(minutes=5)).timestamp()), 5) is None


def test_what_belongs_between_two_bars() -> None:
    closes, following = int(HALF.closes.timestamp()), int(SESSIONS[4].opens.timestamp())
    assert CALENDAR.starts_between(closes - 900, following + 300, 5) == [closes - 600, closes - 300, following]
    assert CALENDAR.starts_between(closes - 300, following, 5) == []
