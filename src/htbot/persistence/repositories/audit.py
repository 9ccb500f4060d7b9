"""The audit log."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta

from sqlalchemy import func, select
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

    def count_recent(self, action: str, within_s: int) -> int:
        """How often an act was done in the last seconds, wall time of the database."""
        since = func.clock_timestamp() - timedelta(seconds=within_s)
        query = select(func.count()).where(AuditRow.action == action, AuditRow.recorded_at > since)
        return self._session.scalar(query) or 0

    def recent(self, limit: int = 100, action: str | None = None) -> list[AuditEntry]:
        """The last acts, newest first."""
        query = select(AuditRow).order_by(AuditRow.id.desc()).limit(limit)
        return self._all(query if action is None else query.where(AuditRow.action == action), _to_entry)


def _to_entry(row: AuditRow) -> AuditEntry:
    return AuditEntry(row.at, row.actor, row.action, row.subject, row.detail)
