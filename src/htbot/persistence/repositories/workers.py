"""Workers that have said they are ready."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from htbot.persistence.records import Worker
from htbot.persistence.repositories.base import Repository
from htbot.persistence.rows.tasks import WorkerRow


class WorkerRepository(Repository):
    """Workers that have said they are ready (RULINGS 35)."""

    def ready(self, worker: Worker) -> None:
        """Store a worker, in place of what one of the same name said before."""
        values = {**asdict(worker), "tasks": list(worker.tasks)}
        statement = insert(WorkerRow).values(values)
        changed = {name: statement.excluded[name] for name in values if name != "name"}
        self._count(statement.on_conflict_do_update(index_elements=["name"], set_=changed))

    def see(self, name: str, at: datetime) -> bool:
        """A worker gave a sign of life (wall time); False when it never said it was ready."""
        return self._count(update(WorkerRow).where(WorkerRow.name == name).values(seen_at=at)) == 1

    def all(self) -> list[Worker]:
        """Workers by name."""
        return self._all(select(WorkerRow).order_by(WorkerRow.name), _to_worker)


def _to_worker(row: WorkerRow) -> Worker:
    return Worker(row.name, row.host, row.pid, row.version, tuple(row.tasks), row.ready_at, row.seen_at)
