"""Bars of stocks outside regular hours.

Where each trade is recorded they are made of the trades. Elsewhere nothing trades outside the session: such bars stand
at the last price with no volume, as the quotes of those hours do.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from htbot.domain.quotes import Quote
from htbot.domain.sessions import NEW_YORK
from htbot.market.ports import Candle, Market, Print, Show, TradingHours

_INSTANT = timedelta(microseconds=1)
_DIGITS = 9

Span = tuple[datetime, datetime]


def outside_hours(market: Market, con_id: int, seconds: int, limits: Span, series: Show) -> list[Candle]:
    """Bars that start within the limits (both included) in extended hours, oldest first."""
    since, until = limits
    day, last = since.astimezone(NEW_YORK).date(), until.astimezone(NEW_YORK).date()
    found: list[Candle] = []
    while day <= last:
        for opens, closes in _outside(market.hours(con_id, day)):
            starts = list(_starts((opens, closes), seconds, limits))
            if starts and market.has_tape(con_id) and series is Show.TRADES:
                found += _traded(market, con_id, seconds, starts, min(starts[-1] + timedelta(seconds=seconds), until))
            elif starts:
                found += _standing(market.quote(con_id, opens), seconds, starts, series)
        day += timedelta(days=1)
    return found


def _outside(hours: TradingHours) -> Iterator[Span]:
    """Trading hours without the regular ones."""
    for opens, closes in hours.trading:
        left = opens
        for begins, ends in hours.liquid:
            if left < begins <= closes:
                yield left, begins
            left = max(left, ends)
        if left < closes:
            yield left, closes


def _starts(span: Span, seconds: int, limits: Span) -> Iterator[datetime]:
    """Starts within the limits (both included) of bars that are counted from the span's beginning."""
    length = timedelta(seconds=seconds)
    start = span[0] + max(0, -((span[0] - limits[0]) // length)) * length
    while start < span[1] and start <= limits[1]:
        yield start
        start += length


def _standing(quote: Quote | None, seconds: int, starts: list[datetime], series: Show) -> Iterator[Candle]:
    if quote is None:
        return
    price = {Show.BID: quote.bid, Show.ASK: quote.ask, Show.MIDPOINT: quote.mid}.get(series, quote.last)
    if price is not None:
        price = round(price, _DIGITS)
        for start in starts:
            yield Candle(start, seconds, price, price, price, price)


def _traded(market: Market, con_id: int, seconds: int, starts: list[datetime], until: datetime) -> Iterator[Candle]:
    """Bars of recorded trades; none where nothing was traded."""
    first = starts[0]
    buckets: dict[int, list[Print]] = {}
    for trade in market.prints(con_id, first - _INSTANT, until):
        buckets.setdefault(int((trade.at - first).total_seconds() // seconds), []).append(trade)
    for number, trades in buckets.items():
        prices = [trade.price for trade in trades]
        volume = sum(trade.size for trade in trades)
        average = sum(trade.price * trade.size for trade in trades) / volume if volume else prices[-1]
        start = first + timedelta(seconds=seconds * number)
        edges = (prices[0], max(prices), min(prices), prices[-1])
        yield Candle(start, seconds, *edges, volume, round(average, _DIGITS), len(trades))
