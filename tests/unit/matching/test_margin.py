from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from htbot.domain.instruments import Right, SecType
from htbot.matching.margin import Holding, beyond_cash, cash_requirement, naked_shorts, requirement

TODAY, LATER = date(2024, 1, 2), date(2024, 2, 2)


def option(strike: int, right: Right, quantity: int, expiry: date = TODAY, *, on_index: bool = False) -> Holding:
    con_id = strike * 10 + (right is Right.PUT) + expiry.month
    return Holding(con_id, "SPY", SecType.OPTION, Decimal(quantity), 100, 1, expiry, Decimal(strike), right, on_index)


def shares(quantity: int) -> Holding:
    return Holding(1, "SPY", SecType.STOCK, Decimal(quantity))


def future(quantity: int, symbol: str) -> Holding:
    return Holding(3, symbol, SecType.FUTURE, Decimal(quantity), 50)


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
    needed = requirement(holdings, price)
    assert (needed.initial, needed.maintenance) == (initial, maintenance)
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


@pytest.mark.parametrize(
    ("short", "amount"),
    [
        (option(470, P, -1), 20 * 470 + 200),
        (option(460, P, -2), 2 * (20 * 470 - 1000 + 200)),
        (option(480, C, -1), 20 * 470 - 1000 + 200),
        (option(400, P, -1), 10 * 400 + 200),
        (option(560, C, -1), 10 * 470 + 200),
        (option(470, P, -1, on_index=True), 15 * 470 + 200),
    ],
    ids=["at the money", "two out of it", "call", "far put", "far call", "index"],
)
def test_a_naked_option_needs_a_share_of_the_underlying(short: Holding, amount: int) -> None:
    needed = requirement([short], price)
    assert (needed.initial, needed.maintenance, needed.intraday) == (amount, amount, amount)


def test_by_day_stock_is_opened_against_maintenance() -> None:
    needed = requirement([shares(100)], price)
    assert (needed.initial, needed.intraday) == (23_500, 11_750)


def test_a_cheap_short_needs_all_of_its_value() -> None:
    needed = requirement([shares(-100)], lambda _con_id: Decimal(2))
    assert (needed.initial, needed.maintenance) == (250, 250)


def test_futures_and_crypto() -> None:
    needed = requirement([future(-2, "ES")], lambda _con_id: Decimal(4700))
    assert (needed.maintenance, needed.initial) == (23_500, 25_850)
    coin = Holding(4, "BTC", SecType.CRYPTO, Decimal("0.5"))
    assert requirement([coin], lambda _con_id: Decimal(43_000)).initial == 21_500


@pytest.mark.parametrize(
    ("holdings", "tied_up", "refused"),
    [
        ([shares(100)], 0, 0),
        ([shares(-1)], 0, 1),
        ([option(470, C, 2)], 0, 0),
        ([shares(100), option(480, C, -1)], 0, 0),
        ([option(480, C, -1)], 0, 1),
        ([option(480, C, -1), option(485, C, 1)], 0, 1),
        ([option(470, P, -2)], 94_000, 0),
        ([option(470, P, -1), option(465, P, 1)], 47_000, 0),
        ([option(470, P, -1, on_index=True), option(465, P, 1, on_index=True)], 500, 0),
        ([option(470, C, -1, on_index=True), option(475, C, 1, on_index=True)], 500, 0),
        ([option(470, C, -1, on_index=True)], 0, 1),
        ([future(1, "ES")], 0, 0),
    ],
    ids=[
        "shares", "short shares", "long call", "covered call", "naked call", "call spread", "secured puts",
        "put spread", "index put spread", "index call spread", "naked index call", "future",
    ],
)  # fmt: skip
def test_a_cash_account(holdings: list[Holding], tied_up: int, refused: int) -> None:
    assert cash_requirement(holdings).initial == tied_up
    assert len(beyond_cash(holdings)) == refused
