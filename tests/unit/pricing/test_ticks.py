from __future__ import annotations

from decimal import Decimal

import pytest

from htbot.pricing.ticks import tick_grid

CENT = tick_grid(((Decimal(0), Decimal("0.01")),))
SPX = tick_grid(((Decimal(0), Decimal("0.05")), (Decimal(3), Decimal("0.10"))))


@pytest.mark.parametrize(
    ("price", "tick"),
    [(0.0, 0.0), (0.024, 0.0), (0.025, 0.05), (0.15, 0.15), (2.99, 3.0), (3.04, 3.0), (3.05, 3.1), (12.349, 12.3)],
)
def test_nearest_tick_of_index_options(price: float, tick: float) -> None:
    assert SPX.nearest(price) == tick


def test_ticks_are_the_doubles_of_their_decimals() -> None:
    assert [SPX.nearest(number * 0.05) for number in range(60)] == [
        float(f"{number * 5 / 100:.2f}") for number in range(60)
    ]
    assert CENT.nearest(1.005) == 1.01


def test_next_tick_above() -> None:
    assert [SPX.above(price) for price in (0.0, 2.95, 3.0, 12.3)] == [0.05, 3.0, 3.1, 12.4]
