"""The tasks of an evaluation: nothing is sent while nothing is watched, and each part is a run of its own."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from tests.support import record
from tests.support.strategy_tapes import random_tape
from tests.support.watched import Watch, bars_of, later, session_of

from htbot.marketdata.snapshot import Snapshot
from htbot.persistence.engine import Database
from htbot.persistence.repositories import TaskRunRepository
from htbot.services.bar_evaluator import BarEvaluator
from htbot.services.schedule import EVALUATE_BARS, EVALUATE_PART
from htbot.tasks import base
from htbot.tasks.base import Message

OPENS = session_of(8).opens


@dataclass
class Outbox:
    """Celery as far as the base uses it."""

    sent: list[tuple[str, str]] = field(default_factory=list)

    def send_task(self, name: str, kwargs: dict[str, Any]) -> None:
        self.sent.append((name, kwargs["key"]))


@dataclass
class Worker:
    """The parts of a worker that evaluations touch; the desk has published one instant."""

    database: Database
    evaluator: BarEvaluator
    published: datetime = OPENS
    version: None = None
    reader: Any = field(default_factory=lambda: SimpleNamespace(symbol="SPX"))
    settings: Any = field(default_factory=lambda: SimpleNamespace(schedule=SimpleNamespace(evaluation_parts=2)))

    @property
    def live(self) -> Any:
        seen = Snapshot(self.published, record.WORLD, record.ACCOUNT, "SPX", 1, None, None, None)
        return SimpleNamespace(clock=lambda: None, snapshot=lambda _symbol: seen)

    def host_now(self) -> datetime:
        return OPENS


@pytest.fixture
def watch(database: Database) -> Watch:
    return Watch(database)


@pytest.fixture
def worker(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> Iterator[Worker]:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")  # an application is made, nothing is sent
    made = Worker(watch.database, watch.worker)
    base.forget_parts()
    base._parts.append(made)  # type: ignore[arg-type]
    yield made
    base.forget_parts()


def run(task: str, key: str = "all", as_of: datetime = OPENS) -> tuple[str, list[tuple[str, str]]]:
    tasks, outbox = importlib.import_module("htbot.tasks.evaluation_tasks"), Outbox()
    work = tasks.look_at_bars if task == EVALUATE_BARS else tasks.look_at_part
    answer = base.run(outbox, task, work, Message(as_of, 7, key))  # type: ignore[arg-type]
    return answer, outbox.sent


def test_nothing_is_sent_while_nothing_is_watched(worker: Worker) -> None:
    assert run(EVALUATE_BARS) == ("nothing is watched", [])


def test_every_part_is_a_follow_up_that_the_step_waits_for(worker: Worker, watch: Watch) -> None:
    watch.add("one")
    parts = [(EVALUATE_PART, "1/2"), (EVALUATE_PART, "2/2")]
    assert run(EVALUATE_BARS) == ("2 parts", parts)
    with watch.database.transaction() as session:
        assert TaskRunRepository(session).missing([(EVALUATE_BARS, "all")], OPENS) == set(parts)
    answers = [run(EVALUATE_PART, key)[0] for _, key in parts]
    assert sorted(answers) == ["0 looked at, 0 signals", "1 looked at, 0 signals"]
    with watch.database.transaction() as session:
        assert TaskRunRepository(session).missing([(EVALUATE_BARS, "all")], OPENS) == set()


def test_the_same_message_twice_is_one_evaluation(worker: Worker, watch: Watch) -> None:
    bars = bars_of(random_tape(7), "SPY")
    watch.tell_history([bar for bar in bars if bar.start < OPENS])
    watch.add("one")
    worker.settings.schedule.evaluation_parts = 1
    assert run(EVALUATE_PART, "1/1")[0] == "1 looked at, 0 signals"
    assert run(EVALUATE_PART, "1/1")[0] == "duplicate"
    assert list(watch.said("one")) == [OPENS]


def test_without_the_desks_instant_nothing_is_looked_at(worker: Worker, watch: Watch) -> None:
    watch.add("one")
    worker.published = later(OPENS, 30)
    assert run(EVALUATE_PART, "1/1")[0] == "no snapshot of this instant"
    assert watch.said("one") == {}
    assert OPENS + timedelta(seconds=30) == worker.published
