from __future__ import annotations

from datetime import time

import pytest
from tests.support.breakout_world import session_on

from htbot.domain.windows import TradingHours
from htbot.marketdata.sessions import trading_window

HOURS = TradingHours(time(10), time(15), time(15), time(15, 45))


def test_a_full_day_has_the_configured_hours() -> None:
    session = session_on(2022, 8, 26, opens=(13, 30))
    window = trading_window(session, HOURS)
    assert (window.entry_from, window.entry_until) == (session.at(10, 0), session.at(15, 0))
    assert (window.exit_at, window.flat_deadline) == (session.at(15, 0), session.at(15, 45))


@pytest.mark.ruling(19)
def test_the_window_begins_with_its_first_instant_and_ends_before_its_last() -> None:
    session = session_on(2022, 8, 26, opens=(13, 30))
    window = trading_window(session, HOURS)
    assert window.admits_entry(session.at(10, 0))
    assert not window.admits_entry(session.at(15, 0))


@pytest.mark.fault(33)
def test_winter_and_summer_are_new_yorks() -> None:
    assert trading_window(session_on(2022, 1, 5), HOURS).entry_from.hour == 15
    assert trading_window(session_on(2022, 7, 5, opens=(13, 30)), HOURS).entry_from.hour == 14


@pytest.mark.fault(33)
@pytest.mark.ruling(19)
def test_half_days_end_an_hour_and_a_quarter_of_an_hour_before_the_close() -> None:
    """RULINGS 11, 19."""
    session = session_on(2022, 11, 25, minutes=210)
    window = trading_window(session, HOURS)
    assert (window.entry_until, window.exit_at) == (session.at(12, 0), session.at(12, 0))
    assert window.flat_deadline == session.at(12, 45)


def test_there_is_no_entry_from_the_exit_time_on() -> None:
    session = session_on(2022, 8, 26, opens=(13, 30))
    window = trading_window(session, TradingHours(time(10), time(15), time(14), time(15, 45)))
    assert window.entry_until == session.at(14, 0)
    late = trading_window(session, TradingHours(time(10), time(15, 15), time(15, 30), time(15, 45)))
    assert (late.entry_until, late.exit_at) == (session.at(15, 15), session.at(15, 30))
