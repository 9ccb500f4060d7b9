"""Files of recorded data to columns. Nothing is handed out before every row of every file has passed."""

from __future__ import annotations

import re
import zlib
from array import array
from collections.abc import Iterable
from dataclasses import fields, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from htbot.domain.errors import ConfigurationError
from htbot.domain.instruments import Right
from htbot.domain.recorded import BarColumns, OptionSeries, QuoteColumns, RecordedData, TickColumns, Words

if TYPE_CHECKING:
    from htbot.adapters.replay.table import Ints, Table

Key = TypeVar("Key")
Columns = TypeVar("Columns", BarColumns, QuoteColumns)

_BAR = re.compile(r"^([1-9]\d*)([smhd])$")
_UNITS_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def parse_bar_length(text: str) -> int:
    """Seconds of a length such as 5s, 1m, 1h, 1d.

    Raises:
        ConfigurationError: anything else.
    """
    match = _BAR.match(text.strip().lower())
    if match is None:
        raise ConfigurationError(f"bar length {text!r}: give seconds, minutes, hours or a day, such as 5s, 1m, 1h, 1d")
    return int(match[1]) * _UNITS_S[match[2]]


def read_market_data(paths: Iterable[Path | str], bar: str | int | None = None) -> RecordedData:
    """Read and check Parquet and CSV files; what each holds is told by its columns (RULINGS 39).

    Columns: symbol, ts (UTC; of a bar its start), then open high low close volume, or bid_/ask_ open high low close
    size, or for ticks price size (seq, exchange, condition), or bid ask bid_size ask_size; options add expiry, right
    (C or P), strike.

    Args:
        paths: the files.
        bar: length of the bars, seconds or text such as 5m; None takes the commonest gap inside a session.

    Raises:
        ConfigurationError: one line that names file, row (counted from 1, without a CSV header) and rule.
    """
    from htbot.adapters.replay.order import bar_seconds, series_runs
    from htbot.adapters.replay.table import read_table

    given = parse_bar_length(bar) if isinstance(bar, str) else bar
    data = RecordedData(files=tuple(str(path) for path in paths))
    if not data.files:
        raise ConfigurationError("no data file given")
    crc = 0
    for name in data.files:
        table = read_table(Path(name))
        runs = list(series_runs(table))
        measured = None if table.of_options or table.of_quotes else given
        seconds = 0 if table.of_ticks else bar_seconds(table, runs, measured)
        for rows in runs:
            crc = _add(data, table, rows, seconds, crc)
    return replace(data, crc=crc)


def _add(data: RecordedData, table: Table, rows: Ints, seconds: int, crc: int) -> int:
    """Put one series where it belongs; returns the checksum continued over name, times and every number."""
    row = int(rows[0])
    symbol = table.symbols[row]
    if table.kind == "trade tick":
        if symbol in data.ticks:
            raise table.fail(row, f"trades of {symbol} are in {data.ticks[symbol].file}; give them once")
        data.ticks[symbol] = _ticks(table, rows)
    elif table.of_quotes:
        quotes = _quotes(table, rows, seconds)
        if table.of_options:
            _put(data.option_quotes, _option(table, row), quotes, table, row)
        else:
            _put(data.quotes, symbol, quotes, table, row)
    else:
        bars = _bars(table, rows, seconds)
        if table.of_options:
            _put(data.option_trades, _option(table, row), bars, table, row)
        else:
            _put(data.bars, symbol, bars, table, row)
    name = f"{symbol} {_option(table, row)}" if table.of_options else symbol
    times = table.at_ms if table.of_ticks else table.start_s
    crc = zlib.crc32(times[rows].tobytes(), zlib.crc32(name.encode(), crc))
    for values in table.values.values():
        crc = zlib.crc32(values[rows].tobytes(), crc)
    return crc


def _put(target: dict[Key, Columns], key: Key, columns: Columns, table: Table, row: int) -> None:
    """Keep a series; one that an earlier file began is continued when the two do not overlap."""
    other = target.get(key)
    if other is None:
        target[key] = columns
        return
    if other.seconds != columns.seconds:
        raise table.fail(row, f"mixed bar length: {columns.seconds} seconds here, {other.seconds} in {other.file}")
    earlier, later = sorted((other, columns), key=lambda part: part.start_s[0])
    if later.start_s[0] <= earlier.start_s[-1]:
        raise table.fail(row, f"{table.kind}s of the same days are in {other.file}; give them once")
    arrays = [field.name for field in fields(columns) if isinstance(getattr(columns, field.name), array)]
    joined = {name: getattr(earlier, name) + getattr(later, name) for name in arrays}
    target[key] = replace(columns, **joined)


def _option(table: Table, row: int) -> OptionSeries:
    strike = Decimal(str(round(float(table.values["strike"][row]), 3))).normalize()
    try:
        expiry = date.fromisoformat(table.expiries[row])
    except ValueError:
        raise table.fail(row, f"expiry {table.expiries[row]} is no date") from None
    return OptionSeries(table.symbols[row], expiry, strike, Right(table.rights[row]))


def _floats(table: Table, rows: Ints, field: str) -> array[float]:
    return array("d", table.values[field][rows].tobytes())


def _starts(table: Table, rows: Ints) -> array[int]:
    return array("q", table.start_s[rows].tobytes())


def _bars(table: Table, rows: Ints, seconds: int) -> BarColumns:
    columns = {name: _floats(table, rows, name) for name in ("open", "high", "low", "close", "volume")}
    return BarColumns(seconds=seconds, start_s=_starts(table, rows), file=table.name, **columns)


def _quotes(table: Table, rows: Ints, seconds: int) -> QuoteColumns:
    """Quote bars, or ticks as bars of no length."""
    columns = {f"{side}_size": _floats(table, rows, f"{side}_size") for side in ("bid", "ask")}
    for side in ("bid", "ask"):
        for part in ("open", "close"):
            columns[f"{side}_{part}"] = _floats(table, rows, side if table.of_ticks else f"{side}_{part}")
    return QuoteColumns(seconds=seconds, start_s=_starts(table, rows), file=table.name, **columns)


def _ticks(table: Table, rows: Ints) -> TickColumns:
    return TickColumns(
        at_ms=array("q", table.at_ms[rows].tobytes()),
        price=_floats(table, rows, "price"),
        size=_floats(table, rows, "size"),
        exchange=_words(table, rows, "exchange"),
        conditions=_words(table, rows, "condition"),
        file=table.name,
    )


def _words(table: Table, rows: Ints, name: str) -> Words:
    texts = table.words.get(name)
    if texts is None:
        return Words(array("H", bytes(2 * len(rows))), ("",))
    places: dict[str, int] = {}
    codes = array("H", (places.setdefault(texts[row], len(places)) for row in rows.tolist()))
    return Words(codes, tuple(places))
