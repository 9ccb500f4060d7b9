"""The smile: volatility as a function of normalised moneyness, and the price of an option on it.

    volatility(K) = level x f(x),   f(x) = 1 + slope x + bend (sqrt(x^2 + 1) - 1),   x = ln(K / F) / (level sqrt(T))

Free of crossed verticals and of negative butterflies for |slope| <= bend < 1: with w(x) = level sqrt(T) f(x) the
density of Breeden and Litzenberger has the sign of (1 - x f'/f)^2 + f f'' - (w f')^2 / 4 (Gatheral, "The Volatility
Surface", 2006, in these variables); f > 0 and f'' > 0, and the last term is smaller at every deviation that an option
market shows. Tests check it on prices.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import erfc, log, sqrt

from htbot.domain.instruments import Right

_SQRT_HALF = sqrt(0.5)


@dataclass(frozen=True, slots=True)
class SmileShape:
    """Skew (`slope` per unit of normalised moneyness at the money) and curvature (`bend`)."""

    slope: float
    bend: float

    def factor(self, x: float) -> float:
        """Volatility over the level at normalised moneyness `x`."""
        return 1.0 + self.slope * x + self.bend * (sqrt(x * x + 1.0) - 1.0)


INDEX_SHAPE = SmileShape(slope=-0.05, bend=0.06)
"""The stated skew of modelled quotes (RULINGS 24): a deviation down 1.07 of the level, one up 0.97, three down 1.28."""


@dataclass(frozen=True, slots=True)
class SmileSlice:
    """One expiry at one instant: forward, discount, years left, level of volatility and shape."""

    forward: float
    discount: float
    years: float
    level: float
    shape: SmileShape = INDEX_SHAPE

    @property
    def scale(self) -> float:
        """Standard deviation of the logarithm at the level; 0 at expiry."""
        return self.level * sqrt(self.years) if self.years > 0.0 else 0.0

    def volatility(self, strike: float) -> float:
        """Volatility at a strike, per year."""
        scale = self.scale
        return self.level * self.shape.factor(log(strike / self.forward) / scale) if scale > 0.0 else self.level

    def price(self, right: Right, strike: float) -> float:
        """Value of an option; the same as black.price at this strike's volatility, in one pass."""
        scale = self.scale
        sign = 1.0 if right is Right.CALL else -1.0
        intrinsic = self.discount * sign * (self.forward - strike)
        if scale <= 0.0:
            return max(intrinsic, 0.0)
        x = log(strike / self.forward) / scale
        deviation = scale * (1.0 + self.shape.slope * x + self.shape.bend * (sqrt(x * x + 1.0) - 1.0))
        d1 = 0.5 * deviation - x * scale / deviation
        value = erfc(-sign * _SQRT_HALF * d1) * self.forward - erfc(-sign * _SQRT_HALF * (d1 - deviation)) * strike
        return max(0.5 * self.discount * sign * value, intrinsic, 0.0)
