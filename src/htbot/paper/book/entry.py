"""From a placeOrder message to a ticket, or to the error that IB answers.

Codes and their texts are those of IB's public list (https://interactivebrokers.github.io/tws-api/message_codes.html).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from htbot.domain.instruments import SecType
from htbot.domain.orders import Action
from htbot.domain.sessions import NEW_YORK
from htbot.matching.terms import OrderKind, Terms
from htbot.matching.triggers import trigger_method
from htbot.matching.view import whole_lots
from htbot.paper.book.algos import check_algo
from htbot.paper.book.conditions import conditions_from
from htbot.paper.book.orders import OCA_REDUCE, Ticket
from htbot.paper.book.types import kind_of, prices_of
from htbot.paper.contracts import Tradable
from htbot.paper.errors import RequestError, invalid, rejected
from htbot.paper.wire.times import parse_stamp
from htbot.paper.wire.values import WireError

_ACTIONS = {"BUY": Action.BUY, "SELL": Action.SELL, "SSHORT": Action.SELL, "SLONG": Action.SELL}
_AUCTION_ONLY = {"OPG": {OrderKind.MARKET, OrderKind.LIMIT}, "AUC": {OrderKind.MARKET_TO_LIMIT, OrderKind.LIMIT}}
_MINUTES = timedelta(minutes=5)
_TIFS = frozenset({"DAY", "GTC", "GTD", "IOC", "FOK", "DTC", "MINUTES", *_AUCTION_ONLY})
_AT_CLOSE = frozenset({OrderKind.MARKET_ON_CLOSE, OrderKind.LIMIT_ON_CLOSE})
_MAX_QUANTITY = 10_000_000
_LEAST_BLOCK = 50
_MAX_ORDER_ID = 2**31 - 1
_FRACTIONS_SINCE = 163
_TIME_ALONE = re.compile(r"\d{1,2}:\d{2}(:\d{2})?( .*)?")
# asked for by the message but not simulated: an order that carries one is refused, never quietly simplified
_NOT_SIMULATED: tuple[tuple[str, int, str], ...] = (
    ("hedgeType", 201, "Order rejected - reason:hedge orders are not simulated by this gateway"),
    ("scalePriceIncrement", 201, "Order rejected - reason:scale orders are not simulated by this gateway"),
    ("adjustedOrderType", 201, "Order rejected - reason:adjustable stops are not simulated by this gateway"),
    ("deltaNeutralOrderType", 201, "Order rejected - reason:delta neutral orders are not simulated by this gateway"),
    ("midOffsetAtWhole", 201, "Order rejected - reason:offsets from the midpoint are not simulated by this gateway"),
    ("midOffsetAtHalf", 201, "Order rejected - reason:offsets from the midpoint are not simulated by this gateway"),
    (
        "discretionaryAmt",
        325,
        "Discretionary orders are not supported for this combination of order type and exchange.",
    ),
)
_OUTSIDE_RTH_IGNORED = (
    2109,
    (
        "Order Event Warning:Attribute 'Outside Regular Trading Hours' is ignored based on the order type and "
        "destination. PlaceOrder is now being processed."
    ),
)
_FOR_CASH = frozenset({SecType.STOCK, SecType.FOREX, SecType.CRYPTO})
_EXTENDED_HOURS = frozenset({SecType.STOCK, SecType.FUTURE})
_RTH_ONLY = _AT_CLOSE | {OrderKind.MARKET}


@dataclass(frozen=True, slots=True)
class Entry:
    """How an order came in: when, in which protocol version, and what is asked of the world to read it.

    `knows` tells whether a contract id exists, `touch` the price at which a contract trades at once on a side.
    """

    at: datetime
    version: int
    knows: Callable[[int], bool]
    touch: Callable[[int, Action], Decimal | None]


def ticket_from(values: Mapping[str, Any], tradable: Tradable, entry: Entry) -> Ticket:
    """Check an order message against its contract.

    Raises:
        RequestError: with the code that IB gives for the first thing that is wrong.
    """
    if not 0 < values["orderId"] < _MAX_ORDER_ID:
        raise invalid(f"Invalid order id {values['orderId']}")
    _refuse_not_simulated(values)
    kind = kind_of(str(values["orderType"]), tradable)
    action = _ACTIONS.get(str(values["action"]).upper())
    if action is None:
        raise invalid(f"Invalid action '{str(values['action'])[:20]}'")
    tif = _tif(values, kind)
    return Ticket(
        terms=_terms(values, tradable, kind, action, tif, entry),
        tif=tif,
        ref=values["orderRef"],
        good_after=_moment(values["goodAfterTime"], entry.at),
        good_till=_good_till(values, tif, entry.at),
        outside_rth=values["outsideRth"] and _may_trade_outside(tradable, kind),
        transmit=values["transmit"],
        parent_id=values["parentId"],
        oca_group=values["ocaGroup"],
        oca_type=_oca_type(values["ocaType"]),
        auto_cancel_parent=bool(values.get("autoCancelParent")),
        algo=check_algo(values, kind, tradable),
        conditions=conditions_from(values, entry.knows),
        hints=(_OUTSIDE_RTH_IGNORED,) if values["outsideRth"] and not _may_trade_outside(tradable, kind) else (),
    )


def check_tradable(tradable: Tradable, at: datetime) -> None:
    """Refuse what has no market: indices, continuous futures and expired contracts.

    Raises:
        RequestError: 201.
    """
    today = at.astimezone(NEW_YORK).date()
    for details in tradable.details:
        contract = details.contract
        if contract.sec_type in {SecType.INDEX, SecType.CONTINUOUS_FUTURE}:
            raise rejected(f"No trading permissions: {contract.symbol} is not a tradable contract")
        if contract.expiry is not None and contract.expiry < today:
            raise rejected(f"The contract is not available for trading: expired {contract.expiry:%Y%m%d}")


def _terms(
    values: Mapping[str, Any], tradable: Tradable, kind: OrderKind, action: Action, tif: str, entry: Entry
) -> Terms:
    prices = prices_of(kind, values, tradable)
    if values["cashQty"]:
        quantity = _cash_quantity(values, tradable, prices.limit or entry.touch(tradable.con_ids[0], action))
    else:
        quantity = _quantity(values["totalQuantity"], tradable, entry.version)
    return Terms(
        action=action,
        kind=kind,
        quantity=quantity,
        limit=prices.limit,
        aux=prices.aux,
        trail_stop=prices.trail_stop,
        trail_percent=prices.trail_percent,
        limit_offset=prices.limit_offset,
        offset_fraction=prices.offset_fraction,
        minimum=Decimal(min(values["minQty"] or 0, quantity)),
        lot=_lot(tradable),
        trigger=_trigger(values["triggerMethod"], tradable),
        all_or_none=values["allOrNone"] or tif == "FOK",
        immediate=tif in {"IOC", "FOK"},
        at_open=tif in _AUCTION_ONLY,
    )


def _refuse_not_simulated(values: Mapping[str, Any]) -> None:
    for name, code, text in _NOT_SIMULATED:
        value = values.get(name)
        if value and value != "None":  # TWS itself writes the text `None` for an order that has none
            raise RequestError(code, text)
    if values["whatIf"] and not values["transmit"]:
        raise RequestError(413, "What-if order should have the transmit flag set to true.")
    if values["blockOrder"] and values["totalQuantity"] < _LEAST_BLOCK:
        raise RequestError(117, f"The block order size must be at least {_LEAST_BLOCK}.")
    if (values["displaySize"] or 0) > values["totalQuantity"] > 0:
        raise RequestError(10020, "Display size should be smaller than order size.")


def _tif(values: Mapping[str, Any], kind: OrderKind) -> str:
    tif = str(values["tif"]).upper() or "DAY"
    if tif not in _TIFS:
        raise invalid(f"Invalid time in force '{tif[:10]}'")
    if kind in _AT_CLOSE and tif != "DAY":
        raise RequestError(113, "The Tif option should be set to DAY for MOC and LOC orders.")
    if tif in _AUCTION_ONLY and kind not in _AUCTION_ONLY[tif]:
        raise RequestError(111, "The TIF (Tif type) and the order type are incompatible.")
    return tif


def _good_till(values: Mapping[str, Any], tif: str, at: datetime) -> datetime | None:
    """When the order ends by its own terms: GTD at its time, Minutes (crypto) after five."""
    if tif == "MINUTES":
        return at + _MINUTES
    if tif != "GTD":
        return None
    moment = _moment(values["goodTillDate"], at)
    if moment is None:
        raise RequestError(391, "The time or time-zone entered is invalid: GTD needs goodTillDate")
    return moment


def _moment(text: str, at: datetime) -> datetime | None:
    """A time of goodAfterTime or goodTillDate; its date may be left out (error 391 otherwise)."""
    stripped = text.strip()
    if _TIME_ALONE.fullmatch(stripped):
        stripped = f"{at.astimezone(NEW_YORK):%Y%m%d} {stripped}"
    try:
        return parse_stamp(stripped)
    except WireError as error:
        reason = "The date, time, or time-zone entered is invalid. The correct format is yyyymmdd hh:mm:ss xxx"
        raise RequestError(391, f"{reason}: {text[:40]}") from error


def _oca_type(number: int) -> int:
    if not 0 <= number <= OCA_REDUCE:
        raise invalid(f"Invalid OCA type {number}")
    return number or OCA_REDUCE


def _trigger(number: int, tradable: Tradable) -> Any:
    sec_type = SecType.BAG if tradable.is_combination else tradable.details[0].contract.sec_type
    try:
        return trigger_method(sec_type, number)
    except ValueError as error:
        raise RequestError(146, f"Invalid trigger method: {number}") from error


def _may_trade_outside(tradable: Tradable, kind: OrderKind) -> bool:
    sec_types = {details.contract.sec_type for details in tradable.details}
    return kind not in _RTH_ONLY and not tradable.is_combination and sec_types <= _EXTENDED_HOURS


def _lot(tradable: Tradable) -> Decimal:
    return Decimal(1) if tradable.is_combination else tradable.details[0].size_increment


def _cash_quantity(values: Mapping[str, Any], tradable: Tradable, price: Decimal | None) -> Decimal:
    """Units for an amount of money (`cashQty`), at the limit or at the price of the moment, in whole lots."""
    sec_types = {details.contract.sec_type for details in tradable.details}
    if tradable.is_combination or not sec_types <= _FOR_CASH or values["cashQty"] < 0 or not price:
        raise RequestError(10244, "Cash quantity cannot be used for this order")
    if values["totalQuantity"]:
        raise invalid("An order has either a quantity or a cash quantity, not both")
    units = whole_lots(values["cashQty"] / price, _lot(tradable))
    if not 0 < units <= _MAX_QUANTITY:
        raise invalid(f"Invalid cash quantity {values['cashQty']}: {units:f} units at {price:f}")
    return units


def _quantity(quantity: Decimal, tradable: Tradable, version: int) -> Decimal:
    if quantity == 0:
        raise RequestError(434, "The order size cannot be zero.")
    if quantity < 0 or quantity > _MAX_QUANTITY:
        raise invalid(f"Invalid order quantity {quantity}")
    lot = _lot(tradable)
    if quantity % 1 and (lot % 1 == 0 or version < _FRACTIONS_SINCE):
        raise RequestError(10243, "Fractional-sized order cannot be placed via API.")
    if quantity % lot:
        raise RequestError(355, f"Order size does not conform to market rule: multiples of {lot}")
    return quantity
