"""Market data lines and historical data."""

from __future__ import annotations

from typing import Any

from htbot.domain.sessions import NEW_YORK
from htbot.paper.errors import DUPLICATE_TICKER, NO_HISTORICAL_ID, NO_MARKET_DATA_ID, RequestError, invalid, no_history
from htbot.paper.handlers.ports import Context, Handler
from htbot.paper.history import BarSize, Chart, check_show, fetch, start_of
from htbot.paper.marketdata import MarketLine
from htbot.paper.wire import messages
from htbot.paper.wire.times import day_text, epoch, parse_stamp, stamp

_MAX_LINES = 100
_BBO_EXCHANGE = "a60001"


def market_data(context: Context, values: dict[str, Any]) -> None:
    """Begin a line, or answer a snapshot and end it."""
    gateway, session = context.gateway, context.session
    request_id = values["reqId"]
    if request_id in session.lines:
        raise RequestError(DUPLICATE_TICKER, "Error processing request.-'bY' : cause - Duplicate ticker id")
    if sum(len(other.lines) for other in gateway.sessions.values()) >= _MAX_LINES and not values["snapshot"]:
        raise RequestError(101, "Max number of tickers has been reached")
    tradable = gateway.contracts.tradable(values, gateway.now)
    generic = frozenset(part.strip() for part in values["genericTicks"].split(",") if part.strip())
    line = MarketLine(request_id, tradable, generic)
    session.send(messages.MARKET_DATA_TYPE, {"reqId": request_id, "type": 1})
    tick = tradable.price_rule[0][1]
    session.send(messages.TICK_PARAMETERS, {"reqId": request_id, "minTick": tick, "bboExchange": _BBO_EXCHANGE})
    line.publish(session, gateway.prices)
    if values["snapshot"] or values["regulatorySnapshot"]:
        session.send(messages.SNAPSHOT_END, {"reqId": request_id})
    else:
        session.lines[request_id] = line


def cancel_market_data(context: Context, values: dict[str, Any]) -> None:
    """End a line."""
    if context.session.lines.pop(values["reqId"], None) is None:
        raise RequestError(NO_MARKET_DATA_ID, f"Can't find EId with tickerId:{values['reqId']}")


def market_data_type(context: Context, values: dict[str, Any]) -> None:
    """Remember the wish; this gateway's data are always live, and each line says so."""
    if values["type"] not in {1, 2, 3, 4}:
        raise invalid(f"Invalid market data type {values['type']}")
    context.session.market_data_type = values["type"]


def historical_data(context: Context, values: dict[str, Any]) -> None:
    """Bars of a range that ends now or earlier; with keepUpToDate the chart goes on."""
    gateway, session = context.gateway, context.session
    request_id = values["reqId"]
    if request_id in session.charts:
        raise RequestError(DUPLICATE_TICKER, "Error processing request.-'bY' : cause - Duplicate ticker id")
    show = check_show(values["whatToShow"])
    end = parse_stamp(values["endDateTime"])
    if values["keepUpToDate"] and end is not None:
        raise invalid("End date is not supported with keepUpToDate")
    until = gateway.now if end is None else min(end, gateway.now)
    since = start_of(values["duration"], until, gateway.market.sessions)
    if show == "SCHEDULE":
        _send_schedule(context, values)
        return
    size = BarSize.parse(values["barSize"])
    tradable = gateway.contracts.tradable(values, gateway.now)
    if tradable.is_combination:
        raise no_history("HMDS query returned no data: combinations have no history here")
    bars = fetch(gateway.market, tradable.legs[0].con_id, size, since, until)
    if not bars:
        wire = tradable.wire
        raise no_history(f"HMDS query returned no data: {wire['symbol']}@{wire['exchange']} {show.title()}")
    chart = Chart(request_id, tradable, size, show, values["formatDate"])
    chart.send_history(session, bars, since, until)
    if values["keepUpToDate"]:
        session.charts[request_id] = chart


def _send_schedule(context: Context, values: dict[str, Any]) -> None:
    gateway, session = context.gateway, context.session
    if session.version < 165:
        raise invalid("Schedules need server version 165")
    end = parse_stamp(values["endDateTime"]) or gateway.now
    since = start_of(values["duration"], end, gateway.market.sessions)
    days = [day for day in gateway.market.sessions.all() if since <= day.opens <= end]
    rows = [
        {
            "start": f"{day.opens.astimezone(NEW_YORK):%Y%m%d-%H:%M:%S}",
            "end": f"{day.closes.astimezone(NEW_YORK):%Y%m%d-%H:%M:%S}",
            "refDate": day_text(day.day),
        }
        for day in days
    ]
    message = {
        "reqId": values["reqId"],
        "start": rows[0]["start"] if rows else "",
        "end": rows[-1]["end"] if rows else "",
        "timeZone": "US/Eastern",
        "sessions": rows,
    }
    session.send(messages.HISTORICAL_SCHEDULE, message)


def cancel_historical_data(context: Context, values: dict[str, Any]) -> None:
    """End a chart that is kept up to date."""
    if context.session.charts.pop(values["reqId"], None) is None:
        raise RequestError(NO_HISTORICAL_ID, f"No historical data query found for ticker id:{values['reqId']}")


def head_timestamp(context: Context, values: dict[str, Any]) -> None:
    """The beginning of the world's first session."""
    gateway = context.gateway
    gateway.contracts.tradable(values, gateway.now)
    sessions = gateway.market.sessions.all()
    first = sessions[0].opens
    text = str(epoch(first)) if values["formatDate"] == 2 else stamp(first, context.session.version)
    context.session.send(messages.HEAD_TIMESTAMP, {"reqId": values["reqId"], "timestamp": text})


HANDLERS: dict[str, Handler] = {
    "reqMktData": market_data,
    "cancelMktData": cancel_market_data,
    "reqMarketDataType": market_data_type,
    "reqHistoricalData": historical_data,
    "cancelHistoricalData": cancel_historical_data,
    "reqHeadTimeStamp": head_timestamp,
    "cancelHeadTimeStamp": lambda _context, _values: None,
}
