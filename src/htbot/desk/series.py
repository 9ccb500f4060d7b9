"""Bars of what watched strategies declare: streamed while an enabled instance names them, beside strategy 1's own."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy.orm import Session as Transaction

from htbot.desk.threads import DatabaseThread
from htbot.domain.bars import Bar
from htbot.domain.errors import NotFound, Retryable, StopTrading
from htbot.domain.instruments import Contract, Instrument, SecType, plain_instrument
from htbot.domain.sessions import floor_to
from htbot.marketdata.bars import BarFold
from htbot.marketdata.clock_state import GRID_S
from htbot.persistence.repositories import StrategyRepository
from htbot.services.option_instances import ChainPlan, chain_plans

SeriesKey = tuple[str, int]
"""Symbol and minutes."""
SessionsOf = Callable[[int, int], int]
"""Sessions of history to ask for, by minutes of a bar and bars that are needed."""
MOST_SERIES = 45
"""IB keeps 50 requests for history open; the rest is strategy 1's and for data on request."""
REQUESTS, WITHIN_S = 45, 600.0
"""IB answers 60 requests for history in ten minutes."""
PUT_OFF = timedelta(minutes=10)
"""How long a series that failed as nobody expects is left alone: its requests are taken from those of the others."""
_log = logging.getLogger(__name__)


def _watched(session: Transaction) -> tuple[dict[SeriesKey, int], set[str], tuple[ChainPlan, ...]]:
    """Series that are watched, symbols whose shares are traded, and chains that are needed."""
    strategies = StrategyRepository(session)
    return strategies.series(), strategies.traded(), chain_plans(session)


class SeriesSession(Protocol):
    """What is needed of the broker's session."""

    async def resolve(self, instrument: Instrument) -> Contract:
        """The broker's contract; `NotFound` when it knows none."""
        ...

    async def stream_bars(self, contract: Contract, minutes: int, days: int) -> list[Bar]:
        """History, kept up to date through the sink."""
        ...

    def stop_bars(self, contract: Contract, minutes: int) -> None:
        """Stop streaming bars of a length."""
        ...

    async def history(self, contract: Contract, minutes: int, days: int) -> list[Bar]:
        """History once; the last bar may be open."""
        ...


@dataclass(slots=True)
class Stream:
    """One series that is streamed, since when its bars have been watched, and the sessions of history asked for."""

    contract: Contract
    fold: BarFold
    since: datetime
    sessions: int


class WatchedSeries:
    """The streams beside strategy 1's own series. `exact` is a stepped world: there everything waits for its answer.

    Strategy 1's own series is begun with the history of `own_sessions`. An instance that needs more of a series than
    it was begun with gets it once, and its stream goes on.
    """

    def __init__(
        self,
        own: SeriesKey,
        sessions_of: SessionsOf,
        *,
        own_sessions: int,
        exact: bool,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._own = own
        self._own_sessions = own_sessions
        self.plans: tuple[ChainPlan, ...] = ()
        self._sessions_of = sessions_of
        self._exact = exact
        self._monotonic = monotonic
        self._streams: dict[SeriesKey, Stream] = {}
        self._refused: set[SeriesKey] = set()
        self._failed: dict[SeriesKey, datetime] = {}
        self._asking: SeriesKey = own
        self._asked_s: deque[float] = deque()
        self._unsaved: list[Bar] = []
        self._troubles: list[str] = []
        self._looked: datetime | None = None
        self._too_many = False
        self._adding: asyncio.Future[None] | None = None
        self._traded: set[str] = set()

    @property
    def streamed(self) -> frozenset[SeriesKey]:
        """What is streamed now."""
        return frozenset(self._streams)

    def stream(self, symbol: str) -> Stream | None:
        """The stream whose bars an instance on this underlying's options decides on; None before it stands."""
        minutes = next((plan.minutes for plan in self.plans if plan.symbol == symbol), 0)
        return self._streams.get((symbol, minutes))

    def forget_extremes(self, now: datetime) -> None:
        """Watching begins anew: after a halt or a gap in the data."""
        for stream in self._streams.values():
            stream.since = now
            stream.fold.forget_extremes()

    def shares(self, own: Contract) -> dict[str, int]:
        """The stocks and funds that strategies trade, as far as the broker has resolved them; `own` is strategy 1's."""
        known = [own, *(stream.contract for stream in self._streams.values())]
        stocks = {one.symbol: one.con_id for one in known if one.sec_type is SecType.STOCK}
        return {symbol: stocks[symbol] for symbol in sorted(self._traded & stocks.keys())}

    def restart(self) -> None:
        """The session is a new one, or has forgotten its streams: everything is asked for again."""
        if self._adding is not None:
            self._adding.cancel()
        self._adding, self._looked = None, None
        self._failed.clear()
        self._streams.clear()

    async def look(self, session: SeriesSession, database: DatabaseThread, now: datetime) -> list[str]:
        """Once each grid instant stream what enabled instances name, and nothing else; what a person should know."""
        as_of = floor_to(now, GRID_S)
        if self._looked != as_of:
            try:
                wanted, self._traded, self.plans = await database.run(_watched)
            except Retryable as error:
                _log.warning("nobody knows which bars are watched: %s", error)
                return []
            self._looked = as_of
            await self.follow(session, wanted, now)
        told, self._troubles = self._troubles, []
        return told

    async def follow(self, session: SeriesSession, wanted: Mapping[SeriesKey, int], now: datetime) -> None:
        """Add and drop streams; `wanted` has the bars that each is to begin with."""
        for key in self._streams.keys() - wanted.keys():
            session.stop_bars(self._streams.pop(key).contract, key[1])
        self._look_back(now)
        self._refused &= wanted.keys()
        self._failed = {key: again_at for key, again_at in self._failed.items() if key in wanted}
        missing = [key for key, bars in wanted.items() if self._is_missing(key, bars) and self._may_ask(key, now)]
        new = [key for key in missing if not self._sessions(key)]
        room = MOST_SERIES - len(self._streams)
        self._note_crowd(len(new) > room, len(self._streams) + len(new))
        asked = [(key, wanted[key]) for key in missing if key not in new[room:]]
        if not asked or (self._adding is not None and not self._adding.done()):
            return
        self._adding = asyncio.ensure_future(self._add(session, asked, now))
        if self._exact:
            await asyncio.gather(self._adding, return_exceptions=True)
            if self._look_back(now):
                await self.follow(session, wanted, now)

    def _is_missing(self, key: SeriesKey, bars: int) -> bool:
        return self._sessions_of(key[1], bars) > self._sessions(key)

    def _sessions(self, key: SeriesKey) -> int:
        """Sessions of history that a series was asked for; 0 when it is not streamed."""
        if key == self._own:
            return self._own_sessions
        stream = self._streams.get(key)
        return 0 if stream is None else stream.sessions

    def _may_ask(self, key: SeriesKey, now: datetime) -> bool:
        return key not in self._refused and self._failed.get(key, now) <= now

    def _look_back(self, now: datetime) -> bool:
        """Whether adding has ended in an error that nobody expects: told once, and its series is put off."""
        if self._adding is None or not self._adding.done():
            return False
        ended, self._adding = self._adding, None
        error = None if ended.cancelled() else ended.exception()
        if error is None:
            return False
        if isinstance(error, StopTrading):
            raise error
        symbol, minutes = self._asking
        text = f"bars of {symbol} {minutes} min cannot be streamed: {type(error).__name__}: {error}"
        _log.error("%s", text, exc_info=error)
        if self._asking not in self._failed:
            self._troubles.append(text)
        self._failed[self._asking] = now + PUT_OFF
        return True

    def _note_crowd(self, too_many: bool, wanted: int) -> None:
        if too_many and not self._too_many:
            self._troubles.append(f"{wanted} series of bars are watched, the broker streams {MOST_SERIES}")
        self._too_many = too_many

    async def _add(self, session: SeriesSession, keys: Iterable[tuple[SeriesKey, int]], now: datetime) -> None:
        """One after the other, so that orders and quotes never wait behind them, and within the broker's budget."""
        for (symbol, minutes), bars in keys:
            if not self._affordable():
                return
            self._asking, sessions = (symbol, minutes), self._sessions_of(minutes, bars)
            try:
                contract = await session.resolve(plain_instrument(symbol))
                if self._sessions(self._asking):
                    older = await session.history(contract, minutes, sessions)
                    self._note_sessions(self._asking, sessions)
                    self._unsaved += older[:-1]  # the last may be open, and is streamed anyhow
                    continue
                history = await session.stream_bars(contract, minutes, sessions)
            except NotFound as error:
                self._refused.add((symbol, minutes))
                self._troubles.append(str(error))
            except (Retryable, ConnectionError, TimeoutError) as error:
                _log.warning("bars of %s come later: %s", symbol, error)
                return
            else:
                fold = BarFold(exact=self._exact)
                closed = fold.load(history, now)
                self._streams[symbol, minutes] = Stream(contract, fold, now, sessions)
                self._failed.pop((symbol, minutes), None)
                self._unsaved += closed

    def _note_sessions(self, key: SeriesKey, sessions: int) -> None:
        """A series has got more history; one that is streamed no more by now begins anew when it is named again."""
        self._failed.pop(key, None)
        if key == self._own:
            self._own_sessions = sessions
        elif key in self._streams:
            self._streams[key].sessions = sessions

    def _affordable(self) -> bool:
        """Whether one more request for history is within the budget; a stepped gateway does not count them."""
        now_s = self._monotonic()
        while self._asked_s and now_s - self._asked_s[0] > WITHIN_S:
            self._asked_s.popleft()
        if not self._exact and len(self._asked_s) >= REQUESTS:
            return False
        self._asked_s.append(now_s)
        return True

    def on_bar(self, bar: Bar) -> None:
        """One message of a stream; what is not streamed any more is dropped."""
        stream = self._streams.get((bar.symbol, bar.minutes))
        if stream is not None:
            stream.fold.update(bar)

    def settle(self, now: datetime) -> list[Bar]:
        """Bars that have closed and were not stored yet, those of new histories included."""
        for stream in self._streams.values():
            self._unsaved += stream.fold.settle(now)
        closed, self._unsaved = self._unsaved, []
        return closed
