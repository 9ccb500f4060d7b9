"""How many shares of a stock or fund the simulated broker lends: modelled, a number for each New York day."""

from __future__ import annotations

import zlib
from datetime import datetime

from htbot.domain.sessions import NEW_YORK

_LEAST, _MOST = 1_000_000, 9_000_000


def modelled(what: str, con_id: int, at: datetime, bounds: tuple[int, int]) -> int:
    """A number between two bounds that stays the same for a New York date."""
    low, high = bounds
    day = at.astimezone(NEW_YORK).date()
    return low + zlib.crc32(f"{what} {con_id} {day}".encode()) % (high - low)


def shares_to_borrow(con_id: int, at: datetime) -> int:
    """Shares that can be sold short."""
    return modelled("lendable", con_id, at, (_LEAST, _MOST))
