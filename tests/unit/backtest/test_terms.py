"""Terms of a backtest: which days it plays, and from when it may enter."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from tests.support.spread_day import CALENDAR, DAY, in_step, walk, world

from htbot.backtest.terms import Terms, sessions_of
from htbot.domain.errors import ConfigurationError

BARS = walk(first=date(2024, 6, 28))


def test_days_are_sessions_of_the_market_between_the_given_ones() -> None:
    market = world(BARS)
    every = [session.day for session in CALENDAR.all() if session.day <= DAY]
    assert [session.day for session in Terms(market).sessions()] == [DAY], "the market begins on the day"
    between = sessions_of(market, date(2024, 6, 28), DAY)
    assert [session.day for session in between] == every[-4:]


def test_days_that_are_not_there_and_a_market_without_an_end_are_refused() -> None:
    market: Any = world(BARS)
    with pytest.raises(ConfigurationError, match="no sessions from 2024-08-01 to None"):
        replace(in_step(market), first=date(2024, 8, 1), last=None).sessions()

    class Endless:
        start, end, sessions = market.start, None, market.sessions

    endless: Any = Endless()
    assert [session.day for session in sessions_of(endless, DAY, DAY)] == [DAY]
    with pytest.raises(ConfigurationError, match="does not end: give the last day"):
        sessions_of(endless, DAY, None)


def test_a_desk_that_compares_its_books_first_enters_later() -> None:
    terms = in_step(world(BARS))
    opens = terms.sessions()[0].opens
    assert terms.enabled(opens)
    waits = replace(terms, enabled_after=opens)
    assert (waits.enabled(opens), waits.enabled(opens + timedelta(seconds=30))) == (False, True)
    with pytest.raises(ConfigurationError, match=r"latency -1 s is below 0"):
        replace(terms, latency_s=-1.0)
