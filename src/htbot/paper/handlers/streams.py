"""Tick-by-tick data, historical ticks, depth and real-time bars."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from htbot.domain.instruments import SecType
from htbot.domain.sessions import floor_to
from htbot.paper.contracts import Tradable
from htbot.paper.errors import NO_MARKET_DATA_ID, RequestError, invalid, no_history
from htbot.paper.feeds.charts import Series
from htbot.paper.feeds.depth import MAX_ROWS, DepthStream
from htbot.paper.feeds.durations import SHOWS
from htbot.paper.feeds.entitlement import check_live as check_entitled
from htbot.paper.feeds.entitlement import check_tick_by_tick
from htbot.paper.feeds.realtime import BAR_S, SIZE, RealTimeBars
from htbot.paper.feeds.streams import Kind, check_free, close_stream, of_kind, open_stream
from htbot.paper.feeds.ticks import (
    HISTORICAL,
    TickSpan,
    TickStream,
    TickType,
    check_live,
    historical_ticks,
    tick_type,
)
from htbot.paper.handlers.history import instant_of, name_of, subject
from htbot.paper.handlers.ports import Context, Handler

_MAX_TICKS = 1000
_TOO_MANY_TICKS, _TOO_MANY_DEPTHS, _NO_DEPTH_ID, _NO_DEPTH = 10190, 309, 310, 10092
_NOT_SUBSCRIBED, _SMART_NOTE, _BAD_BARS = 354, 2152, 420
_SMART = "SMART"
_WITH_DEPTH = frozenset(
    {SecType.STOCK, SecType.OPTION, SecType.FUTURE, SecType.CONTINUOUS_FUTURE, SecType.FOREX, SecType.CRYPTO}
)


def _con_ids(streams: Iterable[Any]) -> set[int]:
    return {stream.tradable.legs[0].con_id for stream in streams}


def _check_room(context: Context, kind: Kind, con_id: int, code: int, what: str) -> None:
    """Refuse another contract when as many as the login may watch at once are watched."""
    gateway = context.gateway
    limit = gateway.config.data.deep_streams
    watched = _con_ids(of_kind(gateway.sessions.values(), kind))
    if con_id not in watched and len(watched) >= limit:
        raise RequestError(code, f"Max number of {what} requests has been reached: {limit} contracts")


def _end(context: Context, kind: Kind, values: dict[str, Any], code: int) -> None:
    if close_stream(context.session, kind, values["reqId"]) is None:
        raise RequestError(code, f"Can't find EId with tickerId:{values['reqId']}: no {kind} under this id")


def tick_by_tick(context: Context, values: dict[str, Any]) -> None:
    """History of single ticks when a number is given, then the stream."""
    gateway, session = context.gateway, context.session
    request_id = values["reqId"]
    check_free(session, Kind.TICKS, request_id)
    wanted = tick_type(values["tickType"])
    count = values["numberOfTicks"]
    if not 0 <= count <= _MAX_TICKS:
        raise invalid(f"Number of ticks {count} is invalid: use 0 to {_MAX_TICKS}")
    tradable = gateway.contracts.tradable(values, gateway.now)
    check_live(SecType.BAG if tradable.is_combination else _kind(tradable), wanted)
    check_tick_by_tick(gateway.config.data.subscriptions, name_of(tradable))
    stream = TickStream(request_id, tradable, wanted, values["ignoreSize"], gateway.now)
    _check_room(context, Kind.TICKS, stream.con_id, _TOO_MANY_TICKS, "tick-by-tick")
    gateway.history_pacing.check(
        session.client_id, ("tick-by-tick", stream.con_id, wanted.name), ("tick-by-tick", stream.con_id), small=False
    )
    if count:
        span = TickSpan(None, gateway.now, count)
        table, rows = historical_ticks(
            gateway.market, tradable.details[0], wanted, span, ignore_size=values["ignoreSize"]
        )
        session.send(table, {"reqId": request_id, "ticks": rows})
    stream.begin(session, gateway.prices)
    open_stream(session, Kind.TICKS, request_id, stream)


def _kind(tradable: Tradable) -> SecType:
    return tradable.details[0].contract.sec_type


def cancel_tick_by_tick(context: Context, values: dict[str, Any]) -> None:
    """End a tick-by-tick stream."""
    _end(context, Kind.TICKS, values, NO_MARKET_DATA_ID)


def past_ticks(context: Context, values: dict[str, Any]) -> None:
    """Ticks from a start on or up to an end."""
    gateway, session = context.gateway, context.session
    wanted = HISTORICAL.get(values["whatToShow"].strip().upper())
    if wanted is None:
        raise invalid(f"Historical ticks whatToShow '{values['whatToShow'][:20]}' is invalid: {', '.join(HISTORICAL)}")
    count = values["numberOfTicks"]
    if not 1 <= count <= _MAX_TICKS:
        raise invalid(f"Number of ticks {count} is invalid: use 1 to {_MAX_TICKS}")
    start, end = instant_of(values["startDateTime"]), instant_of(values["endDateTime"])
    if (start is None) == (end is None):
        raise invalid("Historical ticks need either a start or an end, the other empty")
    tradable = subject(context, values)
    kind = _kind(tradable)
    trades = wanted is TickType.ALL_LAST
    if (trades and kind is SecType.FOREX) or (not trades and kind is SecType.INDEX):
        raise no_history(f"No historical ticks for {name_of(tradable)} {values['whatToShow']}")
    identity = tuple(str(value) for name, value in sorted(values.items()) if name != "reqId")
    series = (values["conId"], values["symbol"], values["exchange"], values["whatToShow"])
    gateway.history_pacing.check(session.client_id, series, identity, small=False)
    span = TickSpan(start, min(end or gateway.now, gateway.now), count)
    table, rows = historical_ticks(gateway.market, tradable.details[0], wanted, span, ignore_size=values["ignoreSize"])
    if not rows:
        raise no_history(f"HMDS query returned no data: {name_of(tradable)} {values['whatToShow'].title()} ticks")
    session.send(table, {"reqId": values["reqId"], "ticks": rows})


def depth(context: Context, values: dict[str, Any]) -> None:
    """A book of up to twenty rows a side; smart depth names the exchanges."""
    gateway, session = context.gateway, context.session
    request_id = values["reqId"]
    check_free(session, Kind.DEPTH, request_id)
    rows = values["rows"]
    if rows < 1:
        raise invalid(f"Number of rows {rows} is invalid: use 1 to {MAX_ROWS}")
    tradable = gateway.contracts.tradable(values, gateway.now)
    if tradable.is_combination or _kind(tradable) not in _WITH_DEPTH:
        text = "Deep market data is not supported for this combination of security type/exchange"
        raise RequestError(_NO_DEPTH, text)
    text = "Requested market data is not subscribed. Deep market data needs a subscription of its own."
    check_entitled(gateway.config.data.subscriptions, _NOT_SUBSCRIBED, text)
    _check_room(context, Kind.DEPTH, tradable.legs[0].con_id, _TOO_MANY_DEPTHS, "market depth")
    venues: tuple[str, ...] = ()
    if values["isSmartDepth"]:
        exchanges = tradable.details[0].valid_exchanges.split(",")
        venues = tuple(name for name in exchanges if name != _SMART) or (tradable.wire["exchange"],)
        session.error(request_id, _SMART_NOTE, f"Exchanges - Depth: {'; '.join(venues)}; Top: none")
    stream = DepthStream(request_id, tradable, min(rows, MAX_ROWS), venues)
    stream.publish(session, gateway.prices)
    open_stream(session, Kind.DEPTH, request_id, stream)


def cancel_depth(context: Context, values: dict[str, Any]) -> None:
    """End a book."""
    if close_stream(context.session, Kind.DEPTH, values["reqId"]) is None:
        text = f"Can't find the subscribed market depth with tickerId:{values['reqId']}"
        raise RequestError(_NO_DEPTH_ID, text)


def real_time_bars(context: Context, values: dict[str, Any]) -> None:
    """Bars of five seconds from the next full five seconds on."""
    gateway, session = context.gateway, context.session
    request_id = values["reqId"]
    check_free(session, Kind.BARS, request_id)
    if values["barSize"] != BAR_S:
        raise invalid(f"Real-time bars of {values['barSize']} seconds are not supported: use {BAR_S}")
    show = values["whatToShow"].strip().upper()
    if show not in SHOWS or not SHOWS[show].live:
        raise invalid(f"Real-time bars of '{values['whatToShow'][:20]}' are invalid: use TRADES, MIDPOINT, BID or ASK")
    tradable = gateway.contracts.tradable(values, gateway.now)
    if tradable.is_combination or _kind(tradable) not in SHOWS[show].kinds:
        raise RequestError(_BAD_BARS, f"Invalid Real-time Query: no {show} of {name_of(tradable)}")
    text = f"Invalid Real-time Query: No market data permissions for {name_of(tradable)}"
    check_entitled(gateway.config.data.subscriptions, _BAD_BARS, text)
    since = floor_to(gateway.now, BAR_S)
    series = Series(tradable, show, SIZE, outside_rth=not values["useRTH"])
    open_stream(session, Kind.BARS, request_id, RealTimeBars(request_id, series, since))


def cancel_real_time_bars(context: Context, values: dict[str, Any]) -> None:
    """End real-time bars."""
    _end(context, Kind.BARS, values, NO_MARKET_DATA_ID)


HANDLERS: dict[str, Handler] = {
    "reqTickByTickData": tick_by_tick,
    "cancelTickByTickData": cancel_tick_by_tick,
    "reqHistoricalTicks": past_ticks,
    "reqMktDepth": depth,
    "cancelMktDepth": cancel_depth,
    "reqRealTimeBars": real_time_bars,
    "cancelRealTimeBars": cancel_real_time_bars,
}
