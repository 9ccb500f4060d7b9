"""From a placeOrder message to a ticket, or to the error that IB answers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from htbot.domain.instruments import SecType
from htbot.domain.orders import Action
from htbot.domain.sessions import NEW_YORK
from htbot.matching.ticks import is_on_grid
from htbot.paper.contracts import Tradable
from htbot.paper.errors import OFF_TICK, REJECTED, RequestError, invalid
from htbot.paper.orders import Ticket
from htbot.paper.wire.times import parse_stamp

_ACTIONS = {"BUY": Action.BUY, "SELL": Action.SELL, "SSHORT": Action.SELL, "SLONG": Action.SELL}
_TYPES = {"MKT": "MKT", "MARKET": "MKT", "LMT": "LMT", "LIMIT": "LMT"}
_TIFS = ("DAY", "GTC", "GTD", "IOC", "FOK")
_MAX_QUANTITY = 10_000_000
_MAX_PRICE = Decimal(10) ** 9
_MAX_ORDER_ID = 2**31 - 1
# asked for by the message but not simulated: an order that carries one is refused, never quietly simplified
_NOT_SIMULATED = ("parentId", "ocaGroup", "goodAfterTime", "algoStrategy", "conditions", "hedgeType", "faGroup")


def ticket_from(values: Mapping[str, Any], tradable: Tradable) -> Ticket:
    """Check an order message against its contract.

    Raises:
        RequestError: with the code that IB gives for the first thing that is wrong.
    """
    if not 0 < values["orderId"] < _MAX_ORDER_ID:
        raise invalid(f"Invalid order id {values['orderId']}")
    _refuse_not_simulated(values)
    order_type = _TYPES.get(str(values["orderType"]).upper())
    if order_type is None:
        raise RequestError(387, f"Unsupported order type for this exchange and security type: {values['orderType']}")
    action = _ACTIONS.get(str(values["action"]).upper())
    if action is None:
        raise invalid(f"Invalid action '{str(values['action'])[:20]}'")
    tif = str(values["tif"]).upper() or "DAY"
    if tif not in _TIFS:
        raise rejected(f"Time in force {tif[:10]} is not simulated")
    good_till = parse_stamp(values["goodTillDate"]) if tif == "GTD" else None
    if tif == "GTD" and good_till is None:
        raise RequestError(391, "The time or time-zone entered is invalid: GTD needs goodTillDate")
    return Ticket(
        action=action,
        quantity=_quantity(values["totalQuantity"]),
        order_type=order_type,
        limit=_limit(values["lmtPrice"], tradable) if order_type == "LMT" else None,
        tif=tif,
        good_till=good_till,
        ref=values["orderRef"],
        what_if=values["whatIf"],
    )


def rejected(reason: str) -> RequestError:
    """Error 201 in IB's words."""
    return RequestError(REJECTED, f"Order rejected - reason:{reason}")


def check_tradable(tradable: Tradable, at: datetime) -> None:
    """Refuse what has no market: indices and expired options.

    Raises:
        RequestError: 201.
    """
    today = at.astimezone(NEW_YORK).date()
    for details in tradable.details:
        contract = details.contract
        if contract.sec_type is SecType.INDEX:
            raise rejected(f"No trading permissions: {contract.symbol} is an index")
        if contract.expiry is not None and contract.expiry < today:
            raise rejected(f"The contract is not available for trading: expired {contract.expiry:%Y%m%d}")


def _refuse_not_simulated(values: Mapping[str, Any]) -> None:
    for name in _NOT_SIMULATED:
        if values.get(name):
            raise rejected(f"{name} is not simulated by this gateway")
    if not values["transmit"]:
        raise rejected("transmit=0 is not simulated by this gateway")


def _quantity(quantity: Decimal) -> int:
    if quantity == 0:
        raise RequestError(434, "The order size cannot be zero.")
    if quantity < 0 or quantity > _MAX_QUANTITY:
        raise invalid(f"Invalid order quantity {quantity}")
    if quantity % 1:
        raise RequestError(10243, "Fractional-sized order cannot be placed via API.")
    return int(quantity)


def _limit(limit: Decimal | None, tradable: Tradable) -> Decimal:
    if limit is None:
        raise invalid("Missing limit price")
    if abs(limit) > _MAX_PRICE or (limit <= 0 and not tradable.is_combination):
        raise rejected(f"Invalid limit price {limit}")
    if not is_on_grid(tradable.price_rule, limit):
        text = "The price does not conform to the minimum price variation for this contract."
        raise RequestError(OFF_TICK, text)
    return limit
