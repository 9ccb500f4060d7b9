"""Row of an alert: the outbox that a task delivers from."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from htbot.domain.alerts import Severity
from htbot.persistence.columns import words
from htbot.persistence.rows.base import Base, Json, SerialKey
from htbot.persistence.states import AlertState


class AlertRow(Base):
    """One message to a person; `next_attempt_at` null means at once, `acknowledged_at` is wall time."""

    __tablename__ = "alerts"
    __table_args__ = (
        Index("ix_alerts_pending", "id", postgresql_where=text("state = 'PENDING'")),
        CheckConstraint("(acknowledged_at IS NULL) = (acknowledged_by IS NULL)", name="acknowledged"),
    )

    id: Mapped[SerialKey]
    dedup_key: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    severity: Mapped[Severity] = mapped_column(words(Severity, "severity"))
    subject: Mapped[str]
    text: Mapped[str]
    html: Mapped[str]
    account: Mapped[str]
    params: Mapped[Json]
    as_of: Mapped[datetime]
    state: Mapped[AlertState] = mapped_column(words(AlertState, "state"))
    attempts: Mapped[int]
    next_attempt_at: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    last_error: Mapped[str]
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by: Mapped[str | None]
