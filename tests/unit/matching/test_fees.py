from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htbot.domain.instruments import SecType
from htbot.domain.orders import Action
from htbot.matching.fees import Bill, Plan, TradedLeg, bill_document, bill_from, charge, commissions


def option(quantity: int, price: str, trading_class: str = "SPY", side: Action = Action.BUY) -> TradedLeg:
    return TradedLeg(SecType.OPTION, trading_class, Decimal(quantity), Decimal(price), side, 100)


def stock(quantity: int, price: str, side: Action = Action.BUY) -> TradedLeg:
    return TradedLeg(SecType.STOCK, "SPY", Decimal(quantity), Decimal(price), side)


def future(quantity: int, symbol: str) -> TradedLeg:
    return TradedLeg(SecType.FUTURE, symbol, Decimal(quantity), Decimal(4700), multiplier=50)


def forex(quantity: int, price: str, rate: str = "1") -> TradedLeg:
    return TradedLeg(SecType.FOREX, "EUR.USD", Decimal(quantity), Decimal(price), rate=Decimal(rate))


def crypto(quantity: str, price: str) -> TradedLeg:
    return TradedLeg(SecType.CRYPTO, "BTC", Decimal(quantity), Decimal(price))


@pytest.mark.parametrize(
    ("legs", "fees"),
    [
        ([option(1, "2.00")], ["1.00"]),
        ([option(2, "5.00")], ["1.30"]),
        ([option(10, "0.10")], ["6.50"]),
        ([option(10, "0.09")], ["5.00"]),
        ([option(10, "0.04")], ["2.50"]),
        ([option(1, "2.00"), option(1, "1.00")], ["0.65", "0.65"]),
        ([option(1, "0.95", "SPXW"), option(1, "8.10", "SPXW")], ["1.14", "1.23"]),
        ([option(1, "0.95", "SPX"), option(1, "8.10", "SPX")], ["1.05", "1.15"]),
        ([option(1, "1.00", "SPXW")], ["1.58"]),
        ([option(2, "0.10", "VIX")], ["1.50"]),
        ([option(2, "1.50", "VIX")], ["2.10"]),
        ([option(9, "4.00", "XSP")], ["5.85"]),
        ([option(10, "4.00", "XSP")], ["7.20"]),
        ([option(2, "30", "NDXP")], ["2.80"]),
        ([stock(100, "470")], ["1.00"]),
        ([stock(1000, "470")], ["5.00"]),
        ([stock(10, "1.50")], ["0.15"]),
        ([future(2, "ES")], ["4.50"]),
        ([future(1, "MES")], ["0.62"]),
        ([forex(20_000, "1.10")], ["2.00"]),
        ([forex(1_000_000, "1.10")], ["22.00"]),
        ([forex(1_000_000, "145", "0.0069")], ["20.01"]),
        ([crypto("1", "43000")], ["77.40"]),
        ([crypto("0.01", "43000")], ["1.75"]),
        ([crypto("0.001", "43000")], ["0.43"]),
    ],
)
def test_fixed_pricing(legs: list[TradedLeg], fees: list[str]) -> None:
    assert commissions(legs) == tuple(Decimal(fee) for fee in fees)


@pytest.mark.parametrize(
    ("leg", "fee"),
    [
        # 0.35 least, 0.32 exchange and clearing; a sale pays SEC 1.3066 and 0.0166 of activity fee on top
        (stock(100, "470"), "0.67"),
        (stock(100, "470", Action.SELL), "1.99"),
        # 1.30 and twice 0.04685; a sale of 1,000 pays SEC 0.0278 and 0.00558
        (option(2, "5.00"), "1.39"),
        (option(2, "5.00", side=Action.SELL), "1.43"),
        (option(2, "5.00", "SPXW"), "2.55"),
        (future(1, "ES"), "2.25"),
    ],
)
def test_tiered_pricing_passes_the_fees_of_others_on(leg: TradedLeg, fee: str) -> None:
    assert commissions([leg], Plan.TIERED) == (Decimal(fee),)


def test_the_least_of_an_order_is_charged_once() -> None:
    bill: Bill = ()
    fees = []
    for quantity in (10, 90, 100, 100):
        bill, (fee,) = charge([stock(quantity, "470")], Plan.FIXED, bill_from(bill_document(bill)))
        fees.append(fee)
    assert fees == [Decimal("1.00"), 0, 0, Decimal("0.50")]


@given(
    st.lists(st.tuples(st.integers(1, 50), st.integers(1, 2000)), min_size=1, max_size=8),
    st.sampled_from(Plan),
    st.sampled_from([SecType.STOCK, SecType.OPTION, SecType.FUTURE, SecType.CRYPTO, SecType.FOREX]),
)
def test_the_parts_of_an_order_cost_what_the_whole_costs(
    fills: list[tuple[int, int]], plan: Plan, sec_type: SecType
) -> None:
    bill: Bill = ()
    paid = Decimal(0)
    for quantity, ticks in fills:
        leg = TradedLeg(sec_type, "X", Decimal(quantity), Decimal(ticks) / 20)
        bill, (fee,) = charge([leg], plan, bill)
        assert fee >= 0
        paid += fee
    assert paid == bill[0].charged == paid.quantize(Decimal("0.01"))
    if len({ticks for _quantity, ticks in fills}) == 1 and plan is Plan.FIXED:
        whole = TradedLeg(sec_type, "X", Decimal(sum(row[0] for row in fills)), Decimal(fills[0][1]) / 20)
        assert commissions([whole], plan) == (paid,)
