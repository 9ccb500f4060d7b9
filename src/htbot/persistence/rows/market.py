"""Rows of market data: closed bars, ticks, sessions."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from htbot.persistence.rows.base import Base, BigInt


class BarRow(Base):
    """One closed bar of one world; `known_at` is the market time from which decisions may read it."""

    __tablename__ = "bars"
    __table_args__ = (
        Index("ix_bars_world_id_known_at", "world_id", "known_at"),
        CheckConstraint("minutes > 0", name="minutes"),
        CheckConstraint("low > 0 AND low <= least(open, close) AND high >= greatest(open, close)", name="range"),
        CheckConstraint("high < 'Infinity' AND volume >= 0 AND volume < 'Infinity'", name="finite"),
    )

    world_id: Mapped[str] = mapped_column(primary_key=True)
    symbol: Mapped[str] = mapped_column(primary_key=True)
    minutes: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    start: Mapped[datetime] = mapped_column(primary_key=True)
    open: Mapped[float]
    high: Mapped[float]
    low: Mapped[float]
    close: Mapped[float]
    volume: Mapped[float]
    known_at: Mapped[datetime]


class TickRow(Base):
    """One quote of one contract as it changed; a missing side is null."""

    __tablename__ = "ticks"
    __table_args__ = (Index("ix_ticks_symbol_as_of", "symbol", "as_of"),)

    world_id: Mapped[str] = mapped_column(primary_key=True)
    con_id: Mapped[BigInt] = mapped_column(primary_key=True, autoincrement=False)
    as_of: Mapped[datetime] = mapped_column(primary_key=True)
    symbol: Mapped[str]
    bid: Mapped[float | None]
    ask: Mapped[float | None]
    bid_size: Mapped[float]
    ask_size: Mapped[float]
    last: Mapped[float | None]
    modelled: Mapped[bool]


class SessionRow(Base):
    """One regular session of the exchange calendar, New York day, times UTC."""

    __tablename__ = "sessions"
    __table_args__ = (CheckConstraint("opens < closes", name="order"),)

    day: Mapped[date] = mapped_column(primary_key=True)
    opens: Mapped[datetime]
    closes: Mapped[datetime]
    early_close: Mapped[bool]
