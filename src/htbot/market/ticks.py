"""The path of a price that is recorded trade by trade.

The price at an instant is that of the last trade at or before it. Trades before and after the regular session belong to
the day too: its hours are 04:00 to 20:00 New York; its close is the last trade of the regular session.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from operator import mul

from htbot.domain.recorded import TickColumns
from htbot.market.path import PathBar, bucket_spans
from htbot.market.ports import Print

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class TickPath:
    """One symbol's trades of one day.

    Args:
        columns: the trades of the symbol, all days.
        hours: first and last second of the day.
        regular_closes_s: the close of the regular session.
    """

    def __init__(self, columns: TickColumns, hours: tuple[int, int], regular_closes_s: int) -> None:
        self.opens_s, self.closes_s = hours
        self._columns = columns
        self._first = bisect_left(columns.at_ms, self.opens_s * 1000)
        last = bisect_right(columns.at_ms, self.closes_s * 1000)
        rows = slice(self._first, last)
        self._at_ms, self._price, self._size = columns.at_ms[rows], columns.price[rows], columns.size[rows]
        self._high = array("d", accumulate(self._price, max))
        self._low = array("d", accumulate(self._price, min))
        self._volume = array("d", accumulate(self._size))
        self._value = array("d", accumulate(map(mul, self._price, self._size)))
        self._regular = max(bisect_right(self._at_ms, regular_closes_s * 1000) - 1, 0)

    def __len__(self) -> int:
        return len(self._at_ms)

    @property
    def first_s(self) -> int:
        """The second of the first trade."""
        return self._at_ms[0] // 1000

    @property
    def last_s(self) -> int:
        """The second at which the last trade is over."""
        return -(-self._at_ms[-1] // 1000)

    @property
    def open(self) -> float:
        """The first price of the day."""
        return self._price[0]

    @property
    def close(self) -> float:
        """The last price of the regular session."""
        return self._price[self._regular]

    def price(self, at_s: int) -> float | None:
        """Price of the last trade; None before the first."""
        row = self._row(at_s)
        return self._price[row] if row >= 0 else None

    def changed_s(self, at_s: int) -> int:
        """The second of the last trade."""
        return self._at_ms[max(self._row(at_s), 0)] // 1000

    def between(self, from_s: int, until_s: int) -> PathBar | None:
        """The trades of (from, until]; of the whole day so far when it begins at the open. None without a trade."""
        first, last = self._row(from_s) + 1, self._row(until_s)
        if last < first:
            return None
        rows = slice(first, last + 1)
        before_volume, before_value = (self._volume[first - 1], self._value[first - 1]) if first else (0.0, 0.0)
        return PathBar(
            self._price[first],
            max(self._price[rows]) if first else self._high[last],
            min(self._price[rows]) if first else self._low[last],
            self._price[last],
            self._volume[last] - before_volume,
            last + 1 - first,
            self._value[last] - before_value,
        )

    def so_far(self, at_s: int) -> PathBar | None:
        """The day until an instant."""
        return self.between(self.opens_s - 1, at_s)

    def buckets(self, length_s: int, limits: tuple[int, int]) -> list[tuple[int, int]]:
        """(start, end) of the bars of a length that start within the limits, counted from the beginning of the day."""
        return bucket_spans(self.opens_s, self.closes_s, length_s, limits)

    def turns(self) -> Iterator[int]:
        """Seconds by whose end there are new trades."""
        before = -1
        for at_ms in self._at_ms:
            at_s = -(-at_ms // 1000)
            if at_s != before:
                yield at_s
                before = at_s

    def prints(self, after: datetime, until: datetime) -> Sequence[Print]:
        """Trades in (after, until], in the order of the tape."""
        first = bisect_right(self._at_ms, (after - _EPOCH) // _MILLISECOND)
        last = bisect_right(self._at_ms, (until - _EPOCH) // _MILLISECOND)
        exchange, conditions = self._columns.exchange, self._columns.conditions
        return [
            Print(
                _EPOCH + timedelta(milliseconds=self._at_ms[row]),
                self._price[row],
                self._size[row],
                exchange[self._first + row],
                conditions[self._first + row],
            )
            for row in range(first, last)
        ]

    def _row(self, at_s: int) -> int:
        return bisect_right(self._at_ms, at_s * 1000) - 1
