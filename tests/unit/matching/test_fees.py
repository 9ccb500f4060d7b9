from __future__ import annotations

from decimal import Decimal

import pytest

from htbot.domain.instruments import SecType
from htbot.matching.fees import TradedLeg, commissions


def option(quantity: int, price: str, trading_class: str = "SPY") -> TradedLeg:
    return TradedLeg(SecType.OPTION, trading_class, quantity, Decimal(price))


def stock(quantity: int, price: str) -> TradedLeg:
    return TradedLeg(SecType.STOCK, "SPY", quantity, Decimal(price))


@pytest.mark.parametrize(
    ("legs", "fees"),
    [
        ([option(1, "2.00")], ["1.00"]),
        ([option(2, "5.00")], ["1.30"]),
        ([option(1, "2.00"), option(1, "1.00")], ["0.65", "0.65"]),
        ([option(1, "0.95", "SPXW"), option(1, "8.10", "SPXW")], ["1.14", "1.23"]),
        ([option(1, "0.95", "SPX"), option(1, "8.10", "SPX")], ["1.05", "1.15"]),
        ([option(1, "1.00", "SPXW")], ["1.58"]),
        ([stock(100, "470")], ["1.00"]),
        ([stock(1000, "470")], ["5.00"]),
        ([stock(10, "1.50")], ["0.15"]),
    ],
)
def test_fixed_pricing(legs: list[TradedLeg], fees: list[str]) -> None:
    assert commissions(legs) == tuple(Decimal(fee) for fee in fees)
