"""The modelled market around a price, and sizes.

A stock, whose path lies between the ticks, is quoted at the nearest ticks at least half a tick away on either side;
what is priced on its grid has its last price for a bid and the next tick for an ask; a coin is four ticks wide on
either side.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from math import floor

from htbot.domain.instruments import SecType

_SLACK = 1e-7  # a price on a half tick in decimals is not always one in binary
_MARGINS = {SecType.FUTURE: 0.0, SecType.CONTINUOUS_FUTURE: 0.0, SecType.FOREX: 0.0, SecType.CRYPTO: 4.0}
_MARGIN = 0.5


@dataclass(frozen=True, slots=True)
class Touch:
    """Bid and ask on a grid of `per_unit` ticks in one unit of the price, `margin` ticks away at least."""

    per_unit: float
    digits: int
    margin: float = _MARGIN

    def below(self, price: float) -> float:
        """The bid."""
        return round(floor(price * self.per_unit - self.margin + _SLACK) / self.per_unit, self.digits)

    def above(self, price: float) -> float:
        """The ask; a tick above the bid at least."""
        if self.margin == 0.0:
            return round(floor(price * self.per_unit + 1.0 + _SLACK) / self.per_unit, self.digits)
        return round(-floor(-price * self.per_unit - self.margin + _SLACK) / self.per_unit, self.digits)


def digits_of(tick: Decimal) -> int:
    """Decimal digits of prices on a grid."""
    exponent = tick.as_tuple().exponent
    return max(-exponent, 0) if isinstance(exponent, int) else 0


@lru_cache(maxsize=64)
def touch_of(kind: SecType, tick: Decimal) -> Touch:
    """The touch of a kind of contract on a grid."""
    return Touch(float(1 / tick), digits_of(tick), _MARGINS.get(kind, _MARGIN))


def size_of(con_id: int, moment: int, top: int) -> float:
    """A size of 1 to `top`, the same for the same contract and moment (any whole number that names it)."""
    return float(1 + (con_id * 2_654_435_761 + moment * 40_503 >> 9) % top)
