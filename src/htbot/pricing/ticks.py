"""Prices on the tick grid of a market rule: pairs of lower edge and increment, as IB's marketRule gives them."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from math import floor

PriceRule = tuple[tuple[Decimal, Decimal], ...]
Rounding = Callable[[float], float]


@lru_cache(maxsize=64)
def nearest_tick(rule: PriceRule) -> Rounding:
    """A function that rounds a price at or above 0 to the nearest tick (half up) of the band it lies in.

    Increments must divide one dollar: results are then the doubles nearest to the decimal price (0.15, never
    0.15000000000000002). The function never decreases.
    """
    bands = tuple((float(edge), int(1 / increment)) for edge, increment in rule)
    first = bands[0][1]
    if len(bands) == 1:
        return lambda value: floor(value * first + 0.5 + 1e-9) / first

    def rounded(value: float) -> float:
        per_dollar = first
        for edge, ticks in bands[1:]:
            if value < edge:
                break
            per_dollar = ticks
        return floor(value * per_dollar + 0.5 + 1e-9) / per_dollar

    return rounded


def tick_at(rule: PriceRule, value: float) -> float:
    """The increment that holds at a price."""
    increment = rule[0][1]
    for edge, step in rule[1:]:
        if value < float(edge):
            break
        increment = step
    return float(increment)
