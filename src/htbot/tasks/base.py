"""The base of every task: one transaction, one row in `task_runs`, follow-ups after the commit.

The row is written in the transaction that does the work, so a message that comes twice, late or twenty times at once
changes nothing (ARCHITECTURE sections 5 and 8; RULINGS 38).
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from celery import Celery
from sqlalchemy.orm import Session as Transaction

from htbot.bootstrap.worker import WorkerParts, build_worker
from htbot.domain.errors import Retryable
from htbot.marketdata.clock_state import GRID_S, Mode
from htbot.marketdata.snapshot import Snapshot
from htbot.persistence.repositories import SchedulerRepository, TaskRunRepository
from htbot.services.schedule import next_in_turn, schedule
from htbot.services.versions import version_trouble
from htbot.telemetry.logs import bind_context, clear_context

# A desk publishes the snapshot of an instant within moments of it; host seconds.
SNAPSHOT_WITHIN_S = 2.0
_LOOK_EVERY_S = 0.01
_log = logging.getLogger(__name__)
_parts: list[WorkerParts] = []
DUPLICATE, RETRYABLE = "duplicate", "retryable"


def parts() -> WorkerParts:
    """The parts of this process, made on first use: connections never cross a fork."""
    if not _parts:
        _parts.append(build_worker())
    return _parts[0]


def forget_parts() -> None:
    """After a fork: whatever the parent had is not ours."""
    _parts.clear()


@dataclass(slots=True)
class Run:
    """One run of a task: market time, key, transaction, and the (task, key) of follow-ups that it wants sent.

    `trouble` says what failed of a run whose other work stands: it is committed, and the run counts as failed.
    """

    as_of: datetime
    step: int | None
    key: str
    transaction: Transaction
    parts: WorkerParts
    follow_ups: list[tuple[str, str]] = field(default_factory=list)
    trouble: str = ""

    def snapshot(self, symbol: str) -> Snapshot | None:
        """The snapshot of exactly this instant; None when the desk has not published it in time or is past it."""
        return wait_for_snapshot(self.parts, symbol, self.as_of)

    def published(self, symbol: str) -> Snapshot | None:
        """The same once the instant is published: all underlyings are told at once, nothing is waited for."""
        snapshot = self.parts.live.snapshot(symbol)
        return snapshot if snapshot is not None and snapshot.as_of == self.as_of else None


def wait_for_snapshot(worker: WorkerParts, symbol: str, as_of: datetime) -> Snapshot | None:
    """Beat and desk count the same market time on their own: give the desk a moment to publish the instant."""
    deadline = time.monotonic() + SNAPSHOT_WITHIN_S
    while True:
        snapshot = worker.live.snapshot(symbol)
        if snapshot is not None and snapshot.as_of >= as_of:
            return snapshot if snapshot.as_of == as_of else None
        if time.monotonic() >= deadline:
            return None
        time.sleep(_LOOK_EVERY_S)


def _stepped(worker: WorkerParts) -> bool:
    clock = worker.live.clock()
    return clock is not None and clock.mode is Mode.STEPPED


def stale(worker: WorkerParts, as_of: datetime, period_s: int = GRID_S) -> bool:
    """True for an instant older than its period on the market clock: its successor is there already."""
    clock = worker.live.clock()
    if clock is None or clock.mode is Mode.STEPPED:
        return False
    return (clock.market_now(worker.host_now()) - as_of).total_seconds() > period_s


_WORKS: dict[str, Callable[[Run], str]] = {}
"""What the tasks of this process do, by name."""


def register(app: Celery, name: str, work: Callable[[Run], str]) -> Any:
    """Make a Celery task of a piece of work. The task answers with one word for the log."""
    _WORKS[name] = work

    @app.task(name=name)
    def task(as_of: str, step: int | None = None, key: str = "all") -> str:
        message = Message(datetime.fromisoformat(as_of), step, key)
        return run_in_turn(name, message) if _stepped(parts()) else run(app, name, work, message)

    return task


def refused(current: Run) -> str | None:
    """Why this worker may ask no strategy: the scheduler is stopped, or its code is not the desk's (FAULTS 43)."""
    return stopped(current) or outdated(current)


def stopped(current: Run) -> str | None:
    """Why no strategy is asked for entries: a person has stopped the scheduler."""
    setting = SchedulerRepository(current.transaction).get()
    return setting.refuses_entries if setting.stopped else None


def outdated(current: Run) -> str | None:
    """Why this worker may ask no strategy: its code is not the desk's."""
    version = current.parts.version
    trouble = None if version is None else version_trouble(current.transaction, version)
    if trouble is not None:
        _log.error("refused: %s", trouble)
    return trouble


@dataclass(frozen=True, slots=True)
class Message:
    """What beat or another task sent."""

    as_of: datetime
    step: int | None
    key: str


def run(app: Celery, name: str, work: Callable[[Run], str], message: Message) -> str:
    """Run once, commit, send follow-ups; a failure is recorded and leaves nothing else behind."""
    answer, follow_ups = _attempt(name, work, message)
    if answer != DUPLICATE:  # whoever was first has sent them
        for task, key in follow_ups:
            app.send_task(task, kwargs={"as_of": message.as_of.isoformat(), "step": message.step, "key": key})
    return answer


def run_in_turn(name: str, message: Message) -> str:
    """Run what a message asks for in a stepped world, and in this process, one after the other, what comes after it.

    Those are its follow-ups, and the rows of the schedule that are due behind it. A message that comes twice goes
    through all of it again and finds each ended, or waits for it: so whatever was lost on the way is made up for. What
    failed has ended: decided again, it would come after what has gone on without it.
    """
    rows = schedule(parts().settings.schedule.poll_seconds)
    waiting, answers = deque([(name, message.key)]), []
    while waiting:
        task, key = waiting.popleft()
        answer, follow_ups = _attempt(task, _WORKS[task], replace(message, key=key), again=False)
        answers.append(answer)
        if answer == RETRYABLE:
            break  # the hint is repeated; what comes after may not be there before
        following = next_in_turn(rows, task, message.as_of)
        waiting += follow_ups
        waiting += [] if following is None else [(following.task, following.key)]
    return "; ".join(answers)


def _attempt(
    name: str, work: Callable[[Run], str], message: Message, *, again: bool = True
) -> tuple[str, Sequence[tuple[str, str]]]:
    """One run, committed, and the follow-ups that it wants; of a duplicate those of the first.

    `again`: one that failed is run once more.
    """
    worker = parts()
    bind_context(task=name.rpartition(".")[2], as_of=message.as_of.isoformat())
    try:
        if stale(worker, message.as_of):
            return "stale", ()
        return _run(name, work, message, again=again)
    except Retryable as error:
        _log.warning("%s not done, the next run does it: %s", name, error)
        return RETRYABLE, ()
    except Exception as error:  # noqa: BLE001 - one of the three broad ones (ARCHITECTURE section 6)
        _log.exception("%s failed", name)
        with worker.database.transaction() as transaction:
            runs = TaskRunRepository(transaction)
            runs.fail(name, message.key, message.as_of, f"{type(error).__name__}: {error}")
        return "failed", ()
    finally:
        clear_context()


def _run(
    name: str, work: Callable[[Run], str], message: Message, *, again: bool
) -> tuple[str, Sequence[tuple[str, str]]]:
    worker = parts()
    with worker.database.transaction() as transaction:
        runs = TaskRunRepository(transaction)
        if not runs.begin(name, message.key, message.as_of, again=again):
            begun = runs.get(name, message.key, message.as_of)
            return DUPLICATE, () if begun is None else begun.spawned
        current = Run(message.as_of, message.step, message.key, transaction, worker)
        answer = work(current)
        if current.trouble:
            _log.error("%s failed in part: %s", name, current.trouble)
            runs.fail(name, message.key, message.as_of, current.trouble)
        else:
            runs.finish(name, message.key, message.as_of, current.follow_ups)
    return answer, current.follow_ups
