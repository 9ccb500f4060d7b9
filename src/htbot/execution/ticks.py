"""Prices on the tick grid of a combination (RULINGS 28). Amounts here are positive dollars per unit."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal


def up(amount: Decimal, tick: Decimal) -> Decimal:
    """The amount rounded up to the grid."""
    return (amount / tick).to_integral_value(ROUND_CEILING) * tick


def down(amount: Decimal, tick: Decimal) -> Decimal:
    """The amount rounded down to the grid."""
    return (amount / tick).to_integral_value(ROUND_FLOOR) * tick


def between(low: Decimal, high: Decimal, tick: Decimal) -> int:
    """Whole ticks from `low` up to `high`, both on the grid."""
    return int((high - low) / tick)
