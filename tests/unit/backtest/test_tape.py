"""Bars of regular hours as records: what is left out, where a bar lies in its session, half days, holes, whole days."""

from __future__ import annotations

from array import array
from datetime import UTC, date, datetime

import pytest

from htbot.backtest.tape import make_tape
from htbot.domain.errors import ConfigurationError
from htbot.domain.recorded import BarColumns
from htbot.domain.sessions import Session, SessionTable


def at(day: int, hour: int, minute: int) -> datetime:
    return datetime(2024, 7, day, hour, minute, tzinfo=UTC)


TABLE = SessionTable(
    [
        Session(date(2024, 7, 2), at(2, 13, 30), at(2, 20, 0)),
        Session(date(2024, 7, 3), at(3, 13, 30), at(3, 17, 0), early_close=True),
        Session(date(2024, 7, 5), at(5, 13, 30), at(5, 20, 0)),
    ]
)


def columns(starts: list[datetime], seconds: int = 300) -> BarColumns:
    count = len(starts)
    prices = array("d", [100.0 + number for number in range(count)])
    return BarColumns(
        seconds=seconds,
        start_s=array("q", [int(start.timestamp()) for start in starts]),
        open=prices,
        high=prices,
        low=prices,
        close=prices,
        volume=array("d", [1.0] * count),
        file="bars.csv",
    )


def test_bars_outside_of_regular_hours_are_left_out() -> None:
    starts = [at(2, 13, 25), at(2, 13, 30), at(2, 19, 55), at(2, 20, 0), at(4, 15, 0), at(5, 13, 30)]
    tape = make_tape("SPY", columns(starts), TABLE)
    assert tape.bars["start_s"].tolist() == [int(starts[number].timestamp()) for number in (1, 2, 5)]
    assert tape.bars["minute"].tolist() == [570, 955, 570]
    assert tape.bars["end_minute"].tolist() == [575, 960, 575]
    assert tape.bars["close"].tolist() == [101.0, 102.0, 105.0]
    assert tape.bars["ends_session"].tolist() == [False, True, True]
    assert tape.bars["session"].tolist() == [date(2024, 7, day).toordinal() for day in (2, 2, 5)]


def test_a_half_day_closes_early_and_a_long_last_bar_ends_with_it() -> None:
    tape = make_tape("SPY", columns([at(3, 13, 30), at(3, 16, 30)], 3600), TABLE)
    assert tape.bars["close_minute"].tolist() == [780, 780]
    assert tape.bars["end_minute"].tolist() == [630, 780]


@pytest.mark.parametrize("start", [(13, 30), (0, 0), (4, 0)])
def test_bars_of_whole_sessions_are_found_by_their_day(start: tuple[int, int]) -> None:
    starts = [at(2, *start), at(3, *start), at(4, *start), at(5, *start)]
    tape = make_tape("SPY", columns(starts, 86_400), TABLE)
    assert tape.bars["session"].tolist() == [date(2024, 7, day).toordinal() for day in (2, 3, 5)]
    assert tape.bars["minute"].tolist() == [570] * 3
    assert tape.bars["end_minute"].tolist() == [960, 780, 960]
    assert tape.bars["start_s"].tolist() == [int(at(day, 13, 30).timestamp()) for day in (2, 3, 5)]


def test_a_part_of_the_sessions() -> None:
    tape = make_tape("SPY", columns([at(2, 13, 30), at(3, 13, 30), at(5, 13, 30)]), TABLE)
    assert len(tape.between(date(2024, 7, 3), None)) == 2
    assert len(tape.between(None, date(2024, 7, 4))) == 2
    assert len(tape.between(date(2024, 7, 3), date(2024, 7, 3))) == 1


def test_what_no_backtest_can_use_is_named() -> None:
    with pytest.raises(ConfigurationError, match="no bar of SPY lies within regular hours"):
        make_tape("SPY", columns([at(4, 15, 0)]), TABLE)
    with pytest.raises(ConfigurationError, match="bars of 5 s; a backtest takes whole minutes, or 1d"):
        make_tape("SPY", columns([at(2, 15, 0)], 5), TABLE)


def test_longer_bars_are_made_on_a_grid_that_begins_at_the_open() -> None:
    starts = [at(2, 13, 30), at(2, 13, 40), at(2, 13, 45), at(2, 13, 55), at(3, 16, 50), at(3, 16, 55)]
    tape = make_tape("SPY", columns(starts), TABLE).of_length(15)
    assert tape.seconds == 900
    assert tape.bars["minute"].tolist() == [570, 585, 765]
    assert tape.bars["end_minute"].tolist() == [585, 600, 780]
    assert tape.bars["start_s"].tolist() == [
        int(at(*when).timestamp()) for when in ((2, 13, 30), (2, 13, 45), (3, 16, 45))
    ]
    assert tape.bars["open"].tolist() == [100.0, 102.0, 104.0]
    assert tape.bars["close"].tolist() == [101.0, 103.0, 105.0]
    assert tape.bars["high"].tolist() == [101.0, 103.0, 105.0]
    assert tape.bars["low"].tolist() == [100.0, 102.0, 104.0]
    assert tape.bars["volume"].tolist() == [2.0, 2.0, 2.0]
    assert tape.bars["ends_session"].tolist() == [False, True, True]


def test_whole_sessions_are_made_of_any_bars() -> None:
    tape = make_tape("SPY", columns([at(2, 13, 30), at(2, 19, 55), at(3, 13, 30)]), TABLE).of_length(1440)
    assert tape.seconds == 86_400
    assert tape.bars["minute"].tolist() == [570, 570]
    assert tape.bars["end_minute"].tolist() == [960, 780]
    assert tape.bars["close"].tolist() == [101.0, 102.0]


def test_bars_that_are_too_long_or_do_not_fit_are_refused() -> None:
    tape = make_tape("SPY", columns([at(2, 13, 30)]), TABLE)
    assert tape.of_length(5) is tape
    with pytest.raises(ConfigurationError, match="bars of 1 minutes cannot be made of bars of 5 minutes"):
        tape.of_length(1)
    with pytest.raises(ConfigurationError, match="bars of 7 minutes cannot be made of bars of 5 minutes"):
        tape.of_length(7)


def test_bars_that_lie_across_the_grid_are_not_joined() -> None:
    hours = make_tape("SPY", columns([at(2, 14, 0), at(2, 15, 0)], 3600), TABLE)
    with pytest.raises(ConfigurationError, match="bars of SPY do not lie on a grid that begins at 09:30 New York"):
        hours.of_length(120)
