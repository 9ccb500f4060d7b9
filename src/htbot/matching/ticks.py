"""The tick grid: price increments by price level, as IB's market rules give them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

PriceRule = Sequence[tuple[Decimal, Decimal]]


def increment_at(rule: PriceRule, price: Decimal) -> Decimal:
    """The increment in force at a price; `rule` is (lower edge, increment) with rising edges."""
    size = abs(price)
    increment = rule[0][1]
    for low_edge, step in rule:
        if size >= low_edge:
            increment = step
    return increment


def is_on_grid(rule: PriceRule, price: Decimal) -> bool:
    """Whether a price conforms to the minimum variation (error 110 otherwise)."""
    return price % increment_at(rule, price) == 0


def down_to_grid(rule: PriceRule, price: Decimal) -> Decimal:
    """The highest price of the grid that is not above `price`."""
    return _to_grid(rule, price, ROUND_FLOOR)


def up_to_grid(rule: PriceRule, price: Decimal) -> Decimal:
    """The lowest price of the grid that is not below `price`."""
    return _to_grid(rule, price, ROUND_CEILING)


def _to_grid(rule: PriceRule, price: Decimal, rounding: str) -> Decimal:
    increment = increment_at(rule, price)
    return (price / increment).to_integral_value(rounding) * increment
