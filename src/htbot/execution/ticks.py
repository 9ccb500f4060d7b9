"""Prices on the tick grid of a combination or of one option (RULINGS 28), dollars per unit.

Costs and credits may be below 0 where an option was bought: up and down are still those of the number line.
"""

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


def bounded_cost(cost: Decimal, tick: Decimal, worst: Decimal) -> Decimal:
    """What a close is ready to pay: at most `worst`, and at least a tick where it is a spread that is bought back.

    A bought option is sold for at least a tick: its `worst` is below 0, and nothing bounds what it may bring.
    """
    return min(cost if worst < 0 else max(cost, tick), worst)
