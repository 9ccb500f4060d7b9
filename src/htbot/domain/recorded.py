"""Recorded market data as typed columns: what the reader of files makes and replay and backtest play.

Times are the START of a bar as whole seconds since the epoch (UTC); prices float64 in dollars or index points; in quote
columns NaN means that the side is not there.
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
    """Bars of one symbol or option, strictly ascending in `start_s`."""

    minutes: int
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
    """Quote bars of one symbol or option, strictly ascending in `start_s`; sizes belong to the end of the bar."""

    minutes: int
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
class RecordedData:
    """Everything that was read from one set of files; `crc` tells the data's identity, not the files' names."""

    bars: dict[str, BarColumns] = field(default_factory=dict)
    quotes: dict[str, QuoteColumns] = field(default_factory=dict)
    option_quotes: dict[OptionSeries, QuoteColumns] = field(default_factory=dict)
    option_trades: dict[OptionSeries, BarColumns] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    crc: int = 0
