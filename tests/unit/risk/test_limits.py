from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from tests.support.spreads import plan

from htbot.domain.instruments import UNDERLYINGS
from htbot.risk.limits import Limits

LIMITS = Limits(profit_target_usd=Decimal(400), stop_loss_usd=Decimal(200), max_risk_per_day_usd=Decimal(12_000))


@pytest.mark.parametrize(
    ("symbol", "target", "quantity", "floor"),
    [
        ("SPX", 400, 1, "4.00"),
        ("SPX", 400, 2, "2.00"),
        ("SPX", 400, 10, "2.00"),  # 5 % of a width of 40
        ("SPY", 40, 1, "0.40"),
        ("SPY", 10, 1, "0.20"),
    ],
)
def test_floor_credit(symbol: str, target: int, quantity: int, floor: str) -> None:
    limits = replace(LIMITS, profit_target_usd=Decimal(target))
    assert limits.floor_credit(UNDERLYINGS[symbol], plan(quantity)) == Decimal(floor)


def test_a_configured_minimum_wins_over_the_underlying() -> None:
    limits = replace(LIMITS, minimum_credit=Decimal("1.00"))
    assert limits.minimum_credit_of(UNDERLYINGS["SPX"], plan()) == Decimal("1.00")
