"""Minted API tokens: only their hashes are kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from htbot.persistence.rows.tokens import ApiTokenRow


@dataclass(frozen=True, slots=True)
class StoredToken:
    """A token as the record knows it; `sha256` is the hex digest of its text."""

    name: str
    role: str
    sha256: str
    created_at: datetime


def active(session: Session) -> list[StoredToken]:
    """Tokens that were not revoked, by name."""
    rows = session.scalars(select(ApiTokenRow).where(ApiTokenRow.revoked_at.is_(None)).order_by(ApiTokenRow.name))
    return [StoredToken(row.name, row.role, row.sha256, row.created_at) for row in rows]


def add(session: Session, token: StoredToken) -> None:
    """Keep a token.

    Raises:
        sqlalchemy.exc.IntegrityError: an active token has that name.
    """
    row = ApiTokenRow(name=token.name, role=token.role, sha256=token.sha256, created_at=token.created_at)
    session.add(row)
    session.flush()


def revoke(session: Session, name: str, at: datetime) -> bool:
    """End the active token of a name; False when there is none."""
    query = select(ApiTokenRow).where(ApiTokenRow.name == name, ApiTokenRow.revoked_at.is_(None))
    row = session.scalar(query)
    if row is None:
        return False
    row.revoked_at = at
    return True
