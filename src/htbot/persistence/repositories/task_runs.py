"""Runs of tasks: each once per key and market time."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import cast

from sqlalchemy import ColumnElement, Table, bindparam, delete, func, select, update
from sqlalchemy.dialects.postgresql import distinct_on, insert

from htbot.persistence.records import TaskRun
from htbot.persistence.repositories.base import Repository
from htbot.persistence.rows.tasks import TaskRunRow
from htbot.persistence.states import TaskState

TaskKey = tuple[str, str]

# Run for every message, so they are built once.
_RUNS = cast(Table, TaskRunRow.__table__)
_ONE = ["task", "key", "as_of"]
_RUNS_TO_BEGIN = insert(_RUNS).values(
    task=bindparam("of_task"),
    key=bindparam("of_key"),
    as_of=bindparam("at"),
    state=TaskState.RUNNING,
    spawned=[],
    error="",
)
_BEGIN = _RUNS_TO_BEGIN.on_conflict_do_update(
    index_elements=_ONE,
    set_={"state": TaskState.RUNNING, "error": "", "started_at": func.clock_timestamp(), "finished_at": None},
    where=_RUNS.c.state == TaskState.FAILED,
)
_BEGIN_ONCE = _RUNS_TO_BEGIN.on_conflict_do_nothing(index_elements=_ONE)
_FINISH = (
    update(_RUNS)
    .where(
        _RUNS.c.task == bindparam("of_task"),
        _RUNS.c.key == bindparam("of_key"),
        _RUNS.c.as_of == bindparam("at"),
        _RUNS.c.state == TaskState.RUNNING,
    )
    .values(state=TaskState.DONE, spawned=bindparam("sent"), finished_at=func.clock_timestamp())
)
_ENDED = select(_RUNS.c.task, _RUNS.c.key, _RUNS.c.spawned).where(
    _RUNS.c.as_of == bindparam("at"), _RUNS.c.state.in_((TaskState.DONE, TaskState.FAILED))
)


class TaskRunRepository(Repository):
    """One run per (task, key, as_of): what makes a message that comes twice harmless."""

    def begin(self, task: str, key: str, as_of: datetime, *, again: bool = True) -> bool:
        """Begin a run; False when it has begun before. One that failed may begin `again`, unless that is not wanted.

        Begin in the transaction that does the work: a copy that comes meanwhile waits for the commit, and a run
        that dies leaves no row.
        """
        return self._count(_BEGIN if again else _BEGIN_ONCE, {"of_task": task, "of_key": key, "at": as_of}) == 1

    def finish(self, task: str, key: str, as_of: datetime, spawned: Iterable[TaskKey] = ()) -> bool:
        """End a run well, naming the (task, key) of the follow-ups that it sent for the same `as_of`."""
        told = {"of_task": task, "of_key": key, "at": as_of, "sent": [list(pair) for pair in spawned]}
        return self._count(_FINISH, told) == 1

    def fail(self, task: str, key: str, as_of: datetime, error: str) -> None:
        """Record that a run failed, in a transaction of its own; a run that is done stays done."""
        statement = insert(TaskRunRow).values(
            task=task,
            key=key,
            as_of=as_of,
            state=TaskState.FAILED,
            spawned=[],
            error=error,
            finished_at=func.clock_timestamp(),
        )
        told = {name: statement.excluded[name] for name in ("state", "error", "finished_at")}
        self._count(
            statement.on_conflict_do_update(index_elements=_ONE, set_=told, where=TaskRunRow.state != TaskState.DONE)
        )

    def forget_from(self, as_of: datetime) -> int:
        """Delete every run at this market time or later, so that they can begin anew; returns how many."""
        return self._count(delete(TaskRunRow).where(TaskRunRow.as_of >= as_of))

    def get(self, task: str, key: str, as_of: datetime) -> TaskRun | None:
        """One run."""
        return self._first(select(TaskRunRow).where(*_is(task, key, as_of)), _to_run)

    def missing(self, expected: Iterable[TaskKey], as_of: datetime) -> set[TaskKey]:
        """Of the runs expected at `as_of` and all that they spawned, those that have not ended.

        A failed run has ended. Empty = the step is done.
        """
        spawned_by = {
            (task, key): [(str(name), str(of)) for name, of in spawned]
            for task, key, spawned in self._session.execute(_ENDED, {"at": as_of})
        }
        waiting, seen, open_runs = list(expected), set[TaskKey](), set[TaskKey]()
        while waiting:
            run = waiting.pop()
            if run in seen:
                continue
            seen.add(run)
            if run in spawned_by:
                waiting.extend(spawned_by[run])
            else:
                open_runs.add(run)
        return open_runs

    def latest(self) -> list[TaskRun]:
        """The last run of every task, by name."""
        latest_of_task = distinct_on(TaskRunRow.task)
        query = select(TaskRunRow).ext(latest_of_task).order_by(TaskRunRow.task, TaskRunRow.started_at.desc())
        return self._all(query, _to_run)


def _is(task: str, key: str, as_of: datetime) -> tuple[ColumnElement[bool], ...]:
    return TaskRunRow.task == task, TaskRunRow.key == key, TaskRunRow.as_of == as_of


def _to_run(row: TaskRunRow) -> TaskRun:
    spawned = tuple((str(task), str(key)) for task, key in row.spawned)
    return TaskRun(row.task, row.key, row.as_of, row.state, spawned, row.error, row.started_at, row.finished_at)
