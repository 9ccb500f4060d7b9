"""The modelled market around a price: the nearest ticks at least half a tick away on either side, and their sizes."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from math import floor

_SLACK = 1e-7  # a price on a half tick in decimals is not always one in binary


@dataclass(frozen=True, slots=True)
class Touch:
    """Bid and ask around a price on a grid of `per_unit` ticks in one unit of the price."""

    per_unit: float
    digits: int

    def below(self, price: float) -> float:
        """The bid."""
        return round(floor(price * self.per_unit - 0.5 + _SLACK) / self.per_unit, self.digits)

    def above(self, price: float) -> float:
        """The ask."""
        return round(-floor(-price * self.per_unit - 0.5 + _SLACK) / self.per_unit, self.digits)


@lru_cache(maxsize=64)
def touch_of(tick: Decimal) -> Touch:
    """The touch on a grid of a tick."""
    exponent = tick.as_tuple().exponent
    return Touch(float(1 / tick), max(-exponent, 0) if isinstance(exponent, int) else 0)


def size_of(con_id: int, moment: int, top: int) -> float:
    """A size of 1 to `top`, the same for the same contract and moment (any whole number that names it)."""
    return float(1 + (con_id * 2_654_435_761 + moment * 40_503 >> 9) % top)
