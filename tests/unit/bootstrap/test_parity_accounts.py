"""An account for each strategy of a day: what the backtest is asked for each of them."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest
from tests.support.spread_day import CALENDAR, DAY, in_step, walk, world

from htbot.backtest.day_rows import DayRows
from htbot.bootstrap.day_record import DayRecord, SeatRecord
from htbot.bootstrap.demo import DemoResult
from htbot.bootstrap.parity import plain_request_of
from htbot.settings import load_settings

_FOUND = CALENDAR.on(DAY)
assert _FOUND is not None
SESSION = _FOUND


def seat(name: str, account: str) -> SeatRecord:
    since = SESSION.opens - timedelta(minutes=5)
    return SeatRecord(name, "ma_crossover", account, "SPY", 5, {}, "c0ffee", since - timedelta(days=2), since)


def test_strategies_on_shares_are_asked_account_by_account() -> None:
    seats = (seat("a", "DU2"), seat("b", "DU3"), seat("c", "DU2"))
    settings = load_settings(Path("/nowhere"), {"HTBOT_ENV_FILE": os.devnull})
    record = DayRecord("DU1", None, DayRows([], [], [], [], [], []), seats)
    played, terms = DemoResult({}, "", record, settings, SESSION), in_step(world(walk(), symbol="SPY"))
    shared = plain_request_of(played, [seats[0], seats[2]], terms)
    assert ([one.name for one in shared.seats], shared.terms.account) == (["a", "c"], "DU2")
    assert {(one.first_bar, one.since) for one in shared.seats} == {(seats[0].first_bar, seats[0].since)}
    assert shared.terms.market is terms.market
    with pytest.raises(ValueError, match="too many values"):
        plain_request_of(played, seats, terms)
