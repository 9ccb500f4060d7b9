from __future__ import annotations

from decimal import Decimal

import pytest

from htbot.risk.exposure import Stake, gross_leverage

LIMIT = Decimal(10_000)


def stake(held: int, ordered: int, working: int = 0, price: str = "175", multiplier: int = 1) -> Stake:
    return Stake(Decimal(held), Decimal(working), Decimal(ordered), Decimal(price), multiplier)


@pytest.mark.parametrize(
    ("held", "ordered", "value", "allowed"),
    [
        (0, 60, 10_500, False),
        (0, 57, 9_975, True),
        (40, 20, 10_500, False),
        (40, -40, 0, True),
        (0, -60, 10_500, False),
    ],
)
def test_the_position_that_an_order_leads_to(held: int, ordered: int, value: int, allowed: bool) -> None:
    """Spec 05 section 24."""
    one = stake(held, ordered)
    assert (one.value_usd, one.within(LIMIT)) == (value, allowed)


def test_what_reduces_is_always_allowed_but_not_what_turns_round() -> None:
    assert stake(200, -40).within(LIMIT), "still 28,000 USD, but less than before"
    assert not stake(60, -120).within(LIMIT), "60 long become 60 short"
    assert not stake(60, -60, working=-60).within(LIMIT), "the working order has taken the position already"


def test_working_orders_and_multipliers_count() -> None:
    assert stake(0, 1, working=1, price="49.99", multiplier=100).within(LIMIT)
    assert not stake(0, 1, working=1, price="50.01", multiplier=100).within(LIMIT)


def test_gross_leverage() -> None:
    """Spec 05 section 24."""
    worth = Decimal(50_000)
    assert gross_leverage(Decimal(95_000), Decimal(5_000), worth) == 2
    over = gross_leverage(Decimal(95_000), Decimal(5_001), worth)
    assert over is not None
    assert over > 2
    assert gross_leverage(None, Decimal(1), worth) is None
    assert gross_leverage(Decimal(1), None, worth) is None
    assert gross_leverage(Decimal(1), Decimal(1), None) is None
    assert gross_leverage(Decimal(1), Decimal(1), Decimal(0)) is None
