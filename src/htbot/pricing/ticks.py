"""Prices on the tick grid of a market rule: pairs of lower edge and increment, as IB's marketRule gives them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from math import floor

PriceRule = tuple[tuple[Decimal, Decimal], ...]


@dataclass(frozen=True, slots=True)
class TickGrid:
    """A price rule in whole ticks per dollar: `bands` of (lower edge, ticks per dollar), lowest first."""

    bands: tuple[tuple[float, int], ...]

    def per_dollar(self, price: float) -> int:
        """Ticks per dollar at a price."""
        ticks = self.bands[0][1]
        for edge, finer in self.bands[1:]:
            if price < edge:
                break
            ticks = finer
        return ticks

    def nearest(self, price: float) -> float:
        """The tick nearest to a price at or above 0 (half goes up); it never falls as the price rises.

        Increments divide one dollar, so that the result is the double nearest to the decimal price: 0.15, never
        0.15000000000000002.
        """
        ticks = self.per_dollar(price)
        return floor(price * ticks + (0.5 + 1e-9)) / ticks

    def above(self, price: float) -> float:
        """The next tick above a price on the grid."""
        ticks = self.per_dollar(price)
        return floor(price * ticks + (1.0 + 1e-9)) / ticks


@lru_cache(maxsize=64)
def tick_grid(rule: PriceRule) -> TickGrid:
    """The grid of a price rule."""
    return TickGrid(tuple((float(edge), int(1 / increment)) for edge, increment in rule))
