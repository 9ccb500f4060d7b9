"""Recorded data as paths: bars, trades, and the middle of quotes where there is nothing else."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable
from datetime import date, timedelta
from math import isnan

from htbot.domain.instruments import SecType
from htbot.domain.recorded import BarColumns, QuoteColumns, RecordedData
from htbot.domain.sessions import Session, SessionTable
from htbot.market.hours import ROUND_THE_CLOCK
from htbot.market.path import PathBar, SessionPath
from htbot.market.tape import Path
from htbot.market.ticks import TickPath
from htbot.market.timeline import Span, epoch_s, instant, new_york_day
from htbot.market.universe import LISTED, kind_of

_LATE_PRINTS_S = 1800
_DAY_S = 86_400


class RecordedTape:
    """Paths made from columns when they are first asked for.

    Args:
        data: what the files hold.
        calendar: sessions of the exchange.
    """

    def __init__(self, data: RecordedData, calendar: SessionTable) -> None:
        self._ticks = data.ticks
        lonely = {symbol: columns for symbol, columns in data.quotes.items() if symbol not in {*data.ticks, *data.bars}}
        self._bars = {**{symbol: middle_bars(columns) for symbol, columns in lonely.items()}, **data.bars}
        self._calendar = calendar
        self._paths: dict[tuple[str, date], Path | None] = {}
        self._daily = {symbol: _by_day(bars) for symbol, bars in self._bars.items() if bars.seconds == _DAY_S}
        self._ends = {symbol: _ends(bars.start_s, 1) for symbol, bars in self._bars.items()}
        self._tick_ends = {symbol: _ends(ticks.at_ms, 1000) for symbol, ticks in self._ticks.items()}

    @property
    def symbols(self) -> tuple[str, ...]:
        """Symbols with prices."""
        return tuple(sorted({*self._bars, *self._ticks}))

    @property
    def roots(self) -> tuple[str, ...]:
        """No file has futures by root."""
        return ()

    def span(self, symbol: str) -> Span:
        """Trades are played in the extended hours too, bars of stocks in the regular session."""
        if kind_of(symbol) in ROUND_THE_CLOCK:
            return Span.ROUND_THE_CLOCK
        return Span.EXTENDED if symbol in self._ticks else Span.REGULAR

    def has_ticks(self, symbol: str) -> bool:
        """True where each trade is recorded."""
        return symbol in self._ticks

    @property
    def has_halts(self) -> bool:
        """Halts are not recorded."""
        return False

    def halt(self, symbol: str, session: Session) -> tuple[int, int] | None:
        """Halts are not recorded."""
        del symbol, session
        return None

    def turns(self, session: Session) -> Iterable[int]:
        """Turns of every symbol."""
        for symbol in self.symbols:
            path = self.path(symbol, session)
            if path is not None:
                yield from path.turns()

    def close(self, symbol: str, session: Session) -> float | None:
        """The last price of the session."""
        path = self.path(symbol, session)
        return path.close if path else None

    def settlement(self, symbol: str, session: Session) -> float | None:
        """The last price of the session; for an index the last print of the half hour after it, where recorded.

        An index goes on printing until its closing auctions are in: 3700.65 after 3701.38 on 2021-01-04.
        """
        path = self.path(symbol, session)
        row = LISTED.get(symbol)
        if path is None or row is None or row.sec_type is not SecType.INDEX or symbol not in self._bars:
            return path.close if path else None
        columns = self._bars[symbol]
        after = bisect_left(columns.start_s, path.closes_s)
        last = bisect_left(columns.start_s, path.closes_s + _LATE_PRINTS_S)
        return columns.close[last - 1] if last > after else path.close

    def path(self, symbol: str, session: Session) -> Path | None:
        """The day's trades, else the bars that start inside the session; other rows of the file are not played."""
        key = (symbol, session.day)
        if key not in self._paths:
            self._paths[key] = self._make(symbol, session)
        return self._paths[key]

    def covers(self, symbol: str, session: Session) -> bool:
        """True when a symbol has a price in a session."""
        day = session.day
        if symbol in self._ticks and self._tick_ends[symbol][0] <= day <= self._tick_ends[symbol][1]:
            times = self._ticks[symbol].at_ms
            first = bisect_left(times, epoch_s(session.opens) * 1000)
            return first < len(times) and times[first] < epoch_s(session.closes) * 1000
        if symbol in self._daily:
            return day in self._daily[symbol]
        if symbol not in self._bars or not self._ends[symbol][0] <= day <= self._ends[symbol][1]:
            return False
        starts = self._bars[symbol].start_s
        first = bisect_left(starts, epoch_s(session.opens))
        return first < len(starts) and starts[first] < epoch_s(session.closes)

    def _make(self, symbol: str, session: Session) -> Path | None:
        regular = self._calendar.on(session.day) or session
        if symbol in self._ticks:
            long_hours = (epoch_s(regular.at(4, 0)), epoch_s(regular.at(20, 0)))
            trades = TickPath(self._ticks[symbol], long_hours, epoch_s(regular.closes))
            if len(trades):
                return trades
        if symbol not in self._bars:
            return None
        columns = self._bars[symbol]
        if symbol in self._daily:
            return _day_path(columns, self._daily[symbol].get(session.day), regular)
        return _bar_path(columns, session if self.span(symbol) is Span.ROUND_THE_CLOCK else regular)


def _ends(times: array[int], per_second: int) -> tuple[date, date]:
    return new_york_day(instant(times[0] // per_second)), new_york_day(instant(times[-1] // per_second))


def _by_day(columns: BarColumns) -> dict[date, int]:
    """Rows of daily bars by date: the UTC date of a file whose rows are all at UTC's midnight, else New York's."""
    if all(start_s % _DAY_S == 0 for start_s in columns.start_s):
        return {instant(start_s).date(): row for row, start_s in enumerate(columns.start_s)}
    noonward = timedelta(hours=4)  # midnight in New York is 04:00 or 05:00 UTC
    return {(new_york_day(instant(start_s) + noonward)): row for row, start_s in enumerate(columns.start_s)}


def _row(columns: BarColumns, row: int) -> PathBar:
    return PathBar(columns.open[row], columns.high[row], columns.low[row], columns.close[row], columns.volume[row])


def _day_path(columns: BarColumns, row: int | None, session: Session) -> SessionPath | None:
    """A daily bar as the one bar of its session."""
    if row is None:
        return None
    opens_s, closes_s = epoch_s(session.opens), epoch_s(session.closes)
    return SessionPath(opens_s, closes_s, closes_s - opens_s, [opens_s], [_row(columns, row)])


def _bar_path(columns: BarColumns, session: Session) -> SessionPath | None:
    opens_s, closes_s = epoch_s(session.opens), epoch_s(session.closes)
    first = bisect_left(columns.start_s, opens_s)
    last = bisect_left(columns.start_s, closes_s)
    if first == last:
        return None
    candles = [_row(columns, row) for row in range(first, last)]
    return SessionPath(opens_s, closes_s, columns.seconds, columns.start_s[first:last].tolist(), candles)


def middle_bars(columns: QuoteColumns) -> BarColumns:
    """Bars of the middle of recorded quotes, without volume; of several quotes in a second the last counts."""
    bars: dict[int, tuple[float, float]] = {}
    for row, start_s in enumerate(columns.start_s):
        first = (columns.bid_open[row] + columns.ask_open[row]) / 2
        last = (columns.bid_close[row] + columns.ask_close[row]) / 2
        if not isnan(first) and not isnan(last):
            bars[start_s] = (first, last)
    opens, closes = array("d", (first for first, _ in bars.values())), array("d", (last for _, last in bars.values()))
    highs, lows = array("d", map(max, bars.values())), array("d", map(min, bars.values()))
    nothing = array("d", bytes(8 * len(bars)))
    return BarColumns(columns.seconds or 1, array("q", bars), opens, highs, lows, closes, nothing, columns.file)
