"""A data file of five-minute SPY bars on which exactly one thing happens: a breakout at 10:00, then nothing.

The trade that it makes stays open until its exit time, so that there is time to break things under it.
"""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path

from htbot.domain.sessions import Session

BASE = 400.0
BREAK = 0.8
BAR = timedelta(minutes=5)


def write_quiet_day(path: Path, sessions: list[Session]) -> Path:
    """Write the bars of all sessions; the last one is the day of the breakout."""
    with path.open("w", newline="", encoding="utf-8") as lines:
        writer = csv.writer(lines)
        writer.writerow(("ts", "symbol", "open", "high", "low", "close", "volume"))
        for session in sessions:
            start, number = session.opens, 0
            while start < session.closes:
                broken = session is sessions[-1] and number >= 6
                writer.writerow((start.astimezone(UTC).isoformat(), "SPY", *_bar(number, broken=broken), 1000))
                start, number = start + BAR, number + 1
    return path


def _bar(number: int, *, broken: bool) -> tuple[float, float, float, float]:
    """Up 6 cents, down 4: the RSI stands at 60, the range at 20 cents around the base."""
    level = BASE + (BREAK if broken else 0.0)
    opened = level + (0.02 if number % 2 else 0.0)
    closed = level + (0.0 if number % 2 else 0.03)
    return opened, max(opened, closed) + 0.05, min(opened, closed) - 0.05, closed


def at_new_york(session: Session, hour: int, minute: int) -> datetime:
    """An instant of the session, aware UTC."""
    return session.at(hour, minute)
