"""Recorded bars one by one, as strategies on plain instruments are shown them, and which bar must follow which."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from htbot.domain.bars import TapeBar
from htbot.domain.sessions import Session

BAR_MINUTES = (1, 2, 3, 5, 10, 15, 30)
"""Lengths of bars that begin at the open of a session and that IB streams."""


class ClosedBar(NamedTuple):
    """A recorded bar as numbers; times in seconds since the epoch, `known_s` from when on decisions may read it."""

    start_s: int
    known_s: float
    open: float
    high: float
    low: float
    close: float
    volume: float


@dataclass(frozen=True, slots=True)
class _Day:
    opens_s: int
    closes_s: int
    midnight_s: int
    ordinal: int


class TapeCalendar:
    """Places of bars in the sessions of a calendar: what `backtest.tape` does for a whole file, one bar at a time."""

    def __init__(self, sessions: Iterable[Session]) -> None:
        ordered = sorted(sessions, key=lambda session: session.day)
        self._days = [
            _Day(
                int(one.opens.timestamp()),
                int(one.closes.timestamp()),
                int(one.at(0, 0).timestamp()),
                one.day.toordinal(),
            )
            for one in ordered
        ]
        self._opens_s = [day.opens_s for day in self._days]
        self._last = 0

    def tape_bar(self, bar: ClosedBar, minutes: int) -> TapeBar | None:
        """The bar with its place; None outside of regular hours. The last one of a session is known by its end."""
        place = self._place(bar.start_s)
        if place is None:
            return None
        day = self._days[place]
        minute = (bar.start_s - day.midnight_s) // 60
        close_minute = (day.closes_s - day.midnight_s) // 60
        end_minute = min(minute + minutes, close_minute)
        return TapeBar(
            bar.start_s,
            day.ordinal,
            minute,
            end_minute,
            close_minute,
            end_minute >= close_minute,
            bar.open,
            bar.high,
            bar.low,
            bar.close,
            bar.volume,
        )

    def next_start_s(self, start_s: int, minutes: int) -> int | None:
        """The start of the bar after the one that starts at `start_s`; None when the calendar ends there."""
        place = self._place(start_s)
        if place is None:
            return None
        following = start_s + 60 * minutes
        if following < self._days[place].closes_s:
            return following
        return self._opens_s[place + 1] if place + 1 < len(self._days) else None

    def starts_between(self, start_s: int, until_s: int, minutes: int) -> list[int]:
        """Starts of the bars that belong between two bars, both excluded."""
        missing = []
        at_s = self.next_start_s(start_s, minutes)
        while at_s is not None and at_s < until_s:
            missing.append(at_s)
            at_s = self.next_start_s(at_s, minutes)
        return missing

    def _place(self, start_s: int) -> int | None:
        days, last = self._days, self._last
        if last < len(days) and days[last].opens_s <= start_s < days[last].closes_s:
            return last
        place = bisect_right(self._opens_s, start_s) - 1
        if place < 0 or start_s >= days[place].closes_s:
            return None
        self._last = place
        return place
