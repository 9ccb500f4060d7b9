"""What is stored of prices, and what the desk sees now: quotes, histories, figures of spans, symbols."""

from __future__ import annotations

import difflib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Literal

from sqlalchemy.orm import Session

from htbot.domain.errors import CallerMistake, NotFound
from htbot.domain.instruments import UNDERLYINGS
from htbot.domain.sessions import NEW_YORK
from htbot.domain.suggestions import suggestion
from htbot.marketdata.tape_bars import BAR_MINUTES
from htbot.persistence.engine import Database
from htbot.persistence.queries import prices
from htbot.persistence.queries.prices import BarView, OhlcvView, PriceStats, SeriesView, Span
from htbot.persistence.repositories import DeskStateRepository, Series, StrategyRepository
from htbot.persistence.repositories.desk_state import WORLD_ID
from htbot.services.desk_data import DeskData
from htbot.services.desk_view import snapshot_of

SERIES_FOR_S = 60.0
"""Counting bars reads all of them: what was counted is told for so long."""
DEFAULT_SPAN = timedelta(days=1)
_MOST_FOUND = 20


@dataclass(frozen=True, slots=True)
class QuoteView:
    """The price of a symbol: a live quote, or the close of its last stored bar (`source` bar, no bid and ask)."""

    symbol: str
    source: Literal["live", "bar"]
    as_of: datetime
    price: float | None
    bid: float | None = None
    ask: float | None = None
    last: float | None = None


@dataclass(frozen=True, slots=True)
class SymbolView:
    """A symbol that is known: an underlying that spreads can be traded on, one that is stored, one that is watched."""

    symbol: str
    kind: str | None
    tradable: bool
    stored_minutes: list[int]
    watched_by: list[str]


@dataclass(frozen=True, slots=True)
class HistoryRequest:
    """A piece of a series; days are New York's, an `end` that is a day is included. `minutes` None: the shortest."""

    symbol: str
    minutes: int | None = None
    start: datetime | date | None = None
    end: datetime | date | None = None


@dataclass
class _Counted:
    """What was counted last, of which world and when."""

    world_id: str = ""
    series: list[SeriesView] = field(default_factory=list)
    at_s: float | None = None


class Prices:
    """Reads; NotFound names what is known, `Retryable` means that PostgreSQL does not answer."""

    def __init__(self, database: Database, data: DeskData, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._data = data
        self._clock_s = clock_s
        self._counted = _Counted()
        self._lock = threading.Lock()

    # --- live -----------------------------------------------------------------------------------------------------

    def quote(self, symbol: str) -> QuoteView:
        """The price of one symbol now.

        Raises:
            DeskAway: the desk is not connected to the broker.
            NotFound: neither quotes nor bars of it are there.
        """
        found = self.quotes([symbol])
        return found[0]

    def quotes(self, symbols: list[str] | None = None) -> list[QuoteView]:
        """The prices of these symbols, or of all that are known. Raises as `quote` does."""
        now = self._data.require().market_time or self._data.host_now()
        with self._database.transaction() as session:
            world = _world(session)
            known = self._known(session, world)
            wanted = sorted(known | set(UNDERLYINGS)) if symbols is None else list(dict.fromkeys(symbols))
            stored = {} if world is None else prices.last_bars(session, world, wanted, now)
        found = {symbol: self._live(symbol) or _of_bar(stored.get(symbol)) for symbol in wanted}
        missing = [symbol for symbol, quote in found.items() if quote is None]
        if missing and symbols is not None:
            raise self._unknown(missing[0], known)
        return [quote for quote in found.values() if quote is not None]

    def _live(self, symbol: str) -> QuoteView | None:
        snapshot = snapshot_of(self._data.live, symbol)
        if snapshot is None:
            return None
        quote = snapshot.quotes.get(snapshot.underlying_con_id)
        if quote is None:
            return None
        return QuoteView(symbol, "live", quote.as_of, snapshot.spot, quote.bid, quote.ask, quote.last)

    # --- stored ---------------------------------------------------------------------------------------------------

    def history(self, asked: HistoryRequest, limit: int, default: timedelta | None = None) -> list[BarView]:
        """The newest bars of a span, newest first; `default` is how far it goes back when no start is given."""
        with self._database.transaction() as session:
            series, span = self._place(session, asked, default)
            return prices.bars(session, series, span, limit)

    def broker_history(self, symbol: str, minutes: int, days: int) -> list[BarView]:
        """The broker's own bars of regular hours, asked now, newest first; the first may be open.

        Raises:
            DeskAway: the desk is not connected to the broker.
            NotFound: it is not the underlying that the desk trades.
            CallerMistake: the broker has no bars of this length.
        """
        self._data.require()
        if minutes not in BAR_MINUTES:
            allowed = ", ".join(str(one) for one in BAR_MINUTES)
            raise CallerMistake(f"the broker has no bars of {minutes} min: {allowed} min it has")
        if snapshot_of(self._data.live, symbol) is None:
            raise NotFound(f"the desk does not trade {symbol}: ask for what is stored, or for the underlying it trades")
        told = self._data.get("history", minutes=minutes, days=days)
        bars = [
            BarView(symbol, datetime.fromisoformat(start), minutes, close, open_, high, low, close, volume)
            for start, open_, high, low, close, volume in told
        ]
        return bars[::-1]

    def ohlcv(self, asked: HistoryRequest) -> OhlcvView:
        """A span as one bar."""
        with self._database.transaction() as session:
            return prices.ohlcv(session, *self._place(session, asked, DEFAULT_SPAN))

    def stats(self, asked: HistoryRequest) -> PriceStats:
        """Figures of the closes of a span."""
        with self._database.transaction() as session:
            return prices.price_stats(session, *self._place(session, asked, DEFAULT_SPAN))

    def series(self) -> list[SeriesView]:
        """Every series that is stored of the present world, counted at most a minute ago."""
        with self._database.transaction() as session:
            return self._series(session, _world(session))

    def search(self, text: str) -> list[SymbolView]:
        """Symbols that begin with a text, then those that hold it, then those that are like it; at most 20."""
        wanted = text.upper()
        with self._database.transaction() as session:
            stored = self._series(session, _world(session))
            watched = StrategyRepository(session).all()
        names = sorted({*UNDERLYINGS, *(one.symbol for one in stored), *(one.symbol for one in watched)})
        begins = [name for name in names if name.startswith(wanted)]
        holds = [name for name in names if wanted in name and name not in begins]
        near = [name for name in difflib.get_close_matches(wanted, names) if name not in {*begins, *holds}]
        return [
            SymbolView(
                symbol=name,
                kind=UNDERLYINGS[name].sec_type.value if name in UNDERLYINGS else None,
                tradable=name in UNDERLYINGS,
                stored_minutes=[one.minutes for one in stored if one.symbol == name],
                watched_by=[one.name for one in watched if one.symbol == name],
            )
            for name in [*begins, *holds, *near][:_MOST_FOUND]
        ]

    # --- which ----------------------------------------------------------------------------------------------------

    def _place(self, session: Session, asked: HistoryRequest, default: timedelta | None) -> tuple[Series, Span]:
        desk = self._data.view()
        now = desk.market_time or self._data.host_now()
        world = _world(session)
        lengths = [one.minutes for one in self._series(session, world) if one.symbol == asked.symbol]
        if world is None or not lengths:
            raise self._unknown(asked.symbol, self._known(session, world))
        minutes = min(lengths) if asked.minutes is None else asked.minutes
        if minutes not in lengths:
            there = ", ".join(str(one) for one in lengths)
            raise NotFound(f"no {minutes}-minute bars of {asked.symbol} are stored: there are those of {there} min")
        end = None if asked.end is None else _instant(asked.end, whole_day=True)
        start = None if asked.start is None else _instant(asked.start)
        if start is None and default is not None:
            start = (end or now) - default
        return Series(world, asked.symbol, minutes), Span(start, end, now)

    def _series(self, session: Session, world: str | None) -> list[SeriesView]:
        if world is None:
            return []
        with self._lock:
            known, now_s = self._counted, self._clock_s()
            if known.world_id != world or known.at_s is None or now_s - known.at_s >= SERIES_FOR_S:
                known = self._counted = _Counted(world, prices.stored_series(session, world), now_s)
            return known.series

    def _known(self, session: Session, world: str | None) -> set[str]:
        return {one.symbol for one in self._series(session, world)}

    @staticmethod
    def _unknown(symbol: str, known: set[str]) -> NotFound:
        return NotFound(f"nothing is known of {symbol}: {suggestion(symbol, sorted(known))}")


def _world(session: Session) -> str | None:
    return DeskStateRepository(session).get(WORLD_ID)


def _instant(told: datetime | date, *, whole_day: bool = False) -> datetime:
    """A day is from midnight New York, or up to the next one."""
    if isinstance(told, datetime):
        return told
    midnight = datetime(told.year, told.month, told.day, tzinfo=NEW_YORK)
    return midnight + timedelta(days=1) if whole_day else midnight


def _of_bar(bar: BarView | None) -> QuoteView | None:
    if bar is None:
        return None
    return QuoteView(bar.symbol, "bar", bar.timestamp + timedelta(minutes=bar.minutes), bar.close)
