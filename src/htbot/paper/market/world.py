"""The market port on top of a tape of paths: one engine for replay and for the synthetic market."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from math import floor

from htbot.domain.bars import Bar
from htbot.domain.errors import CallerMistake
from htbot.domain.quotes import Greeks, Quote
from htbot.domain.recorded import RecordedData
from htbot.domain.sessions import NEW_YORK, Session, SessionTable
from htbot.paper.market.contracts import ContractBook
from htbot.paper.market.listing import ExpiryRules, Listing
from htbot.paper.market.path import event_times
from htbot.paper.market.quoting import Quoter, money
from htbot.paper.market.tape import Prices, Tape
from htbot.paper.market.timeline import Timeline, epoch_s, instant
from htbot.paper.ports import ContractDetails, ContractQuery, DayStatistics, OptionChain

_NO_STATISTICS = DayStatistics(open=None, high=None, low=None, previous_close=None, volume=0.0)


@dataclass(frozen=True, slots=True)
class WorldFrame:
    """Where a world lies in time: `end` None goes on; `sessions` have prices, `calendar` also knows later expiries."""

    world_id: str
    start: datetime
    end: datetime | None
    sessions: SessionTable
    calendar: SessionTable
    listing: Listing = "modelled"


class PathMarket:
    """A `Market` whose underlyings follow paths and whose options are modelled unless recorded."""

    def __init__(self, frame: WorldFrame, tape: Tape, recorded: RecordedData | None = None) -> None:
        self._frame = frame
        self._tape = tape
        self._timeline = Timeline(frame.calendar)
        self._played = Timeline(frame.sessions)
        self._prices = Prices(tape, self._timeline)
        data = recorded or RecordedData()
        rules = ExpiryRules(self._timeline, frame.listing)
        recorded_series = {*data.option_quotes, *data.option_trades}
        self._contracts = ContractBook(tape.symbols, rules, self._reference, recorded_series)
        self._quoter = Quoter(self._prices, self._contracts, data)
        self._events: dict[date, list[int]] = {}
        self._quotes_at: datetime | None = None
        self._quotes: dict[int, Quote | None] = {}

    @property
    def world_id(self) -> str:
        """Name of the world."""
        return self._frame.world_id

    @property
    def sessions(self) -> SessionTable:
        """Sessions with prices, history included."""
        return self._frame.sessions

    @property
    def start(self) -> datetime:
        """Market time at which a new world begins."""
        return self._frame.start

    @property
    def end(self) -> datetime | None:
        """Last market time, None for a world that goes on."""
        return self._frame.end

    def details(self, query: ContractQuery, at: datetime) -> list[ContractDetails]:
        """Contracts that a query fits on the date of `at`."""
        return self._contracts.details(query, at)

    def contract(self, con_id: int) -> ContractDetails | None:
        """The contract behind an id."""
        return self._contracts.contract(con_id)

    def chains(self, under_con_id: int, at: datetime) -> list[OptionChain]:
        """Option chains of an underlying at `at`."""
        return self._contracts.chains(under_con_id, at.astimezone(NEW_YORK).date())

    def quote(self, con_id: int, at: datetime) -> Quote | None:
        """The quote in force; the answers of the last instant asked for are kept."""
        if at != self._quotes_at:
            self._quotes_at = at
            self._quotes = {}
        if con_id not in self._quotes:
            self._quotes[con_id] = self._quoter.quote(con_id, at)
        return self._quotes[con_id]

    def greeks(self, con_id: int, at: datetime) -> Greeks | None:
        """Model greeks of an option before its expiry."""
        return self._quoter.greeks(con_id, at)

    def statistics(self, con_id: int, at: datetime) -> DayStatistics:
        """The session that runs at `at`, or the last one that ran."""
        at_s = epoch_s(at)
        symbol, position = self._contracts.symbol(con_id), self._timeline.running(at_s)
        if symbol is None:
            return self._option_statistics(con_id, position)
        path = self._prices.path_at(symbol, at_s)
        before = self._prices.previous_close(symbol, position)
        day = path.between(path.opens_s, at_s) if path else None
        first = path.price(at_s) if path else None
        if day is None:
            return DayStatistics(first, first, first, before, 0.0)
        return DayStatistics(day.open, day.high, day.low, before, day.volume)

    def bars(self, con_id: int, minutes: int, since: datetime, until: datetime) -> list[Bar]:
        """Bars of an underlying's path, or of an option's mid."""
        since_s, until_s = epoch_s(since), epoch_s(until)
        found: list[Bar] = []
        first = max(self._played.running(since_s), 0)
        for session in self._played.sessions[first : self._played.running(until_s) + 1]:
            found += self._session_bars(con_id, minutes, session, (since_s, until_s))
        return found

    def settlement(self, con_id: int, day: date | None = None) -> Decimal | None:
        """The official close of the session of expiry, or its opening for class SPX.

        Raises:
            CallerMistake: an underlying without the day of expiry.
        """
        symbol = self._contracts.symbol(con_id)
        if symbol is None:
            return self._quoter.settlement(con_id)
        if day is None:
            raise CallerMistake(f"settlement of {symbol}: give the option's con_id, or the day of expiry")
        value = self._prices.settlement(symbol, day)
        return None if value is None else money(value)

    def next_event(self, after: datetime) -> datetime | None:
        """The next 30-second grid point or turn of a path."""
        after_s = floor(after.timestamp())
        position = max(self._played.running(after_s), 0)
        for session in self._played.sessions[position : position + 2]:
            times = self._session_events(session)
            index = bisect_right(times, after_s)
            if index < len(times):
                event = instant(times[index])
                return event if self.end is None or event <= self.end else None
        return None

    def _reference(self, symbol: str, day: date) -> float | None:
        return self._prices.reference(symbol, self._timeline.position(day))

    def _option_statistics(self, con_id: int, position: int) -> DayStatistics:
        """An option tells its previous close only: the mid at the end of the session before."""
        if self._quoter.option(con_id) is None or position < 1:
            return _NO_STATISTICS
        quote = self._quoter.quote(con_id, instant(self._timeline.closes_s[position - 1]))
        return DayStatistics(None, None, None, quote.mid if quote else None, 0.0)

    def _session_bars(self, con_id: int, minutes: int, session: Session, limits: tuple[int, int]) -> list[Bar]:
        symbol = self._contracts.symbol(con_id)
        if symbol is None:
            return self._option_bars(con_id, minutes, session, limits)
        path = self._tape.path(symbol, session)
        found = []
        since_s, until_s = limits
        for start, end in path.buckets(minutes * 60) if path else ():
            if not since_s <= start <= until_s:
                continue
            candle = path.between(start, min(end, until_s)) if path else None
            if candle is not None:
                prices = (candle.open, candle.high, candle.low, candle.close)
                found.append(Bar(symbol, instant(start), minutes, *prices, volume=candle.volume))
        return found

    def _option_bars(self, con_id: int, minutes: int, session: Session, limits: tuple[int, int]) -> list[Bar]:
        """Bars of the mid, sampled at the events of the session; none where a side is missing throughout."""
        terms = self._quoter.option(con_id)
        if terms is None or terms.series.expiry < session.day:
            return []
        found = []
        opens_s, closes_s, length_s = epoch_s(session.opens), epoch_s(session.closes), minutes * 60
        times = self._session_events(session)
        for start in range(opens_s, closes_s, length_s):
            if not limits[0] <= start <= limits[1]:
                continue
            end = min(start + length_s, closes_s, limits[1])
            sampled = times[bisect_right(times, start - 1) : bisect_right(times, end)]
            quotes = (self._quoter.quote(con_id, instant(at_s)) for at_s in [*sampled, end])
            mids = [quote.mid for quote in quotes if quote is not None and quote.mid is not None]
            if mids:
                name = terms.series.trading_class
                found.append(Bar(name, instant(start), minutes, mids[0], max(mids), min(mids), mids[-1]))
        return found

    def _session_events(self, session: Session) -> list[int]:
        if session.day not in self._events:
            if len(self._events) > 4:
                self._events.clear()
            opens_s, closes_s = epoch_s(session.opens), epoch_s(session.closes)
            self._events[session.day] = event_times(opens_s, closes_s, self._tape.turns(session))
        return self._events[session.day]
