"""Price bars."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from htbot.domain.sessions import Session


@dataclass(frozen=True, slots=True)
class Bar:
    """One OHLCV bar; `start` is aware UTC, prices in dollars or index points (float64)."""

    symbol: str
    start: datetime
    minutes: int
    open: float
    high: float
    low: float
    close: float
    volume: float = 0.0

    @property
    def end(self) -> datetime:
        """The instant from which the bar is closed and usable."""
        return self.start + timedelta(minutes=self.minutes)


class TapeBar(NamedTuple):
    """A closed bar of regular hours as strategies on plain instruments are shown it, all numbers.

    `start_s` is the bar's start in seconds since the epoch, `session` the New York day's ordinal (`date.toordinal`),
    `minute` and `end_minute` its start and end in minutes since midnight New York, `close_minute` the session's close.
    `ends_session` marks the last bar that the data have of its session: for the engine, which leaves then; a strategy
    cannot know it.
    """

    start_s: int
    session: int
    minute: int
    end_minute: int
    close_minute: int
    ends_session: bool
    open: float
    high: float
    low: float
    close: float
    volume: float


def tick_bar(at_s: int, session: Session, price: float, size: float = 0.0) -> TapeBar:
    """A trade of a session as a bar without length, for a strategy that reads closes only; `at_s` as `start_s`."""
    midnight_s = int(session.at(0, 0).timestamp())
    minute = (at_s - midnight_s) // 60
    closes = (int(session.closes.timestamp()) - midnight_s) // 60
    return TapeBar(at_s, session.day.toordinal(), minute, minute, closes, False, price, price, price, price, size)
