"""Rows of who may trade and who did what: halts, audit log, commands, accounts, state of the desk."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from htbot.domain.scheduler import SchedulerState
from htbot.persistence.columns import words
from htbot.persistence.rows.base import Base, BigInt, Json, SerialKey, SmallInt
from htbot.persistence.states import CommandState, HaltKind


class HaltRow(Base):
    """One halt or one trip of the breaker; in force until cleared or, with `ends_at`, until that market time.

    `account` is the one that it halts; without one it halts all.
    """

    __tablename__ = "halts"
    __table_args__ = (
        Index(
            "uq_halts_in_force",
            "kind",
            "source",
            text("COALESCE(account, '')"),
            unique=True,
            postgresql_where=text("cleared_at IS NULL"),
        ),
        CheckConstraint("kind = 'breaker' OR ends_at IS NULL", name="cleared_by_person"),
        CheckConstraint("(cleared_at IS NULL) = (cleared_by IS NULL)", name="cleared"),
    )

    id: Mapped[SerialKey]
    kind: Mapped[HaltKind] = mapped_column(words(HaltKind, "kind"))
    source: Mapped[str]
    reason: Mapped[str]
    set_by: Mapped[str]
    set_at: Mapped[datetime]
    ends_at: Mapped[datetime | None]
    cleared_by: Mapped[str | None]
    cleared_at: Mapped[datetime | None]
    account: Mapped[str | None]


class AuditRow(Base):
    """One act of a person or a process. The table refuses UPDATE, DELETE and TRUNCATE.

    A trigger fills in `lane`, `seq`, `prev_hash` and `hash`, which are those of `decision_journal`.
    """

    __tablename__ = "audit_log"
    __table_args__ = (UniqueConstraint("lane", "seq", name="uq_audit_log_lane_seq"),)

    id: Mapped[SerialKey]
    at: Mapped[datetime] = mapped_column(index=True)
    actor: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str]
    detail: Mapped[Json]
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    lane: Mapped[str]
    seq: Mapped[BigInt]
    prev_hash: Mapped[str]
    hash: Mapped[str]


class CommandRow(Base):
    """One command of a person; the same idempotency key is the same command."""

    __tablename__ = "commands"
    __table_args__ = (Index("ix_commands_open", "kind", postgresql_where=text("state IN ('PENDING', 'RUNNING')")),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    idempotency_key: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    params: Mapped[Json]
    requested_by: Mapped[str]
    created_at: Mapped[datetime]
    state: Mapped[CommandState] = mapped_column(words(CommandState, "state"))
    changed_at: Mapped[datetime]
    result: Mapped[Json]


class AccountRow(Base):
    """One broker account and the world it lives in; unknown figures are null."""

    __tablename__ = "accounts"

    account: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    world_id: Mapped[str]
    mode: Mapped[str]
    as_of: Mapped[datetime]
    net_liquidation_usd: Mapped[Decimal | None]
    buying_power_usd: Mapped[Decimal | None]
    cash_usd: Mapped[Decimal | None]


class SchedulerRow(Base):
    """The scheduler's state, one row; without it the scheduler runs. `since` is market time."""

    __tablename__ = "scheduler"
    __table_args__ = (CheckConstraint("id = 1", name="one"),)

    id: Mapped[SmallInt] = mapped_column(primary_key=True, autoincrement=False)
    state: Mapped[SchedulerState] = mapped_column(words(SchedulerState, "state"))
    since: Mapped[datetime]
    set_by: Mapped[str]


class DeskStateRow(Base):
    """One fact that the desk must not forget over a restart: epoch, order ids, world."""

    __tablename__ = "desk_state"

    key: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]
