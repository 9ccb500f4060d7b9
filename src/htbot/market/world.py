"""The market port on top of a tape of paths: one engine for replay and for the synthetic market."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial
from math import floor

from htbot.domain.errors import CallerMistake
from htbot.domain.instruments import SecType
from htbot.domain.quotes import Greeks, Quote
from htbot.domain.recorded import RecordedData
from htbot.domain.sessions import NEW_YORK, Session, SessionTable, floor_to
from htbot.market.charts import DAY_S, path_candles, quote_candles
from htbot.market.contracts import ContractBook
from htbot.market.hours import inside, trading_hours
from htbot.market.listing import ExpiryRules, Listing
from htbot.market.option_trades import open_interest
from htbot.market.path import event_times
from htbot.market.ports import (
    Candle,
    ContractDetails,
    ContractQuery,
    DayStatistics,
    OptionChain,
    Print,
    Show,
    TradingHours,
)
from htbot.market.quoting import QUARTER, Quoter, money, sides_of
from htbot.market.tape import Prices, Tape
from htbot.market.timeline import Span, Timeline, epoch_s, instant
from htbot.market.touch import touch_of
from htbot.pricing.realised import close_to_close

_NO_STATISTICS = DayStatistics(open=None, high=None, low=None, previous_close=None, volume=0.0)
_NOT_SHOWN = {SecType.INDEX: (Show.MIDPOINT, Show.BID, Show.ASK), SecType.FOREX: (Show.TRADES,)}
_VOLATILITIES = frozenset({Show.HISTORICAL_VOLATILITY, Show.OPTION_IMPLIED_VOLATILITY})
_SHOWN_SESSIONS = 30
_KEPT_BARS = 150_000
_KEPT_CLOSES = 4096
_WITHOUT_TRADES = frozenset({SecType.INDEX, SecType.FOREX})


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
        self._played_hours = {span: self._played.stretched(span) for span in Span}
        self._prices = Prices(tape, self._timeline)
        data = recorded or RecordedData()
        rules = ExpiryRules(self._timeline, frame.listing)
        recorded_series = {*data.option_quotes, *data.option_trades}
        self._contracts = ContractBook(tape.symbols, rules, self._reference, recorded_series, tape.roots)
        self._quoter = Quoter(self._prices, self._contracts, data)
        self._events: dict[date, list[int]] = {}
        self._days: dict[tuple[int, date, int, Show], list[Candle]] = {}
        self._kept_bars = 0
        self._closing_mids: dict[tuple[int, int], float | None] = {}
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

    def matching(self, pattern: str, at: datetime) -> list[ContractDetails]:
        """Underlyings that a pattern fits."""
        del at
        return self._contracts.matching(pattern)

    def underlyings(self, at: datetime) -> Sequence[ContractDetails]:
        """Every instrument with a path of its own, and the front months of futures."""
        found = (self._contracts.details(ContractQuery(symbol=symbol), at) for symbol in self._tape.symbols)
        return [*(details for rows in found for details in rows), *self._contracts.front_months(at)]

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
            halt = self._halt(con_id, at)
            self._quotes[con_id] = self._quoter.quote(con_id, instant(halt[0]) if halt else at)
        return self._quotes[con_id]

    def greeks(self, con_id: int, at: datetime, price: float | None = None) -> Greeks | None:
        """Model greeks of an option before its expiry, or those at the volatility that gives a price."""
        return self._quoter.greeks(con_id, at, price)

    def statistics(self, con_id: int, at: datetime) -> DayStatistics:
        """The session that runs at `at`, or the last one that ran."""
        halt = self._halt(con_id, at)
        at_s = halt[0] if halt else epoch_s(at)
        symbol, position = self._contracts.symbol(con_id), self._timeline.running(at_s)
        if symbol is None:
            return self._option_statistics(con_id, position, at_s)
        position = self._prices.hours_of(symbol).running(at_s)
        path = self._prices.path_at(symbol, at_s)
        before = self._prices.previous_close(symbol, position)
        day = path.so_far(at_s) if path else None
        first = path.price(at_s) if path else None
        if day is None:
            return DayStatistics(first, first, first, before, 0.0)
        return DayStatistics(day.open, day.high, day.low, before, day.volume)

    def candles(self, con_id: int, seconds: int, since: datetime, until: datetime, show: Show) -> list[Candle]:
        """Bars of an underlying's path, or of a contract's quotes."""
        if show in _VOLATILITIES:
            return self._volatilities(con_id, seconds, (epoch_s(since), epoch_s(until)), show)
        found: list[Candle] = []
        limits = (epoch_s(since), epoch_s(until))
        for session in self._sessions_of(con_id, since, until):
            over = seconds >= DAY_S and since <= session.opens and session.closes <= until
            key = (con_id, session.day, seconds, show)
            known = self._days.get(key) if over else None
            if known is None:
                known = list(self._session_candles(con_id, seconds, session, limits, show))
                if over:
                    self._keep(key, known)
            found += known
        return found

    def prints(self, con_id: int, after: datetime, until: datetime) -> Sequence[Print]:
        """Trades of the tape, or modelled ones; an index and a currency pair have none."""
        symbol, kind = self._contracts.symbol(con_id), self._kind(con_id)
        terms = self._quoter.option(con_id)
        found: list[Print] = []
        for session in self._sessions_of(con_id, after, until) if kind not in _WITHOUT_TRADES else ():
            if symbol is None:
                trades = self._quoter.option_prints(terms, session, epoch_s(until)) if terms else ()
                found += [row for row in trades if after < row.at <= until and not self.halted(con_id, row.at)]
                continue
            path = self._tape.path(symbol, session)
            found += path.prints(after, until) if path else ()
        return found

    def has_tape(self, con_id: int) -> bool:
        """True for an underlying whose trades are recorded."""
        symbol = self._contracts.symbol(con_id)
        return symbol is not None and self._tape.has_ticks(symbol)

    def halted(self, con_id: int, at: datetime) -> bool:
        """True in the halt of a scenario."""
        return self._halt(con_id, at) is not None

    def quote_changes(self, con_id: int, after: datetime, until: datetime) -> Sequence[Quote]:
        """Quotes of the grid of quarter seconds that differ from the one before."""
        found: list[Quote] = []
        at = floor_to(after, 1) + (after - floor_to(after, 1)) // QUARTER * QUARTER
        shown = self._quoter.quote(con_id, at)
        while (at := at + QUARTER) <= until:
            quote = self._quoter.quote(con_id, at)
            if quote is not None and (shown is None or sides_of(quote) != sides_of(shown)):
                found.append(quote)
            shown = quote
        return found

    def is_trading(self, con_id: int, at: datetime, *, outside_rth: bool) -> bool:
        """Whether a contract trades; an evening belongs to the next date's hours."""
        day = at.astimezone(NEW_YORK).date()
        both = (self.hours(con_id, day), self.hours(con_id, day + timedelta(days=1)))
        return any(inside(hours.trading if outside_rth else hours.liquid, at) for hours in both)

    def hours(self, con_id: int, day: date) -> TradingHours:
        """Hours of a contract on a date, by its kind."""
        return trading_hours(self._kind(con_id), day, self._frame.calendar.on(day))

    def head(self, con_id: int) -> datetime | None:
        """The open of the first session with prices of the contract or of its underlying."""
        terms = self._quoter.option(con_id)
        symbol = terms.underlying if terms else self._contracts.symbol(con_id)
        sessions = self._hours_of(con_id).sessions if symbol else []
        paths = (self._tape.path(symbol, session) for session in sessions if symbol)
        return next((instant(path.first_s) for path in paths if path), None)

    def settlement(self, con_id: int, day: date | None = None) -> Decimal | None:
        """The official close of the session of expiry, or its opening for class SPX.

        Raises:
            CallerMistake: an underlying without the day of expiry.
        """
        symbol = self._contracts.symbol(con_id)
        if symbol is None:
            return self._quoter.settlement(con_id)
        if day is None and (details := self._contracts.contract(con_id)) is not None:
            day = details.contract.expiry
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

    def _option_statistics(self, con_id: int, position: int, at_s: int) -> DayStatistics:
        """The day's trades of an option; its previous close is the mid at the end of the session before."""
        terms = self._quoter.option(con_id)
        if terms is None or position < 1:
            return _NO_STATISTICS
        before = self._closing_mid(con_id, position - 1)
        reference = self._prices.reference(terms.underlying, position)
        interest = None if reference is None else open_interest(con_id, terms.strike, reference)
        trades = self._quoter.option_prints(terms, self._timeline.sessions[position], at_s)
        if not trades:
            return DayStatistics(None, None, None, before, 0.0, interest)
        prices = [trade.price for trade in trades]
        volume = sum(trade.size for trade in trades)
        return DayStatistics(prices[0], max(prices), min(prices), before, volume, interest)

    def _closing_mid(self, con_id: int, position: int) -> float | None:
        """The mid of an option at the end of a session, made once: the instant is another than all others ask for."""
        key = (con_id, position)
        if key not in self._closing_mids:
            if len(self._closing_mids) > _KEPT_CLOSES:
                self._closing_mids.clear()
            quote = self._quoter.quote(con_id, instant(self._timeline.closes_s[position]))
            self._closing_mids[key] = quote.mid if quote else None
        return self._closing_mids[key]

    def _halt(self, con_id: int, at: datetime) -> tuple[int, int] | None:
        """The halt that is on for a contract or for its underlying."""
        if not self._tape.has_halts:
            return None
        terms = self._quoter.option(con_id)
        symbol = terms.underlying if terms else self._contracts.symbol(con_id)
        session = self._frame.sessions.at(at)
        halt = self._tape.halt(symbol, session) if symbol and session else None
        return halt if halt and halt[0] <= epoch_s(at) < halt[1] else None

    def _hours_of(self, con_id: int) -> Timeline:
        symbol = self._contracts.symbol(con_id)
        return self._played_hours[self._tape.span(symbol)] if symbol else self._played

    def _sessions_of(self, con_id: int, since: datetime, until: datetime) -> list[Session]:
        """Sessions with prices of a contract that have begun by `until` and run at `since` or later."""
        played = self._hours_of(con_id)
        return played.sessions[max(played.running(epoch_s(since)), 0) : played.running(epoch_s(until)) + 1]

    def _kind(self, con_id: int) -> SecType:
        details = self._contracts.contract(con_id)
        return details.contract.sec_type if details else SecType.STOCK

    def _keep(self, key: tuple[int, date, int, Show], made: list[Candle]) -> None:
        """Days that are over are made once."""
        self._kept_bars += len(made) + 1
        if self._kept_bars > _KEPT_BARS:
            self._days.clear()
            self._kept_bars = len(made) + 1
        self._days[key] = made

    def _session_candles(
        self, con_id: int, seconds: int, session: Session, limits: tuple[int, int], show: Show
    ) -> Iterator[Candle]:
        symbol = self._contracts.symbol(con_id)
        details = self._contracts.contract(con_id)
        if details is None or show in _NOT_SHOWN.get(details.contract.sec_type, ()):
            return
        if symbol is not None and (show is Show.TRADES or not self._quoter.is_recorded(symbol)):
            path = self._tape.path(symbol, session)
            if path is not None:
                yield from path_candles(
                    path, seconds, limits, show, touch_of(details.contract.sec_type, details.min_tick)
                )
            return
        if details.contract.expiry is not None and details.contract.expiry < session.day:
            return
        value = partial(self._side, con_id, show)
        yield from quote_candles(session, self._session_events(session), seconds, limits, value)

    def _volatilities(self, con_id: int, seconds: int, limits: tuple[int, int], show: Show) -> list[Candle]:
        """An underlying's volatility by session: shown by its last 30 closes, or the model's for its options."""
        symbol = self._contracts.symbol(con_id)
        found = []
        for session in self._played.sessions if symbol and seconds >= DAY_S else ():
            opens_s = epoch_s(session.opens)
            if symbol is None or not limits[0] <= opens_s <= limits[1]:
                continue
            position = self._timeline.position(session.day)
            if show is Show.HISTORICAL_VOLATILITY:
                known = position + (limits[1] >= epoch_s(session.closes))
                value = close_to_close(self._prices.closes(symbol, known, _SHOWN_SESSIONS))
            else:
                value = self._quoter.model.level(symbol, opens_s)
            if value is not None:
                found.append(Candle(session.opens, seconds, *(round(value, 6),) * 4))
        return found

    def _side(self, con_id: int, show: Show, at_s: int) -> float | None:
        quote = self._quoter.quote(con_id, instant(at_s))
        if quote is None:
            return None
        return {Show.BID: quote.bid, Show.ASK: quote.ask}.get(show, quote.mid)

    def _session_events(self, session: Session) -> list[int]:
        if session.day not in self._events:
            if len(self._events) > 4:
                self._events.clear()
            opens_s, closes_s = epoch_s(session.opens), epoch_s(session.closes)
            self._events[session.day] = event_times(opens_s, closes_s, self._tape.turns(session))
        return self._events[session.day]
