"""The path of a price inside its bars (RULINGS 19): open, nearer extreme, other extreme, close.

The four vertices lie at 0, 1/3, 2/3 and the end of the bar, rounded to whole seconds, and the path is linear between
them, to a hundredth of a cent (or on the grid of its `units`). A tie of the extremes takes the low first in a bar that
rises, else the high. Between bars the last price stands. At the instant where one bar ends and the next begins the new
bar's open is the price. Times are epoch seconds.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate

from htbot.market.ports import Print
from htbot.market.timeline import epoch_s, instant

GRID_S = 30
SHORT_S = 3
"""Up to this length a bar's vertices do not all have a whole second of their own."""


@dataclass(frozen=True, slots=True)
class PathBar:
    """Open, high, low, close and volume of a stretch of the path; trades and turnover where each trade is known."""

    open: float
    high: float
    low: float
    close: float
    volume: float
    count: int = 0
    value: float = 0.0

    def joined(self, later: PathBar) -> PathBar:
        """This stretch and the following one as one."""
        return PathBar(
            self.open, max(self.high, later.high), min(self.low, later.low), later.close, self.volume + later.volume
        )


def vertices(candle: PathBar) -> tuple[float, float, float, float]:
    """The four prices that the path visits."""
    up, down = candle.high - candle.open, candle.open - candle.low
    low_first = down < up or (down == up and candle.close >= candle.open)
    if low_first:
        return candle.open, candle.low, candle.high, candle.close
    return candle.open, candle.high, candle.low, candle.close


def vertex_offsets(span_s: int) -> tuple[int, int, int, int]:
    """Seconds from the bar's start to each vertex."""
    return 0, (2 * span_s + 3) // 6, (4 * span_s + 3) // 6, span_s


@dataclass(frozen=True, slots=True)
class Units:
    """Decimal digits of a price between two vertices, its grid (ticks per unit, 0: none), the least volume traded."""

    digits: int = 2
    per_unit: float = 0.0
    lot: float = 1.0

    def rounded(self, price: float) -> float:
        """A price as the path shows it."""
        return round(round(price * self.per_unit) / self.per_unit if self.per_unit else price, self.digits)


_CENTS = Units()
_LOT_DIGITS = 8


def bucket_starts(opens_s: int, closes_s: int, length_s: int, limits: tuple[int, int]) -> range:
    """Starts within the limits (both included) of bars of a length that are counted from an open."""
    skipped = max(0, -((opens_s - limits[0]) // length_s))
    return range(opens_s + skipped * length_s, min(closes_s, limits[1] + 1), length_s)


def bucket_spans(opens_s: int, closes_s: int, length_s: int, limits: tuple[int, int]) -> list[tuple[int, int]]:
    """(start, end) of those bars; the day's last one is cut at the close."""
    return [(start, min(start + length_s, closes_s)) for start in bucket_starts(opens_s, closes_s, length_s, limits)]


class SessionPath:
    """One symbol's bars of one session, `length_s` long each, cut at the close."""

    def __init__(
        self,
        opens_s: int,
        closes_s: int,
        length_s: int,
        starts: Sequence[int],
        candles: Sequence[PathBar],
        units: Units = _CENTS,
    ) -> None:
        self.opens_s = opens_s
        self.closes_s = closes_s
        self.length_s = length_s
        self.starts = starts
        self.candles = candles
        self.units = units
        self._whole: list[PathBar] = []

    def __len__(self) -> int:
        return len(self.candles)

    @property
    def close(self) -> float:
        """The last price of the session."""
        return self.candles[-1].close

    @property
    def open(self) -> float:
        """The first price of the session."""
        return self.candles[0].open

    @property
    def first_s(self) -> int:
        """When the first bar begins."""
        return self.starts[0]

    @property
    def last_s(self) -> int:
        """When the last bar ends."""
        return self.end_of(len(self.candles) - 1)

    def end_of(self, index: int) -> int:
        """Where a bar ends: its length after its start, at the close at the latest."""
        return min(self.starts[index] + self.length_s, self.closes_s)

    def running(self, at_s: int) -> int:
        """Index of the last bar that has begun at an instant; -1 before the first."""
        return bisect_right(self.starts, at_s) - 1

    def share(self, volume: float, passed: int, span: int) -> float:
        """The part of a bar's volume that is traded after `passed` of its `span`, in whole lots."""
        lot = self.units.lot
        return round(volume * passed // (span * lot) * lot, _LOT_DIGITS)

    def traded(self, index: int, at_s: int) -> float:
        """Volume of bar `index` from its start to an instant inside it."""
        start = self.starts[index]
        return self.share(self.candles[index].volume, at_s - start, self.end_of(index) - start)

    def price(self, at_s: int) -> float | None:
        """Price at an instant; None before the first bar."""
        index = bisect_right(self.starts, at_s) - 1
        return self.price_in(index, at_s) if index >= 0 else None

    def changed_s(self, at_s: int) -> int:
        """When the price in force at an instant last moved: that instant inside a bar, the end of the bar after it."""
        return min(at_s, self.end_of(max(bisect_right(self.starts, at_s) - 1, 0)))

    def price_in(self, index: int, at_s: int) -> float:
        """Price at an instant at or after the start of bar `index`; the close from its end on."""
        start = self.starts[index]
        span = self.end_of(index) - start
        passed = at_s - start
        if passed >= span:
            return self.candles[index].close
        points = vertices(self.candles[index])
        if passed == 0:
            return points[0]
        offsets = vertex_offsets(span)
        leg = bisect_right(offsets, passed) - 1
        here, there = offsets[leg], offsets[leg + 1]
        if passed == here:
            return points[leg]
        return self.units.rounded(points[leg] + (points[leg + 1] - points[leg]) * (passed - here) / (there - here))

    def stretch(self, index: int, from_s: int, until_s: int) -> PathBar:
        """The part of bar `index` between two instants inside it, both ends included; the bar itself when whole."""
        candle = self.candles[index]
        start, end = self.starts[index], self.end_of(index)
        if from_s <= start and until_s >= end:
            return candle
        from_s, until_s = max(from_s, start), min(until_s, end)
        first, last = self.price_in(index, from_s), self.price_in(index, until_s)
        inside = [
            value
            for offset, value in zip(vertex_offsets(end - start), vertices(candle), strict=True)
            if from_s <= start + offset <= until_s
        ]
        volume = self.traded(index, until_s) - self.traded(index, from_s)
        return PathBar(first, max(first, last, *inside), min(first, last, *inside), last, volume)

    def between(self, from_s: int, until_s: int) -> PathBar | None:
        """All bars that begin before `until_s` and end after `from_s`, joined and cut to the two instants.

        With `until_s` equal to `from_s` the one price of that instant, when it lies inside a bar.
        """
        first = max(bisect_right(self.starts, from_s) - 1, 0)
        last = bisect_left(self.starts, until_s) if until_s > from_s else bisect_right(self.starts, until_s)
        joined: PathBar | None = None
        for index in range(first, last):
            if self.end_of(index) <= from_s:
                continue
            part = self.stretch(index, from_s, until_s)
            joined = part if joined is None else joined.joined(part)
        return joined

    def so_far(self, at_s: int) -> PathBar | None:
        """The session until an instant: whole bars from a running table, the one that runs cut."""
        index = self.running(at_s)
        if index < 0:
            return None
        if not self._whole:
            self._whole = list(accumulate(self.candles, PathBar.joined))
        start, end = self.starts[index], self.end_of(index)
        if at_s >= end:
            return self._whole[index]
        before = self._whole[index - 1] if index else None
        if at_s == start and before is not None:
            return before
        part = self.stretch(index, start, at_s)
        return before.joined(part) if before is not None else part

    def buckets(self, length_s: int, limits: tuple[int, int]) -> list[tuple[int, int]]:
        """(start, end) of the bars of a length that start within the limits, both included.

        The file's own bars are told as they are, others are counted from the session's open.
        """
        if length_s == self.length_s:
            rows = range(bisect_left(self.starts, limits[0]), bisect_right(self.starts, limits[1]))
            return [(self.starts[index], self.end_of(index)) for index in rows]
        return bucket_spans(self.opens_s, self.closes_s, length_s, limits)

    def turns(self) -> Iterable[int]:
        """Instants at which the path turns or a bar begins or ends."""
        for index, start in enumerate(self.starts):
            for offset in vertex_offsets(self.end_of(index) - start):
                yield start + offset

    def prints(self, after: datetime, until: datetime) -> list[Print]:
        """Modelled trades in (after, until]: one a second at the price of the path.

        Each has the volume since the one before; a bar of up to three seconds trades at its four vertices.
        """
        first_s, last_s = max(epoch_s(after), self.opens_s), epoch_s(until)
        found: list[Print] = []
        for index in range(max(self.running(first_s) - 1, 0), self.running(last_s) + 1):
            start, end = self.starts[index], self.end_of(index)
            if end - start <= SHORT_S:
                found += self._vertex_prints(index)
                continue
            for at_s in range(max(start, first_s) + 1, min(end, last_s) + 1):
                size = round(self.traded(index, at_s) - self.traded(index, at_s - 1), _LOT_DIGITS)
                found.append(Print(instant(at_s), self.price_in(index, at_s), size))
        return [row for row in found if after < row.at <= until and row.size > 0]

    def _vertex_prints(self, index: int) -> Iterator[Print]:
        """Four trades of a short bar: at a quarter, half, three quarters and the end of its time."""
        bar, start = self.candles[index], self.starts[index]
        span = timedelta(seconds=self.end_of(index) - start)
        for number, price in enumerate(vertices(bar), 1):
            size = self.share(bar.volume, number, 4) - self.share(bar.volume, number - 1, 4)
            yield Print(instant(start) + span * number / 4, price, size)


def event_times(opens_s: int, closes_s: int, turns: Iterable[int]) -> list[int]:
    """Every instant of a session at which a price may change: 30-second grid points and turns, both ends included."""
    return sorted({*range(opens_s, closes_s, GRID_S), closes_s, *turns})
