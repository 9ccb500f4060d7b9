"""Real market data for tests, where there is any: `HTBOT_SHARED_DATA`, else `../shared/data` beside the project."""

from __future__ import annotations

import csv
import os
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from htbot.domain.bars import Bar
from htbot.domain.sessions import Session, SessionTable

PROJECT = Path(__file__).resolve().parents[2]


def shared_file(name: str) -> Path:
    """A file of the shared data; a test that asks for it is skipped when it is not there."""
    folder = Path(os.environ.get("HTBOT_SHARED_DATA") or PROJECT.parent / "shared" / "data")
    if not (folder / name).is_file():
        pytest.skip(f"needs real data: {folder / name} is missing (set HTBOT_SHARED_DATA)")
    return folder / name


@cache
def sessions(path: Path) -> SessionTable:
    """The sessions of a calendar file."""
    with path.open() as lines:
        rows = list(csv.DictReader(lines))
    return SessionTable(
        Session(
            date.fromisoformat(row["session"]),
            datetime.fromisoformat(row["open"]),
            datetime.fromisoformat(row["close"]),
            early_close=row["early_close"].lower() in {"1", "true"},
        )
        for row in rows
    )


@cache
def regular_bars(path: Path, symbol: str, minutes: int, calendar: Path) -> list[Bar]:
    """A symbol's bars of regular hours, oldest first."""
    table = pq.read_table(path)
    rows = table.filter(pc.equal(table["symbol"].cast("string"), symbol)).to_pylist()
    bars = [
        Bar(symbol, row["ts"].astimezone(UTC), minutes, row["open"], row["high"], row["low"], row["close"])
        for row in sorted(rows, key=lambda row: row["ts"])
    ]
    return [bar for bar in bars if (session := sessions(calendar).at(bar.start)) and session.contains(bar.start)]
