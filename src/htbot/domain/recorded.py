"""Recorded market data as typed columns: what the reader of files makes and replay and backtest play.

Times are the START of a bar as whole seconds since the epoch (UTC), of a trade its instant in milliseconds; prices
float64 in dollars or index points; in quote columns NaN means that the side is not there.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from htbot.domain.instruments import Right


@dataclass(frozen=True, slots=True, order=True)
class OptionSeries:
    """An option as files name it: class (SPXW, SPX, GOOG ...), expiry, strike, right."""

    trading_class: str
    expiry: date
    strike: Decimal
    right: Right


@dataclass(frozen=True, slots=True)
class BarColumns:
    """Bars of one symbol or option, `seconds` long (86,400: a session), strictly ascending in `start_s`."""

    seconds: int
    start_s: array[int]
    open: array[float]
    high: array[float]
    low: array[float]
    close: array[float]
    volume: array[float]
    file: str = ""

    def __len__(self) -> int:
        return len(self.start_s)


@dataclass(frozen=True, slots=True)
class QuoteColumns:
    """Quote bars of one symbol or option, ascending in `start_s`; sizes belong to the end of the bar.

    `seconds` 0: ticks, whose open and close are the same; of several in one second the last one counts.
    """

    seconds: int
    start_s: array[int]
    bid_open: array[float]
    bid_close: array[float]
    bid_size: array[float]
    ask_open: array[float]
    ask_close: array[float]
    ask_size: array[float]
    file: str = ""

    def __len__(self) -> int:
        return len(self.start_s)


@dataclass(frozen=True, slots=True)
class Words:
    """A column of a few different texts: `codes` point into `words`."""

    codes: array[int]
    words: tuple[str, ...]

    def __getitem__(self, row: int) -> str:
        return self.words[self.codes[row]]


@dataclass(frozen=True, slots=True)
class TickColumns:
    """Trades of one symbol in the order of the tape; `at_ms` since the epoch, never falling."""

    at_ms: array[int]
    price: array[float]
    size: array[float]
    exchange: Words
    conditions: Words
    file: str = ""

    def __len__(self) -> int:
        return len(self.at_ms)


@dataclass(frozen=True, slots=True)
class RecordedData:
    """Everything that was read from one set of files; `crc` tells the data's identity, not the files' names."""

    bars: dict[str, BarColumns] = field(default_factory=dict)
    quotes: dict[str, QuoteColumns] = field(default_factory=dict)
    option_quotes: dict[OptionSeries, QuoteColumns] = field(default_factory=dict)
    option_trades: dict[OptionSeries, BarColumns] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    crc: int = 0
    ticks: dict[str, TickColumns] = field(default_factory=dict)

    def seconds(self) -> tuple[int, int]:
        """The first and the last time of any underlying (epoch seconds); zeros without any."""
        times = [columns.start_s for columns in self.bars.values()]
        times += [columns.start_s for columns in self.quotes.values()]
        ends = [(starts[0], starts[-1]) for starts in times]
        ends += [(columns.at_ms[0] // 1000, columns.at_ms[-1] // 1000) for columns in self.ticks.values()]
        return (min(first for first, _ in ends), max(last for _, last in ends)) if ends else (0, 0)
