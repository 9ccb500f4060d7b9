"""Trading sessions: a table made from an exchange calendar, read by everybody else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")
OPEN_MINUTE = 9 * 60 + 30
"""The open of every session, in minutes since midnight New York."""
SESSION_MINUTES = 390
"""Length of a full session; half days are shorter."""


@dataclass(frozen=True, slots=True)
class Session:
    """One regular session; `opens` and `closes` are aware UTC."""

    day: date
    opens: datetime
    closes: datetime
    early_close: bool = False

    def contains(self, instant: datetime) -> bool:
        """True from the opening instant up to, not including, the closing one."""
        return self.opens <= instant < self.closes

    def at(self, hour: int, minute: int) -> datetime:
        """The New York wall-clock time of this day as aware UTC."""
        return datetime(self.day.year, self.day.month, self.day.day, hour, minute, tzinfo=NEW_YORK).astimezone(UTC)


class SessionTable:
    """Sessions in order of day, with look-up by day and by instant."""

    def __init__(self, sessions: Iterable[Session]) -> None:
        self._sessions = sorted(sessions, key=lambda session: session.day)
        self._by_day = {session.day: session for session in self._sessions}

    def __len__(self) -> int:
        return len(self._sessions)

    def all(self) -> list[Session]:
        """Every session, oldest first."""
        return list(self._sessions)

    def on(self, day: date) -> Session | None:
        """The session of a New York calendar day, or None when the exchange is closed on it."""
        return self._by_day.get(day)

    def at(self, instant: datetime) -> Session | None:
        """The session whose day (New York) the instant falls on, open or not."""
        return self.on(instant.astimezone(NEW_YORK).date())

    def next_after(self, day: date) -> Session | None:
        """The first session strictly after a day."""
        return next((session for session in self._sessions if session.day > day), None)

    def before(self, day: date, count: int) -> list[Session]:
        """Up to `count` sessions strictly before a day, oldest first."""
        earlier = [session for session in self._sessions if session.day < day]
        return earlier[-count:] if count else []


def floor_to(instant: datetime, seconds: int) -> datetime:
    """The instant rounded down to a whole multiple of `seconds` since the epoch (UTC)."""
    epoch_s = int(instant.timestamp())
    return datetime.fromtimestamp(epoch_s - epoch_s % seconds, UTC)


def add_seconds(instant: datetime, seconds: float) -> datetime:
    """The instant moved by `seconds`."""
    return instant + timedelta(seconds=seconds)
