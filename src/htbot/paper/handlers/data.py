"""Market data lines: reqMktData, its cancel, and the type of market data."""

from __future__ import annotations

from collections import Counter
from typing import Any

from htbot.paper.contracts import Tradable
from htbot.paper.errors import NO_MARKET_DATA_ID, RequestError, invalid
from htbot.paper.feeds.entitlement import Serving, Subscriptions, serving
from htbot.paper.feeds.generic import GenericTicks
from htbot.paper.feeds.lines import MarketLine
from htbot.paper.feeds.streams import duplicate
from htbot.paper.handlers.ports import Context, Handler
from htbot.paper.wire import messages

_TOO_MANY_LINES = 101
_BBO_EXCHANGE = "a60001"


def market_data(context: Context, values: dict[str, Any]) -> None:
    """Begin a line, or answer a snapshot and end it."""
    gateway, session = context.gateway, context.session
    request_id = values["reqId"]
    once = values["snapshot"] or values["regulatorySnapshot"]
    if request_id in session.lines:
        raise duplicate(request_id)
    generic = GenericTicks.parse(values["genericTicks"], values["secType"] or "STK")
    if once and generic:
        raise invalid("Snapshot market data subscription is not applicable to generic ticks")
    tradable = gateway.contracts.tradable(values, gateway.now)
    if not once and _lines_used(context, tradable) > gateway.config.data.lines:
        raise RequestError(_TOO_MANY_LINES, f"Max number of tickers has been reached: {gateway.config.data.lines}")
    line = _line(context, values, tradable, generic)
    line.publish(session, gateway.prices)
    if once:
        session.send(messages.SNAPSHOT_END, {"reqId": request_id})
    else:
        session.lines[request_id] = line


def _lines_used(context: Context, wanted: Tradable) -> int:
    """Lines in use with one more for `wanted`: clients share a contract's line, requests of one client do not."""
    most: Counter[tuple[int, ...]] = Counter()
    for session in context.gateway.sessions.values():
        own = Counter(line.tradable.con_ids for line in session.lines.values())
        if session is context.session:
            own[wanted.con_ids] += 1
        most |= own
    return most.total()


def _line(context: Context, values: dict[str, Any], tradable: Tradable, generic: GenericTicks) -> MarketLine:
    """The line, its note, tick rules and type of market data told."""
    gateway, session = context.gateway, context.session
    request_id = values["reqId"]
    subscriptions = gateway.config.data.subscriptions
    if values["regulatorySnapshot"]:
        subscriptions = Subscriptions.REALTIME  # is paid for one by one
    form: Serving = serving(subscriptions, session.market_data_type, independent=bool(generic.independent))
    line = MarketLine(request_id, tradable, generic if form.prices else generic.independent, form)
    if form.note is not None:
        session.error(request_id, *form.note)
    tick = tradable.price_rule[0][1]
    session.send(messages.TICK_PARAMETERS, {"reqId": request_id, "minTick": tick, "bboExchange": _BBO_EXCHANGE})
    line.tell_kind(session, gateway.prices)
    return line


def cancel_market_data(context: Context, values: dict[str, Any]) -> None:
    """End a line."""
    if context.session.lines.pop(values["reqId"], None) is None:
        raise RequestError(NO_MARKET_DATA_ID, f"Can't find EId with tickerId:{values['reqId']}")


def market_data_type(context: Context, values: dict[str, Any]) -> None:
    """Remember the wish for the lines that are asked for from now on."""
    if values["type"] not in {1, 2, 3, 4}:
        raise invalid(f"Invalid market data type {values['type']}: use 1, 2, 3 or 4")
    context.session.market_data_type = values["type"]


HANDLERS: dict[str, Handler] = {
    "reqMktData": market_data,
    "cancelMktData": cancel_market_data,
    "reqMarketDataType": market_data_type,
}
