from __future__ import annotations

from decimal import Decimal

import pytest

from htbot.matching.ticks import down_to_grid, increment_at, is_on_grid, up_to_grid

SPX = ((Decimal(0), Decimal("0.05")), (Decimal(3), Decimal("0.10")))


@pytest.mark.parametrize(
    ("price", "on_grid"),
    [("2.95", True), ("2.97", False), ("3.00", True), ("3.05", False), ("3.10", True), ("-4.70", True)],
)
def test_grid_by_price_level(price: str, on_grid: bool) -> None:
    assert is_on_grid(SPX, Decimal(price)) is on_grid


def test_the_increment_follows_the_size_of_a_negative_price() -> None:
    assert increment_at(SPX, Decimal("-3.00")) == Decimal("0.10")


@pytest.mark.parametrize(
    ("price", "below", "above"),
    [("2.97", "2.95", "3.00"), ("3.02", "3.00", "3.10"), ("3.10", "3.10", "3.10"), ("-4.72", "-4.80", "-4.70")],
)
def test_the_neighbours_on_the_grid(price: str, below: str, above: str) -> None:
    assert down_to_grid(SPX, Decimal(price)) == Decimal(below)
    assert up_to_grid(SPX, Decimal(price)) == Decimal(above)
