"""The market port on top of a tape of paths: one engine for replay and for the synthetic market."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from math import floor

from htbot.domain.bars import Bar
from htbot.domain.instruments import SecType
from htbot.domain.quotes import Greeks, Quote
from htbot.domain.recorded import OptionSeries, RecordedData
from htbot.domain.sessions import NEW_YORK, Session, SessionTable
from htbot.paper.market.con_ids import CLASS, LISTED, option_series, underlying_id
from htbot.paper.market.contracts import ContractBook
from htbot.paper.market.listing import ExpiryRules, Listing
from htbot.paper.market.options import OptionModel, model_greeks, modelled_quote, size_of
from htbot.paper.market.path import event_times
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
        self._model = OptionModel(self._prices)
        data = recorded or RecordedData()
        rules = ExpiryRules(self._timeline, frame.listing)
        recorded_series = {*data.option_quotes, *data.option_trades}
        self._contracts = ContractBook(tape.symbols, rules, self._reference, recorded_series)
        self._symbols = {underlying_id(symbol): symbol for symbol in tape.symbols}
        self._series: dict[int, OptionSeries | None] = {}
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
            self._quotes[con_id] = self._quote(con_id, at)
        return self._quotes[con_id]

    def greeks(self, con_id: int, at: datetime) -> Greeks | None:
        """Model greeks of an option before its expiry."""
        series = self._option(con_id)
        if series is None:
            return None
        at_s = epoch_s(at)
        spot = self._prices.spot(CLASS[series.trading_class].underlying, at_s)
        smile = self._model.slice(series, at_s)
        if spot is None or smile is None or smile.years <= 0.0:
            return None
        return model_greeks(series, smile, spot[0])

    def statistics(self, con_id: int, at: datetime) -> DayStatistics:
        """The session that runs at `at`, or the last one that ran."""
        at_s = epoch_s(at)
        symbol, position = self._symbols.get(con_id), self._timeline.running(at_s)
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

    def settlement(self, con_id: int) -> Decimal | None:
        """The underlying's value that an option settles to: the close of its last session (opening for class SPX)."""
        series = self._option(con_id)
        if series is None:
            return None
        at_s = self._model.expires_s(series)
        path = self._prices.path_at(CLASS[series.trading_class].underlying, at_s)
        if path is None or not path.opens_s <= at_s <= path.closes_s:
            return None
        value = path.open if at_s == path.opens_s else path.close
        return Decimal(str(round(value, 4)))

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

    # --- underlyings ---------------------------------------------------------------------------------------------

    def _quote(self, con_id: int, at: datetime) -> Quote | None:
        symbol = self._symbols.get(con_id)
        if symbol is not None:
            return self._underlying_quote(con_id, symbol, at)
        series = self._option(con_id)
        return self._option_quote(con_id, series, at) if series else None

    def _underlying_quote(self, con_id: int, symbol: str, at: datetime) -> Quote | None:
        """An index has a last price only, as at IB; a stock a market of one or two cents around it."""
        found = self._prices.spot(symbol, epoch_s(at))
        if found is None:
            return None
        price, changed_s = found
        as_of = instant(changed_s)
        row = LISTED.get(symbol)
        if row is not None and row.sec_type is SecType.INDEX:
            return Quote(con_id, as_of, last=price)
        below = floor(price * 100 - 0.5 + 1e-7)
        above = -floor(-price * 100 - 0.5 + 1e-7)
        sizes = size_of(con_id, changed_s, 20) * 100, size_of(con_id + 1, changed_s, 20) * 100
        return Quote(con_id, as_of, below / 100, above / 100, sizes[0], sizes[1], last=price, modelled=True)

    def _reference(self, symbol: str, day: date) -> float | None:
        return self._prices.reference(symbol, self._timeline.position(day))

    # --- options -------------------------------------------------------------------------------------------------

    def _option(self, con_id: int) -> OptionSeries | None:
        if con_id not in self._series:
            known = self._contracts.contract(con_id) is not None and con_id not in self._symbols
            self._series[con_id] = option_series(con_id) if known else None
        return self._series[con_id]

    def _option_quote(self, con_id: int, series: OptionSeries, at: datetime) -> Quote | None:
        at_s = epoch_s(at)
        smile = self._model.slice(series, at_s)
        if smile is None:
            return None
        position = self._timeline.running(at_s)
        changed_s = min(at_s, self._timeline.closes_s[position], self._model.expires_s(series))
        return modelled_quote(con_id, series, smile, instant(changed_s))

    def _option_statistics(self, con_id: int, position: int) -> DayStatistics:
        if self._option(con_id) is None or position < 1:
            return _NO_STATISTICS
        quote = self._quote(con_id, instant(self._timeline.closes_s[position - 1]))
        return DayStatistics(None, None, None, quote.mid if quote else None, 0.0)

    # --- bars ----------------------------------------------------------------------------------------------------

    def _session_bars(self, con_id: int, minutes: int, session: Session, limits: tuple[int, int]) -> list[Bar]:
        symbol = self._symbols.get(con_id)
        if symbol is None:
            return self._option_bars(con_id, minutes, session, limits)
        path = self._tape.path(symbol, session)
        found = []
        since_s, until_s = limits
        for start, end in path.buckets(minutes * 60) if path else ():
            if not since_s <= start < until_s:
                continue
            candle = path.between(start, min(end, until_s)) if path else None
            if candle is not None:
                prices = (candle.open, candle.high, candle.low, candle.close)
                found.append(Bar(symbol, instant(start), minutes, *prices, volume=candle.volume))
        return found

    def _option_bars(self, con_id: int, minutes: int, session: Session, limits: tuple[int, int]) -> list[Bar]:
        """Bars of the mid, sampled at the events of the session; none where a side is missing throughout."""
        series = self._option(con_id)
        if series is None or series.expiry < session.day:
            return []
        found = []
        opens_s, closes_s, length_s = epoch_s(session.opens), epoch_s(session.closes), minutes * 60
        times = self._session_events(session)
        for start in range(opens_s, closes_s, length_s):
            if not limits[0] <= start < limits[1]:
                continue
            end = min(start + length_s, closes_s, limits[1])
            sampled = times[bisect_right(times, start - 1) : bisect_right(times, end)]
            quotes = (self._option_quote(con_id, series, instant(at_s)) for at_s in [*sampled, end])
            mids = [quote.mid for quote in quotes if quote is not None and quote.mid is not None]
            if mids:
                name = series.trading_class
                found.append(Bar(name, instant(start), minutes, mids[0], max(mids), min(mids), mids[-1]))
        return found

    def _session_events(self, session: Session) -> list[int]:
        if session.day not in self._events:
            if len(self._events) > 4:
                self._events.clear()
            paths = [self._tape.path(symbol, session) for symbol in self._tape.symbols]
            opens_s, closes_s = epoch_s(session.opens), epoch_s(session.closes)
            self._events[session.day] = event_times(opens_s, closes_s, [path for path in paths if path is not None])
        return self._events[session.day]
