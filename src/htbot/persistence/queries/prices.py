"""Stored bars as people and programs read them: which there are, a piece of one series, its figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.dialects.postgresql import aggregate_order_by, distinct_on
from sqlalchemy.orm import Session

from htbot.persistence.repositories import Series
from htbot.persistence.rows.market import BarRow


@dataclass(frozen=True, slots=True)
class Span:
    """Starts of bars from `start` (inclusive) to `end` (exclusive), of those known at `known_at`; market time."""

    start: datetime | None
    end: datetime | None
    known_at: datetime


@dataclass(frozen=True, slots=True)
class SeriesView:
    """A series of bars that is stored; `volume_bars` are those with a volume."""

    symbol: str
    minutes: int
    bars: int
    volume_bars: int
    first_timestamp: datetime
    latest_timestamp: datetime
    latest_price: float


@dataclass(frozen=True, slots=True)
class BarView:
    """A closed bar. `timestamp` is its start, `price` its close; trade counts and average prices are not stored."""

    symbol: str
    timestamp: datetime
    minutes: int
    price: float
    open: float
    high: float
    low: float
    close: float
    volume: float
    trade_count: int | None = None
    vwap: float | None = None


@dataclass(frozen=True, slots=True)
class OhlcvView:
    """A span of a series as one bar; everything but the count is null without bars."""

    symbol: str
    minutes: int
    first_open: float | None
    max_high: float | None
    min_low: float | None
    last_close: float | None
    total_volume: float | None
    avg_volume: float | None
    avg_vwap: float | None
    count: int
    first_timestamp: datetime | None
    last_timestamp: datetime | None


@dataclass(frozen=True, slots=True)
class PriceStats:
    """Figures of the closes of a span; `std` is that of the sample, null for less than two, `change_pct` in percent."""

    symbol: str
    minutes: int
    count: int
    min: float | None
    max: float | None
    avg: float | None
    std: float | None
    first_timestamp: datetime | None
    last_timestamp: datetime | None
    change: float | None
    change_pct: float | None


def stored_series(session: Session, world_id: str) -> list[SeriesView]:
    """Every series of a world, by symbol and length."""
    last = aggregate_order_by(BarRow.close, BarRow.start.desc())
    query = (
        select(
            BarRow.symbol,
            BarRow.minutes,
            func.count(),
            func.count().filter(BarRow.volume > 0),
            func.min(BarRow.start),
            func.max(BarRow.start),
            func.array_agg(last)[1],
        )
        .where(BarRow.world_id == world_id)
        .group_by(BarRow.symbol, BarRow.minutes)
        .order_by(BarRow.symbol, BarRow.minutes)
    )
    return [SeriesView(*row) for row in session.execute(query)]


def bars(session: Session, series: Series, span: Span, limit: int) -> list[BarView]:
    """The newest bars of a span, newest first."""
    query = select(BarRow).where(*_within(series, span)).order_by(BarRow.start.desc()).limit(limit)
    return [_bar_view(row) for row in session.scalars(query)]


def last_bars(session: Session, world_id: str, symbols: Sequence[str], known_at: datetime) -> dict[str, BarView]:
    """By symbol, the bar that closed last, of whichever length."""
    ends = BarRow.start + func.make_interval(0, 0, 0, 0, 0, BarRow.minutes)
    query = (
        select(BarRow)
        .ext(distinct_on(BarRow.symbol))
        .where(BarRow.world_id == world_id, BarRow.symbol.in_(symbols), BarRow.known_at <= known_at)
        .order_by(BarRow.symbol, ends.desc(), BarRow.minutes)
    )
    return {row.symbol: _bar_view(row) for row in session.scalars(query)}


def ohlcv(session: Session, series: Series, span: Span) -> OhlcvView:
    """A span as one bar."""
    found = session.execute(
        select(
            func.array_agg(aggregate_order_by(BarRow.open, BarRow.start))[1],
            func.max(BarRow.high),
            func.min(BarRow.low),
            func.array_agg(aggregate_order_by(BarRow.close, BarRow.start.desc()))[1],
            func.sum(BarRow.volume),
            func.avg(BarRow.volume),
            func.count(),
            func.min(BarRow.start),
            func.max(BarRow.start),
        ).where(*_within(series, span))
    ).one()
    first_open, high, low, close, volume, average, count, first, last = found
    return OhlcvView(
        series.symbol, series.minutes, first_open, high, low, close, volume, average, None, count, first, last
    )


def price_stats(session: Session, series: Series, span: Span) -> PriceStats:
    """Figures of the closes of a span."""
    close = BarRow.close
    count, low, high, average, spread, first, last, began, ended = session.execute(
        select(
            func.count(),
            func.min(close),
            func.max(close),
            func.avg(close),
            func.stddev_samp(close),
            func.min(BarRow.start),
            func.max(BarRow.start),
            func.array_agg(aggregate_order_by(close, BarRow.start))[1],
            func.array_agg(aggregate_order_by(close, BarRow.start.desc()))[1],
        ).where(*_within(series, span))
    ).one()
    change = None if began is None else ended - began
    percent = None if change is None else change / began * 100
    return PriceStats(series.symbol, series.minutes, count, low, high, average, spread, first, last, change, percent)


def _within(series: Series, span: Span) -> list[ColumnElement[bool]]:
    where = [
        BarRow.world_id == series.world_id,
        BarRow.symbol == series.symbol,
        BarRow.minutes == series.minutes,
        BarRow.known_at <= span.known_at,
    ]
    if span.start is not None:
        where.append(BarRow.start >= span.start)
    if span.end is not None:
        where.append(BarRow.start < span.end)
    return where


def _bar_view(row: BarRow) -> BarView:
    prices = (row.close, row.open, row.high, row.low, row.close)
    return BarView(row.symbol, row.start, row.minutes, *prices, row.volume)
