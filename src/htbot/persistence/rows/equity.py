"""Rows of an account's equity from session to session, and of money that went in or out."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import CheckConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from htbot.persistence.rows.base import Base, SerialKey


class AccountEquityRow(Base):
    """What the breaker judges one account by on one day: the peak is carried on, the loss base is of the last reset."""

    __tablename__ = "account_equity"
    __table_args__ = (CheckConstraint("loss_base_usd <= 0", name="loss_base"),)

    account: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    start_net_liquidation_usd: Mapped[Decimal | None]
    start_unrealized_usd: Mapped[Decimal | None]
    equity_usd: Mapped[Decimal | None]
    daily_pnl_usd: Mapped[Decimal | None]
    peak_equity_usd: Mapped[Decimal | None]
    intraday_peak_usd: Mapped[Decimal | None]
    loss_base_usd: Mapped[Decimal]
    reset_at: Mapped[datetime | None]
    as_of: Mapped[datetime]


class CashFlowRow(Base):
    """One deposit (positive) or withdrawal (negative) that a person told of; it shifts the peak."""

    __tablename__ = "cash_flows"
    __table_args__ = (
        CheckConstraint("amount_usd <> 0", name="amount"),
        Index("ix_cash_flows_account_at", "account", "at"),
    )

    id: Mapped[SerialKey]
    account: Mapped[str]
    at: Mapped[datetime]
    amount_usd: Mapped[Decimal]
    note: Mapped[str]
    recorded_by: Mapped[str]
