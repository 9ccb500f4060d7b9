from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from htbot.domain.instruments import Right, SecType
from htbot.matching.margin import Holding, Requirement, naked_shorts, requirement

TODAY, LATER = date(2024, 1, 2), date(2024, 2, 2)


def option(strike: int, right: Right, quantity: int, expiry: date = TODAY) -> Holding:
    con_id = strike * 10 + (right is Right.PUT) + expiry.month
    return Holding(con_id, "SPY", SecType.OPTION, quantity, 100, 1, expiry, Decimal(strike), right)


def shares(quantity: int) -> Holding:
    return Holding(1, "SPY", SecType.STOCK, quantity)


def price(con_id: int) -> Decimal:
    return Decimal(470) if con_id == 1 else Decimal(2)


P, C = Right.PUT, Right.CALL


@pytest.mark.parametrize(
    ("holdings", "initial", "maintenance"),
    [
        ([shares(100)], 23_500, 11_750),
        ([shares(-100)], 23_500, 14_100),
        ([option(470, P, -1), option(465, P, 1)], 500, 500),
        ([option(470, P, -2), option(465, P, 2)], 1000, 1000),
        ([option(465, P, -1), option(470, P, 1)], 0, 0),
        ([option(470, C, -1), option(475, C, 1)], 500, 500),
        ([option(460, P, -1), option(455, P, 1), option(480, C, -1), option(487, C, 1)], 700, 700),
        ([option(470, C, 3)], 0, 0),
        ([shares(100), option(480, C, -1)], 23_500, 11_750),
        ([option(470, P, -1), option(465, P, 1, LATER)], 500, 500),
    ],
    ids=["long", "short", "bull put", "two", "debit", "bear call", "condor", "long call", "covered", "diagonal"],
)
def test_requirements(holdings: list[Holding], initial: int, maintenance: int) -> None:
    assert requirement(holdings, price) == Requirement(Decimal(initial), Decimal(maintenance))
    assert naked_shorts(holdings) == []


@pytest.mark.parametrize(
    ("holdings", "uncovered"),
    [
        ([option(470, P, -1)], [-1]),
        ([option(470, C, -3), option(475, C, 1)], [-2]),
        ([option(470, P, -1, LATER), option(465, P, 1)], [-1]),
        ([option(470, C, -1), option(465, P, 1)], [-1]),
        ([shares(99), option(480, C, -1)], [-1]),
        ([shares(100), option(480, C, -2)], [-1]),
    ],
    ids=["put", "ratio", "long dies first", "other right", "a share short", "one call too many"],
)
def test_what_is_naked(holdings: list[Holding], uncovered: list[int]) -> None:
    assert [short.quantity for short in naked_shorts(holdings)] == uncovered


def test_a_naked_option_needs_a_fifth_of_the_underlying() -> None:
    assert requirement([option(470, P, -1)], price).initial == Decimal(100) * (Decimal("0.2") * 470 + 2)
