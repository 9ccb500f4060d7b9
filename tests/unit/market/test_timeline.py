from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from htbot.domain.sessions import SessionTable
from htbot.market.timeline import Timeline, epoch_s


@pytest.fixture
def timeline(calendar: SessionTable) -> Timeline:
    return Timeline(calendar)


def at(day: int, hour: int, minute: int = 0) -> int:
    """Epoch seconds of a New York summer time in July 2024."""
    return epoch_s(datetime(2024, 7, day, hour + 4, minute, tzinfo=UTC))


def test_trading_time_counts_sessions_only(timeline: Timeline) -> None:
    full = 390 * 60
    assert timeline.trading_years(at(1, 9, 30), at(1, 16)) == pytest.approx(1 / 252)
    assert timeline.trading_years(at(1, 12), at(2, 12)) == pytest.approx(1 / 252)
    assert timeline.trading_years(at(1, 16), at(2, 9, 30)) == 0.0
    # 3 July closes at 13:00, 4 July is a holiday
    assert timeline.trading_years(at(3, 12), at(5, 10)) == pytest.approx(90 * 60 / full / 252)
    assert timeline.trading_years(at(5, 10), at(3, 12)) == 0.0


def test_past_the_calendar_time_goes_on_at_252_sessions_a_year(timeline: Timeline) -> None:
    last = timeline.closes_s[-1]
    assert timeline.trading_years(last, last + 365 * 86_400) == pytest.approx(1.0)


def test_expiry_is_the_close_of_the_last_session(timeline: Timeline) -> None:
    assert timeline.expires_s(date(2024, 7, 3)) == at(3, 13)
    assert timeline.expires_s(date(2024, 7, 4)) == at(3, 13)
    assert timeline.expires_s(date(2024, 7, 19), at_open=True) == at(19, 9, 30)
    assert timeline.expires_s(date(2026, 1, 16)) == epoch_s(datetime(2026, 1, 16, 21, tzinfo=UTC))


def test_positions(timeline: Timeline) -> None:
    july_3 = timeline.position(date(2024, 7, 3))
    assert timeline.position(date(2024, 7, 4)) == july_3 + 1
    assert timeline.running(at(3, 9, 29)) == july_3 - 1
    assert timeline.running(at(4, 12)) == july_3
    assert timeline.last_on(date(2024, 7, 7)) == date(2024, 7, 5)
    assert timeline.last_on(date(2023, 7, 7)) is None
    assert [session.day.day for session in timeline.ahead(date(2024, 7, 4), 2)] == [5, 8]
