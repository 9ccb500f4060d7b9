"""How soon an order that was refused, or has ended, is asked for again: soon, but never as fast as quotes come.

One rule for the desk's closes, for what stands at the broker, and for their backtests.
"""

from __future__ import annotations

from datetime import datetime, timedelta

LONGEST_PAUSE_S = 30
"""1 s of market time after the first try, then twice as long each time, at most a cycle of 30 s."""


def may_repeat(tries: int, last: datetime | None, now: datetime) -> bool:
    """Whether a try is due after so many, the latest at `last`; None: there was none."""
    pause_s = min(2 ** max(tries - 1, 0), LONGEST_PAUSE_S)
    return last is None or now - last >= timedelta(seconds=pause_s)
