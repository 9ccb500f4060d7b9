"""Rows of decisions: evaluations, signals, risk decisions."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, false, func, text
from sqlalchemy.orm import Mapped, mapped_column

from htbot.persistence.rows.base import Base, BigInt, Json, JsonList, SerialKey, SmallInt
from htbot.persistence.states import UNSETTLED


class EvaluationRow(Base):
    """One look of a strategy at a symbol; `why_not` is null when a signal fired (RULINGS 38).

    Old ones are forgotten in the order of their ids; `recorded_at` is wall time.
    """

    __tablename__ = "evaluations"
    __table_args__ = (
        UniqueConstraint("strategy", "account", "symbol", "as_of"),
        Index("ix_evaluations_fired", "id", postgresql_where=text("why_not IS NULL")),
        Index("ix_evaluations_account", "account", "id"),
    )

    id: Mapped[SerialKey]
    strategy: Mapped[str]
    account: Mapped[str]
    symbol: Mapped[str]
    as_of: Mapped[datetime]
    trend: Mapped[SmallInt]
    high: Mapped[float | None]
    low: Mapped[float | None]
    why_not: Mapped[str | None]
    indicators: Mapped[Json]
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class SignalRow(Base):
    """One signal and its outcome; its key spends the level (RULINGS 2), or is the closed bar that it was made at.

    `action` is `enter` or `leave`; `bar_start` is null where the open bar is looked at, as by strategy 1.
    """

    __tablename__ = "signals"
    __table_args__ = (
        Index(
            "uq_signals_level",
            *("strategy", "account", "session", "direction", "level", "observed"),
            unique=True,
            postgresql_where=text("bar_start IS NULL"),
        ),
        Index(
            "uq_signals_bar",
            *("strategy", "account", "bar_start"),
            unique=True,
            postgresql_where=text("bar_start IS NOT NULL"),
        ),
        CheckConstraint("action IN ('enter', 'leave')", name="action"),
        CheckConstraint("direction IN (1, -1)", name="direction"),
        CheckConstraint("accepted = (refused_by IS NULL)", name="outcome"),
        Index("ix_signals_session_account", "session", "account"),
    )

    id: Mapped[SerialKey]
    strategy: Mapped[str]
    account: Mapped[str]
    symbol: Mapped[str]
    session: Mapped[date]
    as_of: Mapped[datetime]
    direction: Mapped[SmallInt]
    level: Mapped[float]
    price: Mapped[float]
    trend: Mapped[SmallInt]
    reason: Mapped[str]
    levels: Mapped[Json]
    indicators: Mapped[Json]
    accepted: Mapped[bool]
    refused_by: Mapped[str | None]
    action: Mapped[str] = mapped_column(server_default="enter")
    bar_start: Mapped[datetime | None]
    observed: Mapped[bool] = mapped_column(server_default=false())


class RiskDecisionRow(Base):
    """What risk answered to one signal, with every rule's limit and value."""

    __tablename__ = "risk_decisions"
    __table_args__ = (
        CheckConstraint("approved = (refused_by IS NULL)", name="answer"),
        Index("ix_risk_decisions_unsettled", "as_of", postgresql_where=text(UNSETTLED)),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    signal_id: Mapped[BigInt | None] = mapped_column(ForeignKey("signals.id"), unique=True)
    as_of: Mapped[datetime]
    approved: Mapped[bool]
    refused_by: Mapped[str | None]
    outcomes: Mapped[JsonList]
