"""Row of the decision journal: what was decided and what became of it, as a hash chain."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from htbot.persistence.rows.base import Base, BigInt, Json, SerialKey


class DecisionRow(Base):
    """One change of a decision: the whole row when it is new, afterwards the columns that have changed.

    Written by triggers while the transaction commits; `key` is the row's own key. The table refuses UPDATE, DELETE and
    TRUNCATE. `lane` is the writer's application name; in a lane `seq` counts from 1, and `hash` is the SHA-256 of the
    row's other columns, `prev_hash` included.
    """

    __tablename__ = "decision_journal"
    __table_args__ = (
        UniqueConstraint("lane", "seq", name="uq_decision_journal_lane_seq"),
        Index("ix_decision_journal_kind_key", "kind", "key"),
        CheckConstraint("op IN ('insert', 'update', 'delete')", name="op"),
    )

    id: Mapped[SerialKey]
    kind: Mapped[str]
    key: Mapped[str]
    op: Mapped[str]
    as_of: Mapped[datetime | None]
    body: Mapped[Json]
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    lane: Mapped[str]
    seq: Mapped[BigInt]
    prev_hash: Mapped[str]
    hash: Mapped[str]
