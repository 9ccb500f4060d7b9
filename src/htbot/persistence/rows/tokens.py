"""Row of an API token that was minted: its hash, never itself (RULINGS 36)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from htbot.persistence.rows.base import Base, SerialKey


class ApiTokenRow(Base):
    """One minted token, valid until revoked; times are wall time."""

    __tablename__ = "api_tokens"
    __table_args__ = (
        Index("uq_api_tokens_name", "name", unique=True, postgresql_where=text("revoked_at IS NULL")),
        CheckConstraint("role IN ('viewer', 'operator', 'admin')", name="role"),
        CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="sha256"),
    )

    id: Mapped[SerialKey]
    name: Mapped[str]
    role: Mapped[str]
    sha256: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
