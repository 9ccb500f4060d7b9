"""One file as checked columns: what kind it is, and that every row can be believed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from htbot.domain.errors import ConfigurationError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

BAR_FIELDS = ("open", "high", "low", "close", "volume")
QUOTE_FIELDS = tuple(f"{side}_{part}" for side in ("bid", "ask") for part in ("open", "high", "low", "close", "size"))
OPTION_FIELDS = ("expiry", "right", "strike")
TICK_FIELDS = ("price", "size")
QUOTE_TICK_FIELDS = ("bid", "ask", "bid_size", "ask_size")
_WORDS = ("exchange", "condition")
_ORDER = "seq"
_TICKER = re.compile(r"^[A-Z][A-Z0-9.]{0,9}$")
_DATE = re.compile(r"^\d{4}-?\d{2}-?\d{2}$")
_PRICE_LIMIT = 10_000_000.0


@dataclass(frozen=True, slots=True)
class Table:
    """A file's rows: keys as text, times in epoch seconds and milliseconds, numbers float64. Rows are told from 1.

    `words` are texts that a row may have besides (exchange and condition of a trade).
    """

    name: str
    kind: str
    symbols: Sequence[str]
    start_s: Ints
    values: dict[str, Floats]
    at_ms: Ints
    words: dict[str, list[str]]
    expiries: Sequence[str] = ()
    rights: Sequence[str] = ()

    @property
    def of_options(self) -> bool:
        """True when rows belong to options."""
        return bool(self.expiries)

    @property
    def of_ticks(self) -> bool:
        """True when rows are events with a time of their own, not bars."""
        return "tick" in self.kind

    @property
    def of_quotes(self) -> bool:
        """True when rows have two sides."""
        return "quote" in self.kind

    def fail(self, row: int, rule: str) -> ConfigurationError:
        """The error for a row (0-based here, counted from 1 in the text)."""
        return ConfigurationError(f"{self.name}: row {row + 1} ({self.symbols[row]}): {rule}")


def read_table(path: Path) -> Table:
    """Read a file and check each row on its own.

    Raises:
        ConfigurationError: unreadable file, missing columns, or a row with a value that cannot be.
    """
    raw = _load(path)
    kind, fields = _kind(path, raw)
    if raw.num_rows == 0:
        raise ConfigurationError(f"{path}: the file has no rows")
    symbols = _texts(path, raw, "symbol", _TICKER, "is no symbol")
    options = "option" in kind
    at_ms = _times_ms(path, raw, whole_seconds="tick" not in kind)
    table = Table(
        name=str(path),
        kind=kind,
        symbols=symbols,
        start_s=at_ms // 1000,
        at_ms=at_ms,
        words={name: _words(raw, name) for name in _WORDS if name in raw.column_names and kind == "trade tick"},
        values={field: _floats(path, raw, field) for field in (*fields, *(("strike",) if options else ()))},
        expiries=_texts(path, raw, "expiry", _DATE, "is no expiry date") if options else (),
        rights=_texts(path, raw, "right", re.compile("^[CP]$"), "is no right (C or P)") if options else (),
    )
    if options:
        _refuse(table, ~(table.values["strike"] > 0), "strike", "must be above 0")
    _CHECKS[kind.removeprefix("option ")](table)
    return table


def _load(path: Path) -> Any:
    """The file's columns; the reader of the other format is not loaded, that takes a tenth of a second."""
    if not path.is_file():
        raise ConfigurationError(f"{path}: no such file")
    try:
        if path.suffix.lower() in {".csv", ".gz"}:
            import pyarrow.csv

            texts = {name: pa.string() for name in ("symbol", "ts", *OPTION_FIELDS[:2])}
            convert = pyarrow.csv.ConvertOptions(column_types=texts, strings_can_be_null=True)
            return pyarrow.csv.read_csv(path, convert_options=convert)
        import pyarrow.parquet

        with pyarrow.parquet.ParquetFile(path) as file:  # read_table would import pandas
            return file.read()
    except (pa.ArrowException, OSError) as error:
        lines = str(error).splitlines() or [type(error).__name__]
        cause = "".join(letter for letter in lines[0] if letter.isprintable()).strip()
        raise ConfigurationError(f"{path}: not readable as Parquet or CSV: {cause}") from error


def _kind(path: Path, raw: Any) -> tuple[str, tuple[str, ...]]:
    """Bars, quotes or ticks, of underlyings or options, told by the columns (RULINGS 39)."""
    names = set(raw.column_names)
    options = bool(names.intersection(OPTION_FIELDS))
    fields: tuple[str, ...]
    if {"bid", "ask"} <= names:
        kind, fields = "quote tick", QUOTE_TICK_FIELDS
    elif "price" in names and "open" not in names and not options:
        kind, fields = "trade tick", (*TICK_FIELDS, *((_ORDER,) if _ORDER in names else ()))
    else:
        quotes = bool(names.intersection(QUOTE_FIELDS))
        kind, fields = ("quote", QUOTE_FIELDS) if quotes else ("bar", BAR_FIELDS)
    needed = ("symbol", "ts", *(OPTION_FIELDS if options else ()), *fields)
    missing = [name for name in needed if name not in names]
    if missing:
        what = f"{'option' if options else 'underlying'} {kind}s"
        raise ConfigurationError(f"{path}: missing columns {', '.join(missing)} ({what} need {', '.join(needed)})")
    return f"{'option ' if options else ''}{kind}", fields


def _texts(path: Path, raw: Any, name: str, pattern: re.Pattern[str], fault: str) -> list[str]:
    column = raw.column(name)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if not pa.types.is_string(column.type) and not pa.types.is_large_string(column.type):
        column = _cast(path, column, name, pa.string())
    texts = [text or "" for text in column.to_pylist()]
    unknown = {text for text in set(texts) if not pattern.match(text)}
    if unknown:
        row = min(texts.index(text) for text in unknown)
        raise ConfigurationError(f"{path}: row {row + 1}: {name} {texts[row]!r} {fault}")
    return texts


def _words(raw: Any, name: str) -> list[str]:
    column = raw.column(name)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return [text or "" for text in column.cast(pa.string()).to_pylist()]


def _times_ms(path: Path, raw: Any, *, whole_seconds: bool) -> Ints:
    """`ts` in epoch milliseconds; a time without an offset is UTC, as the files' convention says."""
    column = raw.column("ts")
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = _parse_times(path, column)
    if not pa.types.is_timestamp(column.type):
        raise ConfigurationError(f"{path}: column ts is {column.type}, not a time (ISO text or timestamp, UTC)")
    if column.null_count:
        row = column.is_null().to_pylist().index(True)
        raise ConfigurationError(f"{path}: row {row + 1}: ts is missing")
    micros = _numbers(column.cast(pa.timestamp("us", column.type.tz), safe=False).cast(pa.int64()))
    odd = np.flatnonzero(micros % 1_000_000)
    if whole_seconds and len(odd):
        raise ConfigurationError(f"{path}: row {odd[0] + 1}: ts {column[int(odd[0])]} is not on a whole second")
    return np.asarray(micros // 1_000, dtype=np.int64)


def _parse_times(path: Path, column: Any) -> Any:
    parsed = []
    for row, text in enumerate(column.to_pylist()):
        try:
            moment = datetime.fromisoformat(text)
        except (TypeError, ValueError):
            raise ConfigurationError(f"{path}: row {row + 1}: ts {text!r} is no ISO time") from None
        parsed.append(moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC))
    return pa.chunked_array([pa.array(parsed, pa.timestamp("us", "UTC"))])


def _floats(path: Path, raw: Any, name: str) -> Floats:
    column = raw.column(name)
    if pa.types.is_string(column.type):
        _refuse_words(path, column, name)
    column = _cast(path, column, name, pa.float64())
    return np.asarray(_numbers(column), dtype=np.float64)


def _numbers(column: Any) -> npt.NDArray[Any]:
    """A column as an array, a missing float as NaN. `to_numpy` imports pandas, so it is kept for columns with gaps."""
    whole = column.combine_chunks()
    if whole.null_count or not len(whole):
        return np.asarray(whole.to_numpy(zero_copy_only=False))
    return np.from_dlpack(whole)


def _refuse_words(path: Path, column: Any, name: str) -> None:
    """A column of a CSV file is text as soon as one of its cells is no number: name that cell."""
    for row, text in enumerate(column.to_pylist()):
        try:
            float(text or "nan")
        except ValueError:
            raise ConfigurationError(f"{path}: row {row + 1}: {name} {text!r} is no number") from None


def _cast(path: Path, column: Any, name: str, kind: Any) -> Any:
    try:
        return column.cast(kind)
    except pa.ArrowException as error:
        raise ConfigurationError(f"{path}: column {name} is {column.type}, not {kind}: {error}") from error


def _refuse(table: Table, faulty: npt.NDArray[np.bool_], field: str, rule: str) -> None:
    rows = np.flatnonzero(faulty)
    if len(rows):
        raise table.fail(int(rows[0]), f"{field} {table.values[field][rows[0]]:g} {rule}")


def _check_prices(table: Table, fields: Sequence[str], *, gaps: bool) -> None:
    for field in fields:
        values = table.values[field]
        if not gaps:
            _refuse(table, np.isnan(values), field, "is missing or not a number")
        _refuse(table, np.isinf(values), field, "is infinite")
        _refuse(table, values < 0, field, "is negative")
        _refuse(table, values > _PRICE_LIMIT, field, f"is above {_PRICE_LIMIT:g}")
        if not gaps:
            _refuse(table, values == 0, field, "is zero")


def _check_range(table: Table, prefix: str) -> None:
    values = table.values
    high, low = values[f"{prefix}high"], values[f"{prefix}low"]
    _refuse(table, high < low, f"{prefix}high", "is below the low")
    for part in ("open", "close"):
        value = values[f"{prefix}{part}"]
        _refuse(table, (value > high) | (value < low), f"{prefix}{part}", "is outside low and high")


def _check_bars(table: Table) -> None:
    _check_prices(table, BAR_FIELDS[:4], gaps=False)
    _check_range(table, "")
    _check_sizes(table, "volume")


def _check_quotes(table: Table) -> None:
    """Two sides; a missing side is legal, crossed sides too: they were recorded so."""
    for side in ("bid", "ask"):
        _check_prices(table, [f"{side}_{part}" for part in BAR_FIELDS[:4]], gaps=True)
        _check_range(table, f"{side}_")
        _check_sizes(table, f"{side}_size")


def _check_sizes(table: Table, field: str) -> None:
    values = table.values[field]
    _refuse(table, ~np.isfinite(values), field, "is missing or not a number")
    _refuse(table, values < 0, field, "is negative")


def _check_ticks(table: Table) -> None:
    _check_prices(table, ["price"], gaps=False)
    _check_sizes(table, "size")


def _check_quote_ticks(table: Table) -> None:
    for side in ("bid", "ask"):
        _check_prices(table, [side], gaps=True)
        _check_sizes(table, f"{side}_size")


_CHECKS = {"bar": _check_bars, "quote": _check_quotes, "trade tick": _check_ticks, "quote tick": _check_quote_ticks}
