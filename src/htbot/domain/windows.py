"""When a strategy may enter, must leave and has to be flat: New York clock times, and the instants of one session."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time


@dataclass(frozen=True, slots=True)
class TradingHours:
    """New York clock times of a full day, as configured."""

    entry_start: time
    entry_end: time
    exit_time: time
    flat_deadline: time


@dataclass(frozen=True, slots=True)
class TradingWindow:
    """The same for one session, aware UTC: entries in [entry_from, entry_until), exits from `exit_at` on."""

    entry_from: datetime
    entry_until: datetime
    exit_at: datetime
    flat_deadline: datetime

    def admits_entry(self, instant: datetime) -> bool:
        """True from the first instant of the entry window up to, not including, its end (RULINGS 19)."""
        return self.entry_from <= instant < self.entry_until
