"""The smile: volatility as a function of normalised moneyness, and the price of an option on it.

    volatility(K) = level x f(x),   f(x)^2 = 1 + 2 slope x + 2 bend (sqrt(x^2 + 1) - 1)
    x = ln(K / F) / (level sqrt(T))

A hyperbola of total variance whose scale is tied to the level: a member of SVI (Gatheral, "The Volatility Surface",
2006), so the wings grow with the square root of moneyness and keep Lee's bound. With V = f^2 the density has the sign
of (1 - x V'/2V)^2 - V'^2 / 4V + V''/2 - level^2 T V'^2 / 16; it is positive, and with it there is no crossed vertical
and no negative butterfly, for wings 0 <= bend - slope and bend + slope <= 0.9. Tests check it on prices.
"""

from __future__ import annotations

from collections.abc import Sequence
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
        return sqrt(1.0 + 2.0 * (self.slope * x + self.bend * (sqrt(x * x + 1.0) - 1.0)))


INDEX_SHAPE = SmileShape(slope=-0.05, bend=0.06)
"""The stated skew of modelled quotes (RULINGS 24): a deviation down 1.07 of the level, one up 0.97, three down 1.25."""


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
        shape = self.shape
        deviation = scale * sqrt(1.0 + 2.0 * (shape.slope * x + shape.bend * (sqrt(x * x + 1.0) - 1.0)))
        d1 = 0.5 * deviation - x * scale / deviation
        value = erfc(-sign * _SQRT_HALF * d1) * self.forward - erfc(-sign * _SQRT_HALF * (d1 - deviation)) * strike
        return max(0.5 * self.discount * sign * value, intrinsic, 0.0)


@dataclass(frozen=True, slots=True)
class SmilePoint:
    """One observation: logarithm of strike over forward, total deviation (volatility x sqrt(years)), and its weight."""

    moneyness: float
    deviation: float
    weight: float


def fit_smile(points: Sequence[SmilePoint], guess: float) -> tuple[float, SmileShape]:
    """The total deviation at the money and the shape that fit observations best.

    With wings L = bend - slope and R = bend + slope the variance is linear in L and R for a given deviation at the
    money: least squares with 0 <= L, R <= 0.9, and a golden section search over the rest. Wings are held weakly
    to those of the stated skew, so that two strikes, or one, are enough.

    Args:
        points: at least one.
        guess: deviation at the money without observations; the answer lies within a factor of 4 of it.
    """
    total = sum(point.weight for point in points)
    scaled = [SmilePoint(p.moneyness, p.deviation / guess, p.weight / total) for p in points]
    scaled = [SmilePoint(p.moneyness / guess, p.deviation, p.weight) for p in scaled]
    low, high = 0.25, 4.0
    inner, outer = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_inner, at_outer = _wings(scaled, inner), _wings(scaled, outer)
    while high - low > 1e-7:
        if at_inner.error <= at_outer.error:
            high, outer, at_outer = outer, inner, at_inner
            inner = high - _GOLDEN * (high - low)
            at_inner = _wings(scaled, inner)
        else:
            low, inner, at_inner = inner, outer, at_outer
            outer = low + _GOLDEN * (high - low)
            at_outer = _wings(scaled, outer)
    best = _wings(scaled, 0.5 * (low + high))
    shape = SmileShape(slope=0.5 * (best.right - best.left), bend=0.5 * (best.right + best.left))
    return 0.5 * (low + high) * guess, shape


_GOLDEN = (sqrt(5.0) - 1.0) / 2.0
_HOLD = 1e-6
_STEEPEST = 0.9


@dataclass(frozen=True, slots=True)
class _Wings:
    left: float
    right: float
    error: float


def _wings(points: Sequence[SmilePoint], middle: float) -> _Wings:
    """Best wings for a deviation at the money: two unknowns, so the bounds are tried one by one."""
    prior_left, prior_right = INDEX_SHAPE.bend - INDEX_SHAPE.slope, INDEX_SHAPE.bend + INDEX_SHAPE.slope
    rows = []
    for point in points:
        root = sqrt(point.moneyness * point.moneyness + middle * middle) - middle
        left, right = middle * (root - point.moneyness), middle * (root + point.moneyness)
        missing = point.deviation * point.deviation - middle * middle
        rows.append((left, right, missing, point.weight / (4.0 * point.deviation * point.deviation)))
    ll = sum(w * g * g for g, _, _, w in rows) + _HOLD
    rr = sum(w * h * h for _, h, _, w in rows) + _HOLD
    lr = sum(w * g * h for g, h, _, w in rows)
    ly = sum(w * g * y for g, _, y, w in rows) + _HOLD * prior_left
    ry = sum(w * h * y for _, h, y, w in rows) + _HOLD * prior_right
    determinant = ll * rr - lr * lr
    candidates = [((ly * rr - ry * lr) / determinant, (ry * ll - ly * lr) / determinant)]
    candidates += [(left, _clip((ry - lr * left) / rr)) for left in (0.0, _STEEPEST)]
    candidates += [(_clip((ly - lr * right) / ll), right) for right in (0.0, _STEEPEST)]

    def error(left: float, right: float) -> float:
        missed = sum(w * (left * g + right * h - y) ** 2 for g, h, y, w in rows)
        return missed + _HOLD * ((left - prior_left) ** 2 + (right - prior_right) ** 2)

    allowed = [wings for wings in candidates if min(wings) >= 0.0 and max(wings) <= _STEEPEST]
    return min((_Wings(left, right, error(left, right)) for left, right in allowed), key=lambda wings: wings.error)


def _clip(value: float) -> float:
    return min(max(value, 0.0), _STEEPEST)
