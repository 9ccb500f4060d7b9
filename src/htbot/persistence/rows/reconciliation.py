"""Rows of reconciliation: each comparison with the broker that was worth keeping, and what did not match in it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, func
from sqlalchemy.orm import Mapped, mapped_column

from htbot.execution.disagreement import Verdict
from htbot.execution.reconciliation import FindingKind
from htbot.persistence.columns import words
from htbot.persistence.rows.base import Base, BigInt, SerialKey


class ReconciliationRunRow(Base):
    """One comparison of an account's books: how many contracts matched, how many things did not or were not ours.

    `since` is the market time from which the oldest difference stands. Without items everything matched.
    """

    __tablename__ = "reconciliation_runs"
    __table_args__ = (
        Index("ix_reconciliation_runs_account_as_of", "account", "as_of"),
        CheckConstraint("(differing = 0) = (verdict IN ('AGREE', 'HEALED'))", name="agreement"),
    )

    id: Mapped[SerialKey]
    account: Mapped[str]
    as_of: Mapped[datetime]
    cause: Mapped[str]
    verdict: Mapped[Verdict] = mapped_column(words(Verdict, "verdict"))
    matched: Mapped[int]
    differing: Mapped[int]
    foreign_items: Mapped[int]
    since: Mapped[datetime | None]
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class ReconciliationItemRow(Base):
    """One thing that did not match, with the market time since when; `con_id` and `perm_id` 0 mean none."""

    __tablename__ = "reconciliation_items"

    run_id: Mapped[BigInt] = mapped_column(ForeignKey("reconciliation_runs.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[FindingKind] = mapped_column(words(FindingKind, "kind"))
    account: Mapped[str]
    con_id: Mapped[BigInt]
    symbol: Mapped[str]
    ref: Mapped[str]
    perm_id: Mapped[BigInt]
    ours: Mapped[int]
    broker: Mapped[int]
    detail: Mapped[str]
    since: Mapped[datetime]
