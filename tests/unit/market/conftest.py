from __future__ import annotations

import zlib
from array import array
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta

import pytest

from htbot.domain.recorded import BarColumns, OptionSeries, QuoteColumns, RecordedData
from htbot.domain.sessions import NEW_YORK, Session, SessionTable

HOLIDAYS = {date(2024, 7, 4), date(2024, 9, 2)}
EARLY = {date(2024, 7, 3)}


def session(day: date) -> Session:
    closes = time(13) if day in EARLY else time(16)
    opens_at, closes_at = (datetime.combine(day, at, tzinfo=NEW_YORK).astimezone(UTC) for at in (time(9, 30), closes))
    return Session(day, opens_at, closes_at, day in EARLY)


@pytest.fixture(scope="session")
def calendar() -> SessionTable:
    """Weekdays of 2024 without two holidays, one half day: 3 July."""
    days = (date(2024, 1, 1) + timedelta(days=number) for number in range(366))
    return SessionTable(session(day) for day in days if day.weekday() < 5 and day not in HOLIDAYS)


Row = tuple[float, float, float, float]
MakeBars = Callable[..., BarColumns]
MakeQuotes = Callable[..., QuoteColumns]
MakeData = Callable[..., RecordedData]


@pytest.fixture(scope="session")
def make_bars() -> MakeBars:
    """Bars at given instants: {start: (open, high, low, close)}, 600 shares each."""

    def make(rows: Mapping[datetime, Row], minutes: int = 5) -> BarColumns:
        starts = array("q", [int(at.timestamp()) for at in rows])
        columns = [array("d", [row[part] for row in rows.values()]) for part in range(4)]
        return BarColumns(minutes * 60, starts, *columns, array("d", [600.0] * len(rows)), "bars.csv")

    return make


@pytest.fixture(scope="session")
def make_quotes() -> MakeQuotes:
    """One-minute quote bars: {start: (bid at open, ask at open, bid at close, ask at close)}; None is no side."""

    def make(rows: Mapping[datetime, tuple[float | None, ...]]) -> QuoteColumns:
        starts = array("q", [int(at.timestamp()) for at in rows])
        sides = [
            array("d", [float("nan") if row[part] is None else float(row[part] or 0.0) for row in rows.values()])
            for part in range(4)
        ]
        sizes = array("d", [7.0] * len(rows))
        return QuoteColumns(60, starts, sides[0], sides[2], sizes, sides[1], sides[3], sizes, "quotes.csv")

    return make


@pytest.fixture(scope="session")
def make_data() -> MakeData:
    def make(
        bars: dict[str, BarColumns],
        option_quotes: dict[OptionSeries, QuoteColumns] | None = None,
        quotes: dict[str, QuoteColumns] | None = None,
    ) -> RecordedData:
        crc = zlib.crc32(b"".join(columns.close.tobytes() for columns in bars.values()))
        return RecordedData(bars, quotes or {}, option_quotes or {}, {}, ("bars.csv",), crc)

    return make


@pytest.fixture(scope="session")
def flat_days(make_bars: MakeBars) -> Callable[[Iterable[Session], float], BarColumns]:
    """Full sessions of 5-minute bars that wobble around a price, a little higher each day."""

    def make(sessions: Iterable[Session], price: float) -> BarColumns:
        rows: dict[datetime, Row] = {}
        for number, day in enumerate(sessions):
            level = price * (1 + 0.001 * number + (0.004 if number % 2 else 0.0))
            start = day.opens
            while start < day.closes:
                rows[start] = (level, level * 1.001, level * 0.9985, level * 1.0005)
                start += timedelta(minutes=5)
        return make_bars(rows)

    return make
