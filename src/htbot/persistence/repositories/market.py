"""Closed bars, ticks and sessions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from psycopg2.extras import execute_values
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.dialects.postgresql import insert

from htbot.domain.bars import Bar
from htbot.domain.quotes import Quote
from htbot.domain.sessions import NEW_YORK
from htbot.domain.sessions import Session as TradingSession
from htbot.persistence.repositories.base import Repository, on_day
from htbot.persistence.rows.market import BarRow, SessionRow, TickRow

_PAGE = 1000
_UPSERT_BARS = """
INSERT INTO bars (world_id, symbol, minutes, start, open, high, low, close, volume, known_at) VALUES %s
ON CONFLICT (world_id, symbol, minutes, start) DO UPDATE SET
    open = excluded.open, high = excluded.high, low = excluded.low, close = excluded.close,
    volume = excluded.volume, known_at = excluded.known_at
WHERE (bars.open, bars.high, bars.low, bars.close, bars.volume)
   IS DISTINCT FROM (excluded.open, excluded.high, excluded.low, excluded.close, excluded.volume)
"""


@dataclass(frozen=True, slots=True)
class Series:
    """One series of bars: a world, a symbol, a bar length in minutes."""

    world_id: str
    symbol: str
    minutes: int


class BarRepository(Repository):
    """Closed bars; the open one is never stored."""

    def upsert(self, world_id: str, bars: Iterable[Bar], known_at: datetime) -> int:
        """Store closed bars in batches and return how many are new or changed.

        A bar that is there with the same values stays untouched, `known_at` included, so a history that is loaded
        again is harmless; a corrected bar counts as known from this `known_at` on. Of several bars with the same
        start the last one is stored.

        Raises:
            ValueError: a bar closes after `known_at`: it is still open at that market time, or a time is naive.
        """
        if known_at.tzinfo is None:
            raise ValueError(f"time must be aware UTC, not naive {known_at!r}")
        rows: dict[tuple[object, ...], tuple[object, ...]] = {}
        for bar in bars:
            if bar.end > known_at:
                raise ValueError(
                    f"{bar.symbol} bar of {bar.start:%Y-%m-%d %H:%M} UTC is open at {known_at:%H:%M:%S} UTC"
                )
            key = (world_id, bar.symbol, bar.minutes, bar.start)
            rows[key] = (*key, bar.open, bar.high, bar.low, bar.close, bar.volume, known_at)
        ordered = list(rows.values())
        return sum(self._write(ordered[index : index + _PAGE]) for index in range(0, len(ordered), _PAGE))

    def _write(self, page: Sequence[tuple[object, ...]]) -> int:
        cursor = self._session.connection().connection.cursor()
        try:
            execute_values(cursor, _UPSERT_BARS, page, page_size=len(page))
            return cursor.rowcount
        finally:
            cursor.close()

    def closed(self, series: Series, as_of: datetime, *, since: datetime | None = None) -> list[Bar]:
        """Bars known at `as_of`, oldest first; `since` bounds their start from below (inclusive)."""
        query = select(*_BAR_COLUMNS).where(*_of(series), BarRow.known_at <= as_of).order_by(BarRow.start)
        if since is not None:
            query = query.where(BarRow.start >= since)
        return [Bar(*row) for row in self._session.execute(query)]

    def first(self, series: Series) -> datetime | None:
        """The start of the oldest bar, None without any."""
        return self._session.scalar(select(func.min(BarRow.start)).where(*_of(series)))

    def latest(self, series: Series, as_of: datetime, count: int) -> list[Bar]:
        """The last `count` bars known at `as_of`, oldest first."""
        query = (
            select(*_BAR_COLUMNS)
            .where(*_of(series), BarRow.known_at <= as_of)
            .order_by(BarRow.start.desc())
            .limit(count)
        )
        return [Bar(*row) for row in reversed(self._session.execute(query).all())]

    def last_of_day(self, world_id: str, symbol: str, day: date) -> Bar | None:
        """Of a symbol the bar, of whatever length, that starts last on a New York day; None without any."""
        mine = (BarRow.world_id == world_id, BarRow.symbol == symbol, on_day(BarRow.start, day))
        query = select(*_BAR_COLUMNS).where(*mine).order_by(BarRow.start.desc(), BarRow.minutes.desc()).limit(1)
        found = self._session.execute(query).first()
        return None if found is None else Bar(*found)

    def of_day(self, world_id: str, day: date) -> list[tuple[Bar, datetime]]:
        """Every bar that starts on a New York day, with the market time it was known at; by symbol, length, start."""
        query = (
            select(*_BAR_COLUMNS, BarRow.known_at)
            .where(BarRow.world_id == world_id, on_day(BarRow.start, day))
            .order_by(BarRow.symbol, BarRow.minutes, BarRow.start)
        )
        return [(Bar(*row[:-1]), row[-1]) for row in self._session.execute(query)]


_BAR_COLUMNS = (
    BarRow.symbol,
    BarRow.start,
    BarRow.minutes,
    BarRow.open,
    BarRow.high,
    BarRow.low,
    BarRow.close,
    BarRow.volume,
)


def _of(series: Series) -> tuple[ColumnElement[bool], ...]:
    return (
        BarRow.world_id == series.world_id,
        BarRow.symbol == series.symbol,
        BarRow.minutes == series.minutes,
    )


class TickRepository(Repository):
    """Recorded quotes."""

    def add(self, world_id: str, symbol: str, quotes: Iterable[Quote]) -> int:
        """Store quotes that are not there yet and return how many were new."""
        rows = [
            {
                "world_id": world_id,
                "con_id": quote.con_id,
                "as_of": quote.as_of,
                "symbol": symbol,
                "bid": quote.bid,
                "ask": quote.ask,
                "bid_size": quote.bid_size,
                "ask_size": quote.ask_size,
                "last": quote.last,
                "modelled": quote.modelled,
            }
            for quote in quotes
        ]
        if not rows:
            return 0
        return self._count(insert(TickRow).values(rows).on_conflict_do_nothing())


class SessionRepository(Repository):
    """The table of trading sessions that the worker fills from the exchange calendar."""

    def upsert(self, sessions: Iterable[TradingSession]) -> None:
        """Store sessions, replacing what the calendar said of a day before."""
        rows = [{"day": s.day, "opens": s.opens, "closes": s.closes, "early_close": s.early_close} for s in sessions]
        if not rows:
            return
        statement = insert(SessionRow).values(rows)
        changed = {name: statement.excluded[name] for name in ("opens", "closes", "early_close")}
        self._count(statement.on_conflict_do_update(index_elements=[SessionRow.day], set_=changed))

    def get(self, day: date) -> TradingSession | None:
        """The session of a New York day, or None when the exchange is closed on it or the day is not filled in."""
        return self._first(select(SessionRow).where(SessionRow.day == day), _to_session)

    def open_at(self, at: datetime) -> bool:
        """Whether the exchange is within a regular session at a market time."""
        today = self.get(at.astimezone(NEW_YORK).date())
        return today is not None and today.opens <= at < today.closes

    def between(self, first: date, last: date) -> list[TradingSession]:
        """Sessions of days first..last (inclusive), oldest first."""
        query = select(SessionRow).where(SessionRow.day.between(first, last)).order_by(SessionRow.day)
        return self._all(query, _to_session)


def _to_session(row: SessionRow) -> TradingSession:
    return TradingSession(row.day, row.opens, row.closes, row.early_close)
