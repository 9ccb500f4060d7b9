"""The audit log."""

from __future__ import annotations

from dataclasses import asdict

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from htbot.persistence.codecs import plain
from htbot.persistence.records import AuditEntry
from htbot.persistence.repositories.base import Repository
from htbot.persistence.rows.control import AuditRow


class AuditRepository(Repository):
    """Who did what. Append-only: the database itself refuses changes."""

    def add(self, entry: AuditEntry) -> None:
        """Append an act."""
        self._count(insert(AuditRow).values(**{**asdict(entry), "detail": plain(entry.detail)}))

    def recent(self, limit: int = 100, action: str | None = None) -> list[AuditEntry]:
        """The last acts, newest first."""
        query = select(AuditRow).order_by(AuditRow.id.desc()).limit(limit)
        return self._all(query if action is None else query.where(AuditRow.action == action), _to_entry)


def _to_entry(row: AuditRow) -> AuditEntry:
    return AuditEntry(row.at, row.actor, row.action, row.subject, row.detail)
