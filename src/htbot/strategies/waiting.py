"""Why a strategy on options does not enter now, whatever its rules are: its hours, and what it has already."""

from __future__ import annotations

from datetime import datetime

from htbot.domain.sessions import NEW_YORK
from htbot.strategies.base import Look


def outside_hours(look: Look) -> str | None:
    """The entry window that the look is outside of, None inside."""
    window = look.window
    if window.admits_entry(look.as_of):
        return None
    side = "before" if look.as_of < window.entry_from else "past"
    return f"{clock(look.as_of)} is {side} the entry window {clock(window.entry_from)} to {clock(window.entry_until)}"


def not_flat(look: Look) -> str | None:
    """That a position is held or asked for, None when not."""
    return None if look.standing.flat else "a trade is open or an entry is working"


def clock(instant: datetime) -> str:
    """`10:05:30`, New York."""
    return f"{instant.astimezone(NEW_YORK):%H:%M:%S}"
