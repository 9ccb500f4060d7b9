"""Bars of any length, of trades and of the two sides, and the modelled tape of trades.

Bars of an underlying are cut out of its path, those of its sides lie at the touch around it. Where quotes are recorded,
and for options, bars are made of the quotes in force at the events of the session. Modelled trades happen once a second
at the price of the path, each with the volume that the path has had since the second before, so that trades, bars and
the day's volume agree; a bar of one or two seconds trades at its four vertices.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta

from htbot.domain.sessions import Session
from htbot.paper.market.path import SHORT_S, PathBar, SessionPath, vertices
from htbot.paper.market.timeline import epoch_s, instant
from htbot.paper.market.touch import Touch
from htbot.paper.ports import Candle, Print, Show

DAY_S = 86_400
_SIDE_DIGITS = 9


def spans(path: SessionPath, seconds: int) -> list[tuple[int, int]]:
    """(start, end) of a session's bars of a length; a day's bar is the session."""
    return [(path.opens_s, path.closes_s)] if seconds >= DAY_S else path.buckets(seconds)


def path_candles(
    path: SessionPath, seconds: int, limits: tuple[int, int], show: Show, touch: Touch
) -> Iterator[Candle]:
    """A session's bars that start within the limits (both ends included), the last one cut at the later limit."""
    since_s, until_s = limits
    for start, end in spans(path, seconds):
        if not since_s <= start <= until_s:
            continue
        part = path.between(start, min(end, until_s))
        if part is not None and show is Show.TRADES:
            average = round((part.high + part.low + part.close) / 3, 6)
            count = min(end, until_s) - start if part.volume else 0
            prices = (part.open, part.high, part.low, part.close)
            yield Candle(instant(start), seconds, *prices, part.volume, average, count)
        elif part is not None:
            yield _sided(part, start, seconds, show, touch)


def _sided(part: PathBar, start: int, seconds: int, show: Show, touch: Touch) -> Candle:
    def shown(price: float) -> float:
        if show is Show.BID:
            return touch.below(price)
        if show is Show.ASK:
            return touch.above(price)
        return round((touch.below(price) + touch.above(price)) / 2, _SIDE_DIGITS)

    return Candle(instant(start), seconds, shown(part.open), shown(part.high), shown(part.low), shown(part.close))


def quote_candles(
    session: Session, events: Sequence[int], seconds: int, limits: tuple[int, int], side: Callable[[int], float | None]
) -> Iterator[Candle]:
    """Bars of one value sampled at the events of a session; none where the value is missing throughout."""
    opens_s, closes_s = epoch_s(session.opens), epoch_s(session.closes)
    for start in range(opens_s, closes_s, min(seconds, closes_s - opens_s)):
        if not limits[0] <= start <= limits[1]:
            continue
        end = min(start + seconds, closes_s, limits[1])
        sampled = [*events[bisect_left(events, start) : bisect_right(events, end)], end]
        values = [round(value, _SIDE_DIGITS) for value in map(side, sampled) if value is not None]
        if values:
            yield Candle(instant(start), seconds, values[0], max(values), min(values), values[-1])


def path_prints(path: SessionPath, after: datetime, until: datetime) -> list[Print]:
    """The modelled trades of a path in (after, until]."""
    first_s = max(epoch_s(after), path.opens_s)
    found: list[Print] = []
    for index in range(path.running(first_s), path.running(epoch_s(until)) + 1):
        if index < 0:
            continue
        start, end = path.starts[index], path.end_of(index)
        if end - start <= SHORT_S:
            found += _vertex_prints(path, index)
        else:
            for at_s in range(max(start, first_s) + 1, min(end, epoch_s(until)) + 1):
                size = path.traded(index, at_s) - path.traded(index, at_s - 1)
                found.append(Print(instant(at_s), path.price_in(index, at_s), size))
    return [row for row in found if after < row.at <= until and row.size > 0]


def _vertex_prints(path: SessionPath, index: int) -> Iterator[Print]:
    """Four trades of a short bar: at a quarter, half, three quarters and the end of its time."""
    bar, start = path.candles[index], path.starts[index]
    span = timedelta(seconds=path.end_of(index) - start)
    for number, price in enumerate(vertices(bar), 1):
        size = path.share(bar.volume, number, 4) - path.share(bar.volume, number - 1, 4)
        yield Print(instant(start) + span * number / 4, price, size)
