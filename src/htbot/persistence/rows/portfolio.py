"""Rows of what is held and what it earns: positions, P&L snapshots, P&L per day."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from htbot.domain.instruments import Right
from htbot.persistence.columns import words
from htbot.persistence.rows.base import Base, BigInt, Json


class PositionRow(Base):
    """Net holding of one contract in one account: the fold of its fills, as of a market time."""

    __tablename__ = "positions"
    __table_args__ = (CheckConstraint("multiplier > 0", name="multiplier"),)

    account: Mapped[str] = mapped_column(primary_key=True)
    con_id: Mapped[BigInt] = mapped_column(primary_key=True, autoincrement=False)
    symbol: Mapped[str]
    expiry: Mapped[date | None]
    strike: Mapped[Decimal | None]
    right: Mapped[Right | None] = mapped_column(words(Right, "right"))
    multiplier: Mapped[int]
    quantity: Mapped[int]
    average_price: Mapped[Decimal]
    realized_usd: Mapped[Decimal]
    commissions_usd: Mapped[Decimal]
    as_of: Mapped[datetime]


class PnlSnapshotRow(Base):
    """One mark of one open trade; an unknown price or P&L stays null."""

    __tablename__ = "pnl_snapshots"

    trade_id: Mapped[str] = mapped_column(ForeignKey("trades.id"), primary_key=True)
    as_of: Mapped[datetime] = mapped_column(primary_key=True)
    mid_debit: Mapped[Decimal | None]
    natural_debit: Mapped[Decimal | None]
    mid_pnl_usd: Mapped[Decimal | None]
    natural_pnl_usd: Mapped[Decimal | None]
    max_gain_usd: Mapped[Decimal | None]
    details: Mapped[Json]


class PnlDailyRow(Base):
    """Result of one account on one day: open P&L and commissions apart from what is realised; null is unknown."""

    __tablename__ = "pnl_daily"

    account: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    gross_usd: Mapped[Decimal | None]
    commissions_usd: Mapped[Decimal | None]
    net_usd: Mapped[Decimal | None]
    unrealized_usd: Mapped[Decimal | None]
    trades: Mapped[int]
    as_of: Mapped[datetime]
