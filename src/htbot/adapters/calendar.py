"""Sessions of the New York Stock Exchange as a table (XNYS of exchange_calendars, Apache-2.0)."""

from __future__ import annotations

import csv
import os
import warnings
from datetime import date, datetime
from importlib.metadata import version
from pathlib import Path

from htbot.domain.errors import ConfigurationError
from htbot.domain.sessions import Session, SessionTable

FIRST_YEAR, LAST_YEAR = 1991, 2100
_HEADER = ("day", "opens", "closes", "early_close")


def load_sessions(first: date, last: date, cache_dir: Path | None = None) -> SessionTable:
    """Every session of the years of `first` to `last`, whole years.

    The library takes over a second to load, so the table is kept as a CSV file per range of years and library version
    when `cache_dir` is given; a file that cannot be read is made again.

    Raises:
        ConfigurationError: years that the calendar does not know, or a range that runs backwards.
    """
    if not FIRST_YEAR <= first.year <= last.year <= LAST_YEAR:
        raise ConfigurationError(f"sessions from {first} to {last}: the calendar knows {FIRST_YEAR} to {LAST_YEAR}")
    if cache_dir is None:
        return SessionTable(_from_library(first.year, last.year))
    name = f"xnys-{first.year}-{last.year}-{version('exchange_calendars')}.csv"
    path = cache_dir / name
    kept = _from_file(path)
    if kept is not None:
        return SessionTable(kept)
    sessions = _from_library(first.year, last.year)
    _to_file(path, sessions)
    return SessionTable(sessions)


def _from_library(first_year: int, last_year: int) -> list[Session]:
    import exchange_calendars

    with warnings.catch_warnings():  # the library uses parts of pandas that pandas 3 announces to change
        warnings.simplefilter("ignore", DeprecationWarning)
        calendar = exchange_calendars.get_calendar("XNYS", start=f"{first_year}-01-01", end=f"{last_year}-12-31")
        early = {stamp.date() for stamp in calendar.early_closes}
        schedule = calendar.schedule[["open", "close"]]
    return [
        Session(stamp.date(), opens.to_pydatetime(), closes.to_pydatetime(), stamp.date() in early)
        for stamp, opens, closes in schedule.itertuples()
    ]


def _from_file(path: Path) -> list[Session] | None:
    """The kept table; None when there is none or it is damaged."""
    try:
        with path.open(newline="") as lines:
            rows = list(csv.reader(lines))
        if not rows or tuple(rows[0]) != _HEADER or rows[-1] != ["end"]:
            return None
        instant = datetime.fromisoformat
        return [
            Session(date.fromisoformat(day), instant(opens), instant(closes), early == "1")
            for day, opens, closes, early in rows[1:-1]
        ]
    except (OSError, ValueError):
        return None


def _to_file(path: Path, sessions: list[Session]) -> None:
    """Write beside and rename, so that a reader never sees half a table."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(f".{os.getpid()}.tmp")
    with beside.open("w", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(_HEADER)
        for row in sessions:
            writer.writerow((row.day, row.opens.isoformat(), row.closes.isoformat(), int(row.early_close)))
        writer.writerow(("end",))
    beside.replace(path)
