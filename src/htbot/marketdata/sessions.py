"""The trading window of one session."""

from __future__ import annotations

from datetime import time, timedelta

from htbot.domain.sessions import Session
from htbot.domain.windows import TradingHours, TradingWindow

REGULAR_CLOSE = (16, 0)
LAST_ENTRY_BEFORE_EARLY_CLOSE = timedelta(minutes=60)
FLAT_BEFORE_EARLY_CLOSE = timedelta(minutes=15)
LATEST_PLAIN_EXIT = time(15, 45)
"""What is traded in a stock or fund has left by then, New York time (RULINGS 11)."""


def trading_window(session: Session, hours: TradingHours) -> TradingWindow:
    """The clock times as instants of this session.

    On half days entries end and exits begin at the latest 60 minutes before the close, and the hard deadline is 15
    minutes before it (RULINGS 11, 19). There is no entry from the exit time on.
    """
    entry_until = session.at(hours.entry_end.hour, hours.entry_end.minute)
    exit_at = session.at(hours.exit_time.hour, hours.exit_time.minute)
    deadline = session.at(hours.flat_deadline.hour, hours.flat_deadline.minute)
    if session.early_close or session.closes < session.at(*REGULAR_CLOSE):
        last_entry = session.closes - LAST_ENTRY_BEFORE_EARLY_CLOSE
        entry_until, exit_at = min(entry_until, last_entry), min(exit_at, last_entry)
        deadline = min(deadline, session.closes - FLAT_BEFORE_EARLY_CLOSE)
    return TradingWindow(
        entry_from=session.at(hours.entry_start.hour, hours.entry_start.minute),
        entry_until=min(entry_until, exit_at),
        exit_at=exit_at,
        flat_deadline=deadline,
    )
