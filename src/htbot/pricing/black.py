"""Black's model of options on a forward (F. Black, 1976, "The pricing of commodity contracts").

A call is worth D (F N(d1) - K N(d2)), a put D (K N(-d2) - F N(-d1)), d1,2 = ln(F/K) / s +- s/2, with s the standard
deviation of ln(F) until expiry (volatility x square root of time) and D the discount factor. European exercise.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import erfc, exp, inf, isfinite, log, pi, sqrt

from htbot.domain.instruments import Right

_SQRT_HALF = sqrt(0.5)
_DENSITY = 1.0 / sqrt(2.0 * pi)


def normal_cdf(x: float) -> float:
    """Standard normal distribution; by erfc, so that the lower tail keeps its relative precision."""
    return 0.5 * erfc(-x * _SQRT_HALF)


def normal_density(x: float) -> float:
    """Standard normal density."""
    return _DENSITY * exp(-0.5 * x * x)


def price(right: Right, forward: float, strike: float, deviation: float, discount: float = 1.0) -> float:
    """Value of one option per unit of the underlying.

    Args:
        right: call or put.
        forward: forward price for expiry, above 0.
        strike: above 0.
        deviation: volatility x sqrt(years); at or below 0 the value is the discounted intrinsic value.
        discount: value now of one dollar at settlement.
    """
    sign = 1.0 if right is Right.CALL else -1.0
    if deviation <= 0.0:
        return discount * max(sign * (forward - strike), 0.0)
    d1 = log(forward / strike) / deviation + 0.5 * deviation
    near = sign * _SQRT_HALF * d1
    far = sign * _SQRT_HALF * (d1 - deviation)
    value = 0.5 * discount * sign * (forward * erfc(-near) - strike * erfc(-far))
    return max(value, discount * sign * (forward - strike), 0.0)


@dataclass(frozen=True, slots=True)
class Sensitivities:
    """Derivatives of the value: delta and gamma in the forward, vega per unit of volatility, theta per year."""

    delta: float
    gamma: float
    vega: float
    theta: float


def sensitivities(
    right: Right, forward: float, strike: float, volatility: float, years: float, discount: float = 1.0
) -> Sensitivities:
    """Greeks with the forward held; a delta in spot is the same where forward and spot move one to one.

    Theta leaves the discount factor out: it is the decay of time value alone. At or after expiry delta is the slope of
    the intrinsic value and the rest 0.
    """
    sign = 1.0 if right is Right.CALL else -1.0
    deviation = volatility * sqrt(years) if years > 0.0 else 0.0
    if deviation <= 0.0:
        slope = sign * discount if sign * (forward - strike) > 0 else 0.0
        return Sensitivities(delta=slope, gamma=0.0, vega=0.0, theta=0.0)
    d1 = log(forward / strike) / deviation + 0.5 * deviation
    density = normal_density(d1)
    return Sensitivities(
        delta=discount * sign * normal_cdf(sign * d1),
        gamma=discount * density / (forward * deviation),
        vega=discount * forward * density * sqrt(years),
        theta=-discount * forward * density * volatility / (2.0 * sqrt(years)),
    )


def implied_deviation(right: Right, value: float, forward: float, strike: float, discount: float = 1.0) -> float | None:
    """The standard deviation that gives `value`: safeguarded Newton on the out-of-the-money side.

    None when no deviation does: value at or below intrinsic, at or above its bound (D F for a call, D K for a put), or
    not finite.
    """
    sign = 1.0 if right is Right.CALL else -1.0
    intrinsic = max(sign * (forward - strike), 0.0)
    time_value = value / discount - intrinsic
    bound = (forward if right is Right.CALL else strike) - intrinsic
    if not isfinite(value) or time_value <= 0.0 or time_value >= bound:
        return None
    side = Right.CALL if strike >= forward else Right.PUT
    return _solve(side, time_value, forward, strike)


def _solve(side: Right, target: float, forward: float, strike: float) -> float | None:
    """Newton in log price, where steps from far below stay safe; bisection where a step leaves the bracket."""
    moneyness = abs(log(forward / strike))
    low, high = 0.0, inf
    guess = max(sqrt(2.0 * moneyness), target / (forward * 0.4))
    for _ in range(100):
        value = price(side, forward, strike, guess)
        if value > target:
            high = guess
        else:
            low = guess
        d1 = log(forward / strike) / guess + 0.5 * guess
        slope = forward * normal_density(d1)
        step = log(target / value) * value / slope if value > 0.0 and slope > 0.0 else inf
        following = guess + step
        if not low < following < high:
            following = 0.5 * (low + high) if high < inf else 2.0 * guess
        if abs(following - guess) <= 1e-14 * guess:
            return following
        guess = following
    return guess if high - low <= 1e-9 * guess else None
