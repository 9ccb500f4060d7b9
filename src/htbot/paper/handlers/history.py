"""Historical bars, schedules, head timestamps and histograms."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from htbot.domain.instruments import SecType
from htbot.domain.sessions import NEW_YORK, SessionTable
from htbot.market.ports import ContractDetails, Market, Show
from htbot.paper.contracts import Tradable
from htbot.paper.errors import HISTORICAL, NO_HISTORICAL_ID, RequestError, invalid, no_history
from htbot.paper.feeds.charts import Chart, Series, fetch, spans, typical
from htbot.paper.feeds.durations import ADJUSTED, SCHEDULE, SHOWS, BarSize, Duration, check_kind, show_of
from htbot.paper.feeds.entitlement import check_history
from htbot.paper.feeds.streams import Kind, check_free, close_stream, of_kind, open_stream
from htbot.paper.handlers.ports import Context, Handler
from htbot.paper.wire import messages
from htbot.paper.wire.times import day_text, epoch, parse_stamp, stamp
from htbot.paper.wire.values import WireError

_INVALID_TIME = 10314
_CONTINUOUS_END = 10339
_SCHEDULES_SINCE = 165
_OPEN_CHARTS = 50
_SECOND = timedelta(seconds=1)
_MINUTE_S, _HALF_HOUR_S = 60, 1800
_MINUTES_REACH = timedelta(days=8)
_WITHOUT_VOLUME = frozenset({SecType.INDEX, SecType.FOREX})


def instant_of(text: str) -> datetime | None:
    """A client's time as aware UTC; None for empty text.

    Raises:
        RequestError: 10314 for text that is no time or names an unknown zone.
    """
    try:
        return parse_stamp(text)
    except WireError as error:
        raise RequestError(_INVALID_TIME, f"End Date/Time: {error}") from error


def name_of(tradable: Tradable) -> str:
    """A contract as errors about history name it: `SPY@SMART`."""
    return f"{tradable.wire['symbol']}@{tradable.wire['exchange']}"


def subject(context: Context, values: dict[str, Any]) -> Tradable:
    """The contract whose history is asked for.

    Raises:
        RequestError: 200 for none, 162 for a combination or a login without market data.
    """
    gateway = context.gateway
    tradable = gateway.contracts.tradable(values, gateway.now)
    if tradable.is_combination:
        raise no_history("HMDS query returned no data: combinations have no history here")
    check_history(gateway.config.data.subscriptions, name_of(tradable))
    return tradable


@dataclass(frozen=True, slots=True)
class BarQuery:
    """What reqHistoricalData asks for, checked; `end` None = now."""

    show: str
    size: BarSize
    duration: Duration
    end: datetime | None
    stays: bool
    rth: bool

    @staticmethod
    def of(values: dict[str, Any]) -> BarQuery:
        """Read a request.

        Raises:
            RequestError: 321, or 10314 for the end, when the parts are not valid or do not go together.
        """
        query = BarQuery(
            show_of(values["whatToShow"]),
            BarSize.parse(values["barSize"]),
            Duration.parse(values["duration"]),
            instant_of(values["endDateTime"]),
            values["keepUpToDate"],
            values["useRTH"],
        )
        query.duration.check(query.size)
        if values["formatDate"] not in {1, 2}:
            raise invalid(f"Format date {values['formatDate']} is invalid: use 1 or 2")
        if query.show == ADJUSTED and query.end is not None:
            raise invalid("End date is not supported with adjusted last")
        query._check_updates()
        return query

    def _check_updates(self) -> None:
        if not self.stays:
            return
        if self.end is not None:
            raise invalid("End date is not supported with keepUpToDate")
        if not SHOWS[self.show].live:
            raise invalid(f"{self.show} is not supported with keepUpToDate: use TRADES, MIDPOINT, BID or ASK")
        if self.size.seconds < 5:
            raise invalid("Bars below 5 secs are not supported with keepUpToDate")

    def begins(self, until: datetime, sessions: SessionTable) -> datetime:
        """Where the range that ends at `until` begins, at the world's first session at the earliest.

        Raises:
            RequestError: 162 for an end before the world.
        """
        first = sessions.all()[0].opens
        if until < first:
            raise no_history("HMDS query returned no data: the end is before the first session")
        return max(self.duration.before(until, sessions), first)

    def limits(self, context: Context, tradable: Tradable) -> tuple[datetime, datetime]:
        """The range, not beyond now; a range shorter than its bars reaches back to the bar that holds its end.

        A range of days begins with the trading day of the contract, which may be in the evening before.
        """
        gateway = context.gateway
        until = gateway.now if self.end is None else min(self.end, gateway.now)
        since = self.begins(until, gateway.market.sessions)
        if self.duration.unit == "D":
            hours = gateway.market.hours(tradable.details[0].contract.con_id, since.astimezone(NEW_YORK).date())
            since = min([since, *(begins for begins, _ in (hours.liquid if self.rth else hours.trading))])
        if self.size.is_whole and not self.size.period:
            since = min(since, until - timedelta(seconds=self.size.seconds) + _SECOND)
        return since, until


def historical_data(context: Context, values: dict[str, Any]) -> None:
    """Bars of a range that ends now or earlier; with keepUpToDate the chart goes on."""
    session = context.session
    request_id = values["reqId"]
    check_free(session, Kind.CHART, request_id)
    query = BarQuery.of(values)
    tradable = subject(context, values)
    kind = tradable.details[0].contract.sec_type
    if kind is SecType.CONTINUOUS_FUTURE and query.end is not None:
        text = "Setting end date/time for continuous future security type is not allowed."
        raise RequestError(_CONTINUOUS_END, text)
    check_kind(query.show, kind, name_of(tradable))
    if query.show == SCHEDULE:
        _send_schedule(context, values, tradable, query)
        return
    _check_pacing(context, values, query)
    limits = query.limits(context, tradable)
    series = Series(tradable, query.show, query.size, outside_rth=not query.rth)
    chart = Chart(request_id, series, values["formatDate"])
    session.loading[Kind.CHART, request_id] = chart
    session.tell_in_parts(_told(context, query, chart, limits))


def _told(context: Context, query: BarQuery, chart: Chart, limits: tuple[datetime, datetime]) -> Iterator[None]:
    """Make the bars of a chart a piece a step, then tell them, unless the request is cancelled meanwhile."""
    market, session, request_id = context.gateway.market, context.session, chart.req_id
    ends = query.end if query.end is not None and query.end <= context.gateway.now else None
    for span in spans(market, chart.series, limits):
        chart.add([bar for bar in fetch(market, chart.series, span) if ends is None or bar.start < ends], session)
        yield
        if session.loading.get((Kind.CHART, request_id)) is not chart:
            return
    del session.loading[Kind.CHART, request_id]
    if chart.shown is None:
        error = no_history(f"HMDS query returned no data: {name_of(chart.series.tradable)} {query.show.title()}")
        session.error(request_id, error.code, error.text)
        return
    chart.send_history(session, limits)
    if query.stays:
        open_stream(session, Kind.CHART, request_id, chart)


def _check_pacing(context: Context, values: dict[str, Any], query: BarQuery) -> None:
    gateway, session = context.gateway, context.session
    if query.stays and sum(1 for _ in of_kind([session], Kind.CHART)) >= _OPEN_CHARTS:
        raise no_history(f"pacing violation: {_OPEN_CHARTS} historical data requests are open")
    contract = (values["conId"], values["symbol"], values["localSymbol"], values["exchange"], query.show)
    identity = tuple(str(value) for name, value in sorted(values.items()) if name != "reqId")
    gateway.history_pacing.check(session.client_id, contract, identity, small=query.size.seconds <= 30)


def _send_schedule(context: Context, values: dict[str, Any], tradable: Tradable, query: BarQuery) -> None:
    gateway, session = context.gateway, context.session
    if session.version < _SCHEDULES_SINCE:
        raise invalid(f"Schedules need server version {_SCHEDULES_SINCE}")
    if query.size.period != "day":
        raise invalid("Schedules need the bar size '1 day'")
    sessions = gateway.market.sessions
    end = min(query.end or gateway.now, sessions.all()[-1].closes)
    since = query.begins(end, sessions)
    con_id = tradable.details[0].contract.con_id
    first, last = since.astimezone(NEW_YORK).date(), end.astimezone(NEW_YORK).date()
    rows: list[dict[str, str]] = []
    zone_name = ""
    for day in _days(first, last):
        hours = gateway.market.hours(con_id, day)
        zone_name, zone = hours.zone, ZoneInfo(hours.zone)
        for opens, closes in hours.liquid if values["useRTH"] else hours.trading:
            texts = (f"{instant.astimezone(zone):%Y%m%d-%H:%M:%S}" for instant in (opens, closes))
            rows.append({**dict(zip(("start", "end"), texts, strict=True)), "refDate": day_text(day)})
    if not rows:
        raise no_history(f"HMDS query returned no data: {name_of(tradable)} {SCHEDULE.title()}")
    message = {
        "reqId": values["reqId"],
        "start": rows[0]["start"],
        "end": rows[-1]["end"],
        "timeZone": zone_name,
        "sessions": rows,
    }
    session.send(messages.HISTORICAL_SCHEDULE, message)


def _days(first: date, last: date) -> Iterator[date]:
    while first <= last:
        yield first
        first += timedelta(days=1)


def cancel_historical_data(context: Context, values: dict[str, Any]) -> None:
    """End a chart that is kept up to date; IB confirms with error 162."""
    request_id = values["reqId"]
    if close_stream(context.session, Kind.CHART, request_id) is None:
        raise RequestError(NO_HISTORICAL_ID, f"No historical data query found for ticker id:{request_id}")
    text = f"Historical Market Data Service error message:API historical data query cancelled: {request_id}"
    context.session.error(request_id, HISTORICAL, text)


def head_timestamp(context: Context, values: dict[str, Any]) -> None:
    """The earliest instant of which the world has a price of the contract."""
    gateway, session = context.gateway, context.session
    show = show_of(values["whatToShow"])
    tradable = subject(context, values)
    details = tradable.details[0]
    check_kind(show, details.contract.sec_type, name_of(tradable))
    first = gateway.market.head(details.contract.con_id)
    if first is None:
        raise no_history(f"No head time stamp for {name_of(tradable)} {show.title()}")
    text = str(epoch(first)) if values["formatDate"] == 2 else stamp(first, session.version)
    session.send(messages.HEAD_TIMESTAMP, {"reqId": values["reqId"], "timestamp": text})


_PERIOD_UNITS = {"second": "S", "day": "D", "week": "W", "month": "M", "year": "Y"}


def _period(text: str) -> Duration:
    """A histogram's `3 days`, `1 week`; also as durations are written.

    Raises:
        RequestError: 321 for anything else.
    """
    words = text.strip().lower().split()
    if len(words) == 2:
        unit = _PERIOD_UNITS.get(words[1].removesuffix("s"))
        if unit is not None:
            return Duration.parse(f"{words[0]} {unit}")
    return Duration.parse(text)


def _traded(
    market: Market, details: ContractDetails, since: datetime, until: datetime
) -> Iterator[tuple[float, float]]:
    """(price, volume): an option's trades, of which there are few; of others each minute at its average price.

    Beyond a week the half hours stand for their minutes. Indices and currency pairs have no volume.
    """
    con_id, kind = details.contract.con_id, details.contract.sec_type
    if kind in _WITHOUT_VOLUME:
        return
    if kind is SecType.OPTION:
        yield from ((trade.price, trade.size) for trade in market.prints(con_id, since, until))
        return
    seconds = _MINUTE_S if until - since <= _MINUTES_REACH else _HALF_HOUR_S
    for bar in market.candles(con_id, seconds, since, until, Show.TRADES):
        yield bar.average or typical(bar), bar.volume


def histogram(context: Context, values: dict[str, Any]) -> None:
    """Volume by price of the period on the contract's grid."""
    gateway = context.gateway
    period = _period(values["timePeriod"])
    tradable = subject(context, values)
    details = tradable.details[0]
    since = period.before(gateway.now, gateway.market.sessions)
    tick = float(details.min_tick)
    counts: dict[int, float] = {}
    for price, volume in _traded(gateway.market, details, since, gateway.now):
        level = round(price / tick)
        counts[level] = counts.get(level, 0.0) + volume
    items = [{"price": round(level * tick, 6), "count": count} for level, count in sorted(counts.items()) if count > 0]
    if not items:
        raise no_history(f"HMDS query returned no data: {name_of(tradable)} histogram")
    context.session.send(messages.HISTOGRAM, {"reqId": values["reqId"], "items": items})


def _ended(_context: Context, _values: dict[str, Any]) -> None:
    """A cancel of what has been answered already."""


HANDLERS: dict[str, Handler] = {
    "reqHistoricalData": historical_data,
    "cancelHistoricalData": cancel_historical_data,
    "reqHeadTimeStamp": head_timestamp,
    "cancelHeadTimeStamp": _ended,
    "reqHistogramData": histogram,
    "cancelHistogramData": _ended,
}
