"""Commissions and fees of Interactive Brokers, United States, as published in the middle of 2024.

Two plans. Fixed: one rate that holds the exchange's and the regulators' share, except the surcharge of exchanges on
index options and the exchange's fee on futures. Tiered: the lowest volume tier, and what others charge is passed on.

- Stocks: fixed USD 0.005 a share, at least 1.00; tiered 0.0035, at least 0.35; at most 1 % of the trade's value. Tiered
  passes on 0.0030 a share for taking liquidity, 0.0002 for clearing, and the two pass-throughs on the commission
  (https://www.interactivebrokers.com/en/pricing/commissions-stocks.php).
- Options: by premium 0.65, below 0.10 0.50, below 0.05 0.25 a contract, at least 1.00 an order
  (https://www.interactivebrokers.com/en/pricing/commissions-options.php). Tiered passes on 0.02685 (options regulatory
  fee) and 0.02 (OCC clearing, at most 55.00); what exchanges charge for equity options is not modelled.
- Index options carry the exchange's surcharge on both plans (fee schedules of Cboe and Nasdaq,
  https://www.cboe.com/us/options/membership/fee_schedule/, https://listingcenter.nasdaq.com/rulebook/phlx/rules).
- Sales on the tiered plan: SEC fee of USD 27.80 a million of value, FINRA trading activity fee of 0.000166 a share (at
  most 8.30) and 0.00279 an option contract (https://www.finra.org/rules-guidance/guidance/trading-activity-fee).
- Futures: 0.85 a contract, micros 0.25, with the exchange's fee and 0.02 for the NFA on both plans
  (https://www.interactivebrokers.com/en/pricing/commissions-futures.php).
- Forex: 0.2 basis points of the value, at least 2.00 (https://www.interactivebrokers.com/en/pricing/commissions-spot-currencies.php).
- Crypto: 0.18 % of the value, at least 1.75 but at most 1 % (https://www.interactivebrokers.com/en/pricing/commissions-cryptocurrencies.php).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum

from htbot.domain.instruments import SecType
from htbot.domain.orders import Action

_ZERO = Decimal(0)
_CENT = Decimal("0.01")


class Plan(StrEnum):
    """IB's two price plans."""

    FIXED = "fixed"
    TIERED = "tiered"


@dataclass(frozen=True, slots=True)
class TradedLeg:
    """What commissions depend on; `quantity` is unsigned, `price` per unit, `rate` the USD that a unit of price is.

    `trading_class` is the symbol where a contract has no class.
    """

    sec_type: SecType
    trading_class: str
    quantity: Decimal
    price: Decimal
    side: Action = Action.BUY
    multiplier: int = 1
    rate: Decimal = Decimal(1)

    @property
    def value(self) -> Decimal:
        """What changes hands, in USD."""
        return self.price * self.quantity * self.multiplier * self.rate


@dataclass(frozen=True, slots=True)
class _Limits:
    """The least of an order, and the most as a share of its value."""

    least: Decimal
    most: Decimal | None = None


_LIMITS: dict[tuple[SecType, Plan], _Limits] = {
    (SecType.STOCK, Plan.FIXED): _Limits(Decimal("1.00"), Decimal("0.01")),
    (SecType.STOCK, Plan.TIERED): _Limits(Decimal("0.35"), Decimal("0.01")),
    (SecType.OPTION, Plan.FIXED): _Limits(Decimal("1.00")),
    (SecType.OPTION, Plan.TIERED): _Limits(Decimal("1.00")),
    (SecType.FOREX, Plan.FIXED): _Limits(Decimal("2.00")),
    (SecType.FOREX, Plan.TIERED): _Limits(Decimal("2.00")),
    (SecType.CRYPTO, Plan.FIXED): _Limits(Decimal("1.75"), Decimal("0.01")),
    (SecType.CRYPTO, Plan.TIERED): _Limits(Decimal("1.75"), Decimal("0.01")),
}
_NO_LIMITS = _Limits(_ZERO)
_SHARE = {Plan.FIXED: Decimal("0.005"), Plan.TIERED: Decimal("0.0035")}
_FOREX = Decimal("0.00002")
_CRYPTO = Decimal("0.0018")

# (premium from, rate a contract), highest first
_PREMIUMS = ((Decimal("0.10"), Decimal("0.65")), (Decimal("0.05"), Decimal("0.50")), (_ZERO, Decimal("0.25")))
# exchange surcharges a contract by (premium from, surcharge), highest first
_SURCHARGES: dict[str, tuple[tuple[Decimal, Decimal], ...]] = {
    name: tuple((Decimal(floor), Decimal(fee)) for floor, fee in steps)
    for names, steps in (
        (("SPX",), (("1", "0.50"), ("0", "0.40"))),
        (("SPXW",), (("1", "0.58"), ("0", "0.49"))),
        (("VIX", "VIXW"), (("2", "0.45"), ("1", "0.40"), ("0.11", "0.25"), ("0", "0.10"))),
        (("NDX", "NDXP"), (("25", "0.75"), ("0", "0.50"))),
        (("RUT", "RUTW"), (("0", "0.18"),)),
        (("DJX",), (("0", "0.18"),)),
        (("OEX", "XEO"), (("0", "0.40"),)),
    )
    for name in names
}
_XSP_FROM_TEN = Decimal("0.07")

_NFA = Decimal("0.02")
_FUTURES = {  # commission and exchange fee a contract
    name: (Decimal(own), Decimal(exchange))
    for names, own, exchange in (
        (("ES", "NQ", "RTY", "YM"), "0.85", "1.38"),
        (("MES", "MNQ", "M2K", "MYM"), "0.25", "0.35"),
        (("CL", "NG", "GC", "SI", "HG", "6E", "6J", "6B"), "0.85", "1.60"),
        (("MCL",), "0.25", "0.50"),
        (("MGC",), "0.25", "0.60"),
        (("ZN", "TN"), "0.85", "0.80"),
        (("ZB", "UB"), "0.85", "0.87"),
        (("ZT", "ZF"), "0.85", "0.65"),
    )
    for name in names
}
_OTHER_FUTURE = (Decimal("0.85"), Decimal("1.60"))

_STOCK_EXCHANGE_AND_CLEARING = Decimal("0.0032")
_PASS_THROUGH_ON_COMMISSION = Decimal("0.000735")
_SEC = Decimal("0.0000278")
_TAF_SHARE, _TAF_SHARE_MOST, _TAF_CONTRACT = Decimal("0.000166"), Decimal("8.30"), Decimal("0.00279")
_ORF = Decimal("0.02685")
_OCC, _OCC_MOST = Decimal("0.02"), Decimal("55.00")


@dataclass(frozen=True, slots=True)
class LegBill:
    """One leg of an order so far, in USD: units, value, IB's own rate summed up, others' fees, and what was charged."""

    quantity: Decimal = _ZERO
    value: Decimal = _ZERO
    own: Decimal = _ZERO
    passed: Decimal = _ZERO
    charged: Decimal = _ZERO

    def plus(self, leg: TradedLeg, plan: Plan) -> LegBill:
        """With one more fill; nothing is charged yet."""
        own = _own(leg, plan)
        return LegBill(
            self.quantity + leg.quantity,
            self.value + leg.value,
            self.own + own,
            self.passed + _passed(leg, own, plan),
            self.charged,
        )


Bill = tuple[LegBill, ...]
"""What an order has cost so far, leg by leg; empty before its first fill."""


def charge(legs: Sequence[TradedLeg], plan: Plan = Plan.FIXED, so_far: Bill = ()) -> tuple[Bill, tuple[Decimal, ...]]:
    """The commission of each leg of one more fill, in whole cents, and the order's bill with it.

    An order's least and most hold for the whole order: a fill costs what all fills cost together beyond what was
    charged before. The least of options is shared by the option legs.
    """
    before = so_far or (LegBill(),) * len(legs)
    grown = [bill.plus(leg, plan) for bill, leg in zip(before, legs, strict=True)]
    option_units = sum((bill.quantity for bill, leg in zip(grown, legs, strict=True) if _is_option(leg)), _ZERO)
    option_own = sum((bill.own for bill, leg in zip(grown, legs, strict=True) if _is_option(leg)), _ZERO)
    shortfall = max(_ZERO, _LIMITS[SecType.OPTION, plan].least - option_own)
    bills, fees = [], []
    for bill, leg in zip(grown, legs, strict=True):
        if _is_option(leg):
            own = bill.own + shortfall * bill.quantity / option_units
        else:
            limits = _LIMITS.get((leg.sec_type, plan), _NO_LIMITS)
            own = max(bill.own, limits.least)
            own = own if limits.most is None else min(own, limits.most * bill.value)
        due = _cents(own + bill.passed)
        fees.append(due - bill.charged)
        bills.append(LegBill(bill.quantity, bill.value, bill.own, bill.passed, due))
    return tuple(bills), tuple(fees)


def commissions(legs: Sequence[TradedLeg], plan: Plan = Plan.FIXED) -> tuple[Decimal, ...]:
    """The commission of each leg of an order that fills at once, in USD rounded to the cent."""
    return charge(legs, plan)[1]


def bill_document(bill: Bill) -> list[list[str]]:
    """A bill as text, to be kept with its order."""
    return [[str(leg.quantity), str(leg.value), str(leg.own), str(leg.passed), str(leg.charged)] for leg in bill]


def bill_from(rows: Sequence[Sequence[str]]) -> Bill:
    """The bill in a kept text."""
    return tuple(LegBill(*map(Decimal, row)) for row in rows)


def _own(leg: TradedLeg, plan: Plan) -> Decimal:
    """IB's own rate, before the order's least and most."""
    match leg.sec_type:
        case SecType.OPTION:
            return _step(_PREMIUMS, leg.price) * leg.quantity
        case SecType.STOCK:
            return _SHARE[plan] * leg.quantity
        case SecType.FUTURE | SecType.CONTINUOUS_FUTURE:
            return _FUTURES.get(leg.trading_class, _OTHER_FUTURE)[0] * leg.quantity
        case SecType.FOREX:
            return _FOREX * leg.value
        case SecType.CRYPTO:
            return _CRYPTO * leg.value
        case SecType.INDEX | SecType.BAG:
            return _ZERO


def _passed(leg: TradedLeg, own: Decimal, plan: Plan) -> Decimal:
    """What exchanges, clearing houses and regulators charge for one fill."""
    if leg.sec_type in {SecType.FUTURE, SecType.CONTINUOUS_FUTURE}:
        return (_FUTURES.get(leg.trading_class, _OTHER_FUTURE)[1] + _NFA) * leg.quantity
    if leg.sec_type is SecType.OPTION:
        return _surcharge(leg) + (_option_fees(leg) if plan is Plan.TIERED else _ZERO)
    if leg.sec_type is SecType.STOCK and plan is Plan.TIERED:
        return _stock_fees(leg, own)
    return _ZERO


def _surcharge(leg: TradedLeg) -> Decimal:
    if leg.trading_class in {"XSP", "XSPW"}:
        return _XSP_FROM_TEN * leg.quantity if leg.quantity >= 10 else _ZERO
    steps = _SURCHARGES.get(leg.trading_class)
    return _step(steps, leg.price) * leg.quantity if steps else _ZERO


def _option_fees(leg: TradedLeg) -> Decimal:
    sold = leg.side is Action.SELL
    on_sale = _TAF_CONTRACT * leg.quantity + _SEC * leg.value if sold else _ZERO
    return _ORF * leg.quantity + min(_OCC * leg.quantity, _OCC_MOST) + on_sale


def _stock_fees(leg: TradedLeg, own: Decimal) -> Decimal:
    sold = leg.side is Action.SELL
    on_sale = min(_TAF_SHARE * leg.quantity, _TAF_SHARE_MOST) + _SEC * leg.value if sold else _ZERO
    return _STOCK_EXCHANGE_AND_CLEARING * leg.quantity + _PASS_THROUGH_ON_COMMISSION * own + on_sale


def _step(steps: Sequence[tuple[Decimal, Decimal]], price: Decimal) -> Decimal:
    return next((fee for floor, fee in steps if price >= floor), steps[-1][1])


def _is_option(leg: TradedLeg) -> bool:
    return leg.sec_type is SecType.OPTION


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(_CENT, ROUND_HALF_UP)
