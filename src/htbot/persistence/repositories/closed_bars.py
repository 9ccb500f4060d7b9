"""Closed bars of many symbols in one statement, as plain numbers: what the evaluation of many strategies reads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from htbot.marketdata.tape_bars import ClosedBar
from htbot.persistence.repositories.base import Repository

SeriesKey = tuple[str, int]
"""Symbol and minutes."""
Found = dict[SeriesKey, list[ClosedBar]]

_NUMBERS = "extract(epoch FROM start)::bigint, extract(epoch FROM known_at)::float8, open, high, low, close, volume"
_KNOWN = f"""
SELECT symbol, minutes, {_NUMBERS} FROM bars
WHERE world_id = %s AND known_at > %s AND known_at <= %s AND symbol = ANY(%s)
ORDER BY symbol, minutes, start
"""  # noqa: S608
_HISTORY = f"""
SELECT wanted.symbol, wanted.minutes, bar.*
FROM unnest(%s::text[], %s::int[], %s::timestamptz[], %s::int[]) AS wanted (symbol, minutes, since, most),
LATERAL (
    SELECT {_NUMBERS} FROM bars
    WHERE world_id = %s AND symbol = wanted.symbol AND minutes = wanted.minutes AND start >= wanted.since
      AND known_at <= %s
    ORDER BY start DESC LIMIT wanted.most
) AS bar
"""  # noqa: S608
_ALL = 2_000_000_000
_ANY_TIME = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class HistoryNeed:
    """Bars of a series from a start on (None: from its beginning), at most the last so many (None: all)."""

    symbol: str
    minutes: int
    since: datetime | None = None
    most: int | None = None


class ClosedBarRepository(Repository):
    """Reads for many series at once, each oldest first; nothing that was not known at `as_of`."""

    def known(self, world_id: str, symbols: Iterable[str], after: datetime, as_of: datetime) -> Found:
        """Bars of every length that became known in (after, as_of]."""
        return _grouped(self._rows(_KNOWN, (world_id, after, as_of, sorted(symbols))))

    def history(self, world_id: str, needs: Sequence[HistoryNeed], as_of: datetime) -> Found:
        """The bars that are asked for; of two needs of one series the later one counts."""
        wanted = list({(need.symbol, need.minutes): need for need in needs}.values())
        asked = (
            [need.symbol for need in wanted],
            [need.minutes for need in wanted],
            [need.since or _ANY_TIME for need in wanted],
            [need.most or _ALL for need in wanted],
            world_id,
            as_of,
        )
        found = _grouped(self._rows(_HISTORY, asked))
        for bars in found.values():
            bars.sort()
        return found

    def _rows(self, statement: str, asked: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        cursor = self._session.connection().connection.cursor()
        try:
            cursor.execute(statement, asked)
            return list(cursor.fetchall())
        finally:
            cursor.close()


def _grouped(rows: Iterable[tuple[Any, ...]]) -> Found:
    found: Found = {}
    make = ClosedBar._make
    for row in rows:
        key = row[:2]
        bars = found.get(key)
        if bars is None:
            bars = found[key] = []
        bars.append(make(row[2:]))
    return found
