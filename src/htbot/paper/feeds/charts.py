"""Historical bars: rows of every kind of series, and charts that are kept up to date."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from htbot.domain.instruments import Contract, SecType
from htbot.domain.sessions import NEW_YORK
from htbot.market.ports import Candle, Market, Show
from htbot.paper.contracts import Tradable
from htbot.paper.feeds.durations import SHOWS, BarSize
from htbot.paper.feeds.extended import outside_hours
from htbot.paper.prices import Prices
from htbot.paper.session import Session
from htbot.paper.wire import messages
from htbot.paper.wire.tables import group_text
from htbot.paper.wire.times import day_text, epoch, stamp

_NONE = -1
_UPDATE_PERIOD_S = 5
_DIGITS = 6
_SECOND = timedelta(seconds=1)
_EVENING = timedelta(hours=6)
_BY_DAY = frozenset({SecType.STOCK, SecType.INDEX, SecType.OPTION})


@dataclass(frozen=True, slots=True)
class Series:
    """What bars are of: a contract, a `whatToShow`, a length; with or without extended hours."""

    tradable: Tradable
    show: str
    size: BarSize
    outside_rth: bool = False

    @property
    def contract(self) -> Contract:
        """The contract."""
        return self.tradable.details[0].contract


def spans(market: Market, series: Series, limits: tuple[datetime, datetime]) -> Iterator[tuple[datetime, datetime]]:
    """The limits cut into days, between two bars each, so that a long history can be made a piece at a time.

    A day begins at midnight in New York, of what trades round the clock at 18:00 of the evening before, after a pause.
    """
    since, until = limits
    size = series.size
    before = timedelta() if series.contract.sec_type in _BY_DAY else _EVENING
    first, last = since.astimezone(NEW_YORK).date(), until.astimezone(NEW_YORK).date() + timedelta(days=1)
    for session in market.sessions.all():
        if first <= session.day <= last:
            cut = datetime(session.day.year, session.day.month, session.day.day, tzinfo=NEW_YORK) - before
            if since < cut <= until and (size.period == "day" or size.start_of(cut) == cut):
                yield since, cut.astimezone(UTC) - _SECOND
                since = cut.astimezone(UTC)
    yield since, until


def fetch(market: Market, series: Series, limits: tuple[datetime, datetime]) -> list[Candle]:
    """Bars that start within the limits, as a client gets them: without trades volume, average and count are -1."""
    contract = series.contract
    rule = SHOWS[series.show]
    parts = [_bars(market, series, part, limits) for part in rule.series]
    if len(parts) == 2:
        return _both_sides(*parts)
    if not rule.traded:
        return [replace(bar, volume=_NONE, average=_NONE, count=_NONE) for bars in parts for bar in bars]
    if contract.sec_type is SecType.INDEX:
        return [replace(bar, volume=0, average=0, count=0) for bars in parts for bar in bars]
    return [bar if bar.average else replace(bar, average=typical(bar)) for bars in parts for bar in bars]


def typical(bar: Candle) -> float:
    """The price that stands for a bar whose trades are not known one by one."""
    return round((bar.high + bar.low + bar.close) / 3, _DIGITS)


def _bars(market: Market, series: Series, part: Show, limits: tuple[datetime, datetime]) -> list[Candle]:
    size, con_id = series.size, series.contract.con_id
    span = size.start_of(limits[0]), limits[1]
    pieces = market.candles(con_id, size.pieces_s, *span, part)
    if series.outside_rth and not size.period and series.contract.sec_type is SecType.STOCK:
        more = outside_hours(market, con_id, size.pieces_s, span, part)
        pieces = sorted([*pieces, *more], key=lambda bar: bar.start)
    return pieces if size.is_whole else merged(pieces, size)


def merged(pieces: Iterable[Candle], size: BarSize) -> list[Candle]:
    """Pieces joined to bars of a size; a week's or month's bar carries the date of its last session, as at IB."""
    found: dict[datetime, Candle] = {}
    for piece in pieces:
        key = size.start_of(piece.start)
        known = found.get(key)
        found[key] = piece if known is None else _joined(known, piece, size)
    return list(found.values())


def _joined(first: Candle, later: Candle, size: BarSize) -> Candle:
    volume = first.volume + later.volume
    average = (first.average * first.volume + later.average * later.volume) / volume if volume else later.average
    return Candle(
        later.start if size.period else first.start,
        size.seconds,
        first.open,
        max(first.high, later.high),
        min(first.low, later.low),
        later.close,
        volume,
        round(average, _DIGITS),
        first.count + later.count,
    )


def _both_sides(bids: list[Candle], asks: list[Candle]) -> list[Candle]:
    """BID_ASK: average bid, highest ask, lowest bid, average ask."""
    found = {bar.start: bar for bar in asks}
    return [
        Candle(bid.start, bid.seconds, _mean(bid), ask.high, bid.low, _mean(ask), _NONE, _NONE, _NONE)
        for bid in bids
        if (ask := found.get(bid.start)) is not None
    ]


def _mean(bar: Candle) -> float:
    return round((bar.open + bar.high + bar.low + bar.close) / 4, _DIGITS)


@dataclass(slots=True)
class Chart:
    """One reqHistoricalData. `rows` are the bars of its answer as they are written, `shown` is the last of its bars."""

    req_id: int
    series: Series
    format_date: int
    shown: Candle | None = None
    updated: int = 0
    rows: list[str] = field(default_factory=list)

    def add(self, bars: list[Candle], session: Session) -> None:
        """More bars of the answer, in order."""
        version = session.version
        self.rows += (group_text(messages.HISTORICAL_DATA, "bars", self._values(bar, version), version) for bar in bars)
        self.shown = bars[-1] if bars else self.shown

    def send_history(self, session: Session, limits: tuple[datetime, datetime]) -> None:
        """Queue the answer to the request."""
        since, until = limits
        values = {
            "reqId": self.req_id,
            "start": stamp(since, session.version),
            "end": stamp(until, session.version),
            "bars": self.rows,
        }
        session.send(messages.HISTORICAL_DATA, values)
        self.rows = []
        self.updated = epoch(until) // _UPDATE_PERIOD_S

    def publish(self, session: Session, prices: Prices) -> None:
        """Queue what changed since: the rest of the last bar, then the bars that began after it.

        Every five seconds of market time; a stepped client at each instant, since it sees no other.
        """
        period = epoch(prices.at) // _UPDATE_PERIOD_S
        if self.shown is None or (period == self.updated and not session.stepped):
            return
        self.updated = period
        limits = self.series.size.start_of(self.shown.start), prices.at
        for bar in fetch(prices.market, self.series, limits):
            if bar.start >= self.shown.start and bar != self.shown:
                session.send(messages.HISTORICAL_UPDATE, {"reqId": self.req_id, **self._values(bar, session.version)})
                self.shown = bar

    def _values(self, bar: Candle, version: int) -> dict[str, Any]:
        return {
            "date": self._date(bar, version),
            "open": bar.open,
            "high": bar.high,
            "low": bar.low,
            "close": bar.close,
            "volume": round(bar.volume, _DIGITS),
            "wap": bar.average,
            "count": bar.count,
        }

    def _date(self, bar: Candle, version: int) -> str:
        if self.series.size.period:
            return day_text(bar.start.astimezone(NEW_YORK).date())
        return str(epoch(bar.start)) if self.format_date == 2 else stamp(bar.start, version)
