"""Commissions of Interactive Brokers, fixed pricing, United States.

Options: USD 0.65 per contract, at least USD 1.00 per order; index options carry the exchange's surcharge on top, by
premium: SPX (monthly) 0.40 below USD 1.00 and 0.50 above, SPXW (weekly) 0.49 and 0.58
(https://www.interactivebrokers.com/en/index.php?f=1590&p=options5). Stocks: USD 0.005 per share, at least USD 1.00 and
at most 1 % of the trade's value (https://www.interactivebrokers.com/en/pricing/commissions-stocks.php).
Regulatory and clearing fees of a few cents are not modelled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from htbot.domain.instruments import SecType

_OPTION = Decimal("0.65")
_OPTION_MINIMUM = Decimal("1.00")
_STOCK = Decimal("0.005")
_STOCK_MINIMUM = Decimal("1.00")
_STOCK_MAXIMUM_SHARE = Decimal("0.01")
_CENT = Decimal("0.01")
_SURCHARGES = {"SPX": (Decimal("0.40"), Decimal("0.50")), "SPXW": (Decimal("0.49"), Decimal("0.58"))}


@dataclass(frozen=True, slots=True)
class TradedLeg:
    """What commissions depend on; `quantity` is unsigned, `price` per unit."""

    sec_type: SecType
    trading_class: str
    quantity: Decimal
    price: Decimal


def commissions(legs: Sequence[TradedLeg]) -> tuple[Decimal, ...]:
    """The commission of each leg of one order, in USD rounded to the cent; the order's minimum is shared out."""
    option_units = sum((leg.quantity for leg in legs if leg.sec_type is SecType.OPTION), Decimal(0))
    shortfall = max(Decimal(0), _OPTION_MINIMUM - _OPTION * option_units) if option_units else Decimal(0)
    fees = []
    for leg in legs:
        if leg.sec_type is SecType.OPTION:
            share = shortfall * leg.quantity / option_units
            fees.append(_cents(_OPTION * leg.quantity + share + _surcharge(leg)))
        else:
            fees.append(_stock_fee(leg))
    return tuple(fees)


def _surcharge(leg: TradedLeg) -> Decimal:
    below, above = _SURCHARGES.get(leg.trading_class, (Decimal(0), Decimal(0)))
    return (below if leg.price < 1 else above) * leg.quantity


def _stock_fee(leg: TradedLeg) -> Decimal:
    fee = max(_STOCK * leg.quantity, _STOCK_MINIMUM)
    return _cents(min(fee, _STOCK_MAXIMUM_SHARE * leg.price * leg.quantity))


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(_CENT, ROUND_HALF_UP)
