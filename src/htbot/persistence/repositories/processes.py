"""Processes and the version of their code (FAULTS 43)."""

from __future__ import annotations

from dataclasses import asdict

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert

from htbot.persistence.records import Process
from htbot.persistence.repositories.base import Repository
from htbot.persistence.rows.tasks import ProcessRow


class ProcessRepository(Repository):
    """The last start of each process."""

    def started(self, process: Process) -> None:
        """A process has started, in place of what one of the same name said before."""
        values = asdict(process)
        statement = insert(ProcessRow).values(values)
        changed = {name: statement.excluded[name] for name in values if name != "name"}
        self._count(statement.on_conflict_do_update(index_elements=["name"], set_=changed))

    def newest(self, kind: str) -> Process | None:
        """The process that started last among those whose name begins with a kind."""
        query = select(ProcessRow).where(ProcessRow.name.startswith(kind, autoescape=True))
        return self._first(query.order_by(ProcessRow.started_at.desc()), _to_process)

    def all(self) -> list[Process]:
        """Processes by name."""
        return self._all(select(ProcessRow).order_by(ProcessRow.name), _to_process)

    def revision(self) -> str | None:
        """The revision that the record is at; None before the first migration has ended."""
        found: str | None = self._session.scalar(text("SELECT version_num FROM alembic_version"))
        return found


def _to_process(row: ProcessRow) -> Process:
    return Process(row.name, row.host, row.pid, row.version, row.revision, row.started_at)
