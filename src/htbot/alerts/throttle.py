"""How often a person is told the same kind of thing: at most once in 15 minutes (spec 01 section 9)."""

from __future__ import annotations

from datetime import datetime, timedelta

QUIET = timedelta(minutes=15)

# Types that are told every time: each one is about money that moved.
ALWAYS_TOLD = frozenset({"trade_entry", "trade_exit", "trade_part"})


def may_tell(kind: str, as_of: datetime, last_told: datetime | None, quiet: timedelta = QUIET) -> bool:
    """True when an alert of this type may go out.

    Args:
        kind: the alert's type.
        as_of: market time of the alert.
        last_told: market time of the last alert of this type, and of its trade, that went out, None without one.
        quiet: shortest distance between two alerts of a type.
    """
    return kind in ALWAYS_TOLD or last_told is None or as_of - last_told >= quiet
