"""The sessions of a calendar, indexed for look-ups in epoch seconds."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from itertools import accumulate

from htbot.domain.sessions import NEW_YORK, Session, SessionTable
from htbot.pricing.realised import SESSIONS_PER_YEAR

SESSION_S = 390 * 60
YEAR_S = SESSIONS_PER_YEAR * SESSION_S


def epoch_s(instant: datetime) -> int:
    """Whole seconds since the epoch."""
    return int(instant.timestamp())


def instant(at_s: int) -> datetime:
    """Aware UTC datetime of epoch seconds."""
    return datetime.fromtimestamp(at_s, UTC)


def new_york_day(moment: datetime | date) -> date:
    """The New York date of a moment."""
    return moment.astimezone(NEW_YORK).date() if isinstance(moment, datetime) else moment


def date_or_instant(moment: datetime | date) -> datetime | date:
    """New York's midnight is how settings write a date without a time: it becomes that date again."""
    if isinstance(moment, datetime) and moment.astimezone(NEW_YORK).time() == time():
        return new_york_day(moment)
    return moment


class Span(StrEnum):
    """Hours in which a symbol has a path: the regular session, 04:00 to 20:00, or from 18:00 of the evening before."""

    REGULAR = "regular"
    EXTENDED = "extended"
    ROUND_THE_CLOCK = "round the clock"


_HOURS = {Span.EXTENDED: (0, 4, 20), Span.ROUND_THE_CLOCK: (1, 18, 17)}
"""Days before, hour of the beginning, hour of the end (New York)."""


def _new_york(day: date, hour: int) -> datetime:
    return datetime.combine(day, time(hour), tzinfo=NEW_YORK).astimezone(UTC)


class Timeline:
    """A session table with positions, and trading time as the clock of options."""

    def __init__(self, table: SessionTable) -> None:
        self.sessions: list[Session] = table.all()
        self.opens_s = [epoch_s(session.opens) for session in self.sessions]
        self.closes_s = [epoch_s(session.closes) for session in self.sessions]
        self._days = [session.day for session in self.sessions]
        self._by_day = {session.day: session for session in self.sessions}
        spans = (closes - opens for opens, closes in zip(self.opens_s, self.closes_s, strict=True))
        self._traded_s = [0, *accumulate(spans)]

    def stretched(self, span: Span) -> Timeline:
        """The same days with longer hours."""
        if span is Span.REGULAR:
            return self
        before, opens, closes = _HOURS[span]
        days = ((session, session.day - timedelta(days=before)) for session in self.sessions)
        return Timeline(
            SessionTable(
                Session(session.day, _new_york(first, opens), _new_york(session.day, closes), session.early_close)
                for session, first in days
            )
        )

    def on(self, day: date) -> Session | None:
        """The session of a day."""
        return self._by_day.get(day)

    def is_beyond(self, day: date) -> bool:
        """True after the last session of the calendar."""
        return not self._days or day > self._days[-1]

    def position(self, day: date) -> int:
        """Index of the first session on or after a day."""
        return bisect_left(self._days, day)

    def running(self, at_s: int) -> int:
        """Index of the last session that has opened at an instant; -1 before the first."""
        return bisect_right(self.opens_s, at_s) - 1

    def ahead(self, day: date, count: int) -> list[Session]:
        """The next `count` sessions, that of `day` included."""
        first = self.position(day)
        return self.sessions[first : first + count]

    def last_on(self, day: date) -> date | None:
        """The day of the last session on or before a day; None before the calendar."""
        index = bisect_right(self._days, day) - 1
        return self._days[index] if index >= 0 else None

    def expires_s(self, expiry: date, *, at_open: bool = False) -> int:
        """When an option stops: the close of its last session (or its opening, for AM settlement)."""
        index = bisect_right(self._days, expiry) - 1
        if index >= 0 and (self._days[index] == expiry or index + 1 < len(self._days)):
            return self.opens_s[index] if at_open else self.closes_s[index]
        hour = time(9, 30) if at_open else time(16)
        return epoch_s(datetime.combine(expiry, hour, tzinfo=NEW_YORK))

    def traded_s(self, at_s: int) -> float:
        """Seconds of regular sessions from the start of the calendar; past its end 252/365 sessions a day."""
        index = self.running(at_s)
        if index < 0:
            return 0.0
        inside = min(at_s, self.closes_s[index]) - self.opens_s[index]
        beyond = max(at_s - self.closes_s[-1], 0) if index == len(self.sessions) - 1 else 0
        return self._traded_s[index] + inside + beyond / 86_400 * SESSION_S * SESSIONS_PER_YEAR / 365

    def trading_years(self, at_s: int, until_s: int) -> float:
        """Time to expiry in years of 252 sessions of 390 minutes; nights do not count."""
        return max(self.traded_s(until_s) - self.traded_s(at_s), 0.0) / YEAR_S
