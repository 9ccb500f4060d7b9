"""Bars of any length, of trades and of the two sides.

Bars of an underlying are cut out of its path, those of its sides lie at the touch around it. Where quotes are recorded,
and for options, bars are made of the quotes in force at the events of the session.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence

from htbot.domain.sessions import Session
from htbot.market.path import PathBar, bucket_starts
from htbot.market.ports import Candle, Show
from htbot.market.tape import Path
from htbot.market.timeline import epoch_s, instant
from htbot.market.touch import Touch

DAY_S = 86_400
_SIDE_DIGITS = 9


def spans(path: Path, seconds: int, limits: tuple[int, int]) -> list[tuple[int, int]]:
    """(start, end) of a session's bars of a length that start within the limits; a day's bar is the session."""
    if seconds < DAY_S:
        return path.buckets(seconds, limits)
    return [(path.opens_s, path.closes_s)] if limits[0] <= path.opens_s <= limits[1] else []


def path_candles(path: Path, seconds: int, limits: tuple[int, int], show: Show, touch: Touch) -> Iterator[Candle]:
    """A session's bars that start within the limits (both ends included), the last one cut at the later limit."""
    until_s = limits[1]
    for start, end in spans(path, seconds, limits):
        part = path.between(start, min(end, until_s))
        if part is not None and show is Show.TRADES:
            average = part.value / part.volume if part.value else (part.high + part.low + part.close) / 3
            count = part.count or (min(end, until_s) - start if part.volume else 0)
            prices = (part.open, part.high, part.low, part.close)
            yield Candle(instant(start), seconds, *prices, part.volume, round(average, 6), count)
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
    for start in bucket_starts(opens_s, closes_s, min(seconds, closes_s - opens_s), limits):
        end = min(start + seconds, closes_s, limits[1])
        sampled = [*events[bisect_left(events, start) : bisect_right(events, end)], end]
        values = [round(value, _SIDE_DIGITS) for value in map(side, sampled) if value is not None]
        if values:
            yield Candle(instant(start), seconds, values[0], max(values), min(values), values[-1])
