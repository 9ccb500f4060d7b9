"""Order types: their names, where they trade, and which prices each of them needs.

Names and needs are those of IB's page of order types (https://interactivebrokers.github.io/tws-api/basic_orders.html);
what an exchange of this gateway does not have is error 387, as at IB.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from htbot.domain.instruments import SecType
from htbot.matching.terms import OrderKind
from htbot.matching.ticks import is_on_grid
from htbot.paper.contracts import Tradable
from htbot.paper.errors import OFF_TICK, RequestError, invalid, rejected

UNSUPPORTED_TYPE = 387
_MAX_PRICE = Decimal(10) ** 9
_FULL_PERCENT = Decimal(100)

_ALIASES: dict[OrderKind, tuple[str, ...]] = {
    OrderKind.MARKET: ("MARKET",),
    OrderKind.LIMIT: ("LIMIT",),
    OrderKind.STOP: ("STOP",),
    OrderKind.STOP_LIMIT: ("STOP LIMIT", "STOP LMT"),
    OrderKind.TRAIL: ("TRAILING STOP",),
    OrderKind.TRAIL_LIMIT: ("TRAIL LMT", "TRAILING STOP LIMIT"),
    OrderKind.MARKET_ON_CLOSE: ("MKTCLS",),
    OrderKind.LIMIT_ON_CLOSE: ("LMTCLS",),
    OrderKind.RELATIVE: ("RELATIVE", "PEG PRI", "PEG PRIM"),
    OrderKind.PEG_MIDPOINT: ("PEGMID",),
    OrderKind.MIDPRICE: ("MIDPX",),
}
_BY_NAME: dict[str, OrderKind] = {
    name.replace(" ", ""): kind for kind in OrderKind for name in (kind.value, *_ALIASES.get(kind, ()))
}

_HELD = {
    OrderKind.STOP,
    OrderKind.STOP_LIMIT,
    OrderKind.TRAIL,
    OrderKind.TRAIL_LIMIT,
    OrderKind.MARKET_IF_TOUCHED,
    OrderKind.LIMIT_IF_TOUCHED,
}
_PLAIN = {OrderKind.MARKET, OrderKind.LIMIT}
_OF_SEC_TYPE: dict[SecType, frozenset[OrderKind]] = {
    SecType.STOCK: frozenset(OrderKind),
    SecType.OPTION: frozenset(
        _PLAIN | _HELD | {OrderKind.RELATIVE, OrderKind.PEG_MIDPOINT, OrderKind.MARKET_TO_LIMIT, OrderKind.MIDPRICE}
    ),
    SecType.BAG: frozenset(_PLAIN | _HELD),
    SecType.FUTURE: frozenset(
        _PLAIN | _HELD | {OrderKind.MARKET_ON_CLOSE, OrderKind.LIMIT_ON_CLOSE, OrderKind.MARKET_TO_LIMIT}
    ),
    SecType.FOREX: frozenset(_PLAIN | _HELD),
    SecType.CRYPTO: frozenset(_PLAIN | _HELD),
}
_LIMIT_NEEDED = frozenset({OrderKind.LIMIT, OrderKind.STOP_LIMIT, OrderKind.LIMIT_IF_TOUCHED, OrderKind.LIMIT_ON_CLOSE})
_LIMIT_ALLOWED = _LIMIT_NEEDED | {
    OrderKind.TRAIL_LIMIT,
    OrderKind.RELATIVE,
    OrderKind.MIDPRICE,
    OrderKind.PEG_MIDPOINT,
}
_STOP_CODES = {
    OrderKind.STOP: (403, "Invalid stop price."),
    OrderKind.STOP_LIMIT: (403, "Invalid stop price."),
    OrderKind.MARKET_IF_TOUCHED: (361, "Invalid trigger price."),
    OrderKind.LIMIT_IF_TOUCHED: (361, "Invalid trigger price."),
}
_TRAILING = (OrderKind.TRAIL, OrderKind.TRAIL_LIMIT)
_NEEDS_OFFSET = (158, "You must specify an offset amount or a percent offset value.")


@dataclass(frozen=True, slots=True)
class OrderPrices:
    """The prices of an order, as `Terms` names them."""

    limit: Decimal | None = None
    aux: Decimal | None = None
    trail_stop: Decimal | None = None
    trail_percent: Decimal | None = None
    limit_offset: Decimal | None = None
    offset_fraction: Decimal | None = None


def kind_of(name: str, tradable: Tradable) -> OrderKind:
    """The type behind a name, if the contract trades with it.

    Raises:
        RequestError: 387.
    """
    kind = _BY_NAME.get(name.upper().replace(" ", ""))
    sec_types = {SecType.BAG} if tradable.is_combination else {item.contract.sec_type for item in tradable.details}
    if kind is None or not all(kind in _OF_SEC_TYPE.get(sec_type, _PLAIN) for sec_type in sec_types):
        text = f"Unsupported order type for this exchange and security type: {name[:20]}"
        raise RequestError(UNSUPPORTED_TYPE, text)
    return kind


def prices_of(kind: OrderKind, values: Mapping[str, Any], tradable: Tradable) -> OrderPrices:
    """The prices that the type needs, checked.

    Raises:
        RequestError: a price is missing (321, 361, 403, 158), impossible (201) or off the tick grid (110).
    """
    limit = _limit(kind, values, tradable)
    if kind in _TRAILING:
        return _trailing(kind, values, limit, tradable)
    if kind is OrderKind.RELATIVE:
        return OrderPrices(limit, aux=values["auxPrice"], offset_fraction=values["percentOffset"])
    if kind not in _STOP_CODES:
        return OrderPrices(limit)
    aux = values["auxPrice"]
    if not aux or (aux < 0 and not tradable.is_combination):
        raise RequestError(*_STOP_CODES[kind])
    return OrderPrices(limit, _on_grid(aux, tradable))


def _limit(kind: OrderKind, values: Mapping[str, Any], tradable: Tradable) -> Decimal | None:
    limit: Decimal | None = values["lmtPrice"]
    if kind not in _LIMIT_ALLOWED:
        return None
    if kind not in _LIMIT_NEEDED:
        return _on_grid(limit, tradable) if limit else None
    if limit is None:
        raise invalid("Missing limit price")
    if abs(limit) > _MAX_PRICE or (limit <= 0 and not tradable.is_combination):
        raise rejected(f"Invalid limit price {limit}")
    return _on_grid(limit, tradable)


def _trailing(kind: OrderKind, values: Mapping[str, Any], limit: Decimal | None, tradable: Tradable) -> OrderPrices:
    amount, percent = values["auxPrice"] or None, values["trailingPercent"] or None
    if (amount is None) == (percent is None):
        if amount is None:
            raise RequestError(*_NEEDS_OFFSET)
        raise invalid("A trailing order has either a trailing amount or a trailing percent, not both")
    if (amount or 0) < 0 or not 0 <= (percent or 0) < _FULL_PERCENT:
        raise RequestError(*_NEEDS_OFFSET)
    stop = values["trailStopPrice"]
    offset = values["lmtPriceOffset"]
    if kind is OrderKind.TRAIL_LIMIT and (limit is None) == (offset is None):
        raise invalid("A TRAIL LIMIT order has either a limit price or a limit price offset")
    if limit is not None and stop is None:
        raise invalid("A TRAIL LIMIT order with a limit price needs trailStopPrice")
    return OrderPrices(
        limit,
        aux=amount,
        trail_stop=None if stop is None else _on_grid(stop, tradable),
        trail_percent=percent,
        limit_offset=offset if kind is OrderKind.TRAIL_LIMIT else None,
    )


def _on_grid(price: Decimal, tradable: Tradable) -> Decimal:
    if abs(price) > _MAX_PRICE:
        raise rejected(f"Invalid price {price}")
    if not is_on_grid(tradable.price_rule, price):
        text = "The price does not conform to the minimum price variation for this contract."
        raise RequestError(OFF_TICK, text)
    return price
