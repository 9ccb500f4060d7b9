"""The audit log."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.dialects.postgresql import insert

from htbot.persistence.codecs import plain
from htbot.persistence.records import AuditEntry, RecordedAct
from htbot.persistence.repositories.base import Repository
from htbot.persistence.rows.control import AuditRow


class AuditRepository(Repository):
    """Who did what. Append-only: the database itself refuses changes."""

    def add(self, entry: AuditEntry) -> None:
        """Append an act."""
        self._count(insert(AuditRow).values(**{**asdict(entry), "detail": plain(entry.detail)}))

    def since(self, at: datetime | None, action: str | None = None, limit: int = 1000) -> list[RecordedAct]:
        """The newest acts from a market time on, of one action or family (`halt` is also `halt.set`), oldest first."""
        query = select(AuditRow).order_by(AuditRow.id.desc()).limit(limit)
        if at is not None:
            query = query.where(AuditRow.at >= at)
        if action is not None:
            query = query.where(of_family(action))
        return self._all(query, _to_act)[::-1]

    def count_recent(self, action: str, within_s: int) -> int:
        """How often an act was done in the last seconds, wall time of the database."""
        since = func.clock_timestamp() - timedelta(seconds=within_s)
        query = select(func.count()).where(AuditRow.action == action, AuditRow.recorded_at > since)
        return self._session.scalar(query) or 0

    def recent(self, limit: int = 100, action: str | None = None) -> list[AuditEntry]:
        """The last acts, newest first."""
        query = select(AuditRow).order_by(AuditRow.id.desc()).limit(limit)
        return self._all(query if action is None else query.where(AuditRow.action == action), _to_entry)


def of_family(action: str) -> ColumnElement[bool]:
    """SQL condition: an action or one of its family (`halt` is also `halt.set`)."""
    return or_(AuditRow.action == action, AuditRow.action.startswith(f"{action}.", autoescape=True))


def _to_act(row: AuditRow) -> RecordedAct:
    return RecordedAct(row.at, row.actor, row.action, row.subject, row.detail, row.recorded_at)


def _to_entry(row: AuditRow) -> AuditEntry:
    return AuditEntry(row.at, row.actor, row.action, row.subject, row.detail)
