"""Volatility that prices have shown."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import log, sqrt
from statistics import stdev

SESSIONS_PER_YEAR = 252


def close_to_close(closes: Sequence[float]) -> float | None:
    """Standard deviation (sample) of the log changes of session closes, per 252 sessions; None below two changes."""
    if len(closes) < 3:
        return None
    changes = [log(later / earlier) for earlier, later in pairwise(closes)]
    return stdev(changes) * sqrt(SESSIONS_PER_YEAR)


def modelled_level(closes: Sequence[float], *, sessions: int = 20, premium: float = 1.1, floor: float = 0.12) -> float:
    """Volatility of modelled quotes (RULINGS 24): the last 20 close-to-close changes x 1.1, at least 12 %.

    With fewer sessions what there is counts, with fewer than two changes the floor.
    """
    shown = close_to_close(closes[-(sessions + 1) :])
    return floor if shown is None else max(premium * shown, floor)
