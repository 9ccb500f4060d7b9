"""When workers forget what is old."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import text
from tests.support import record

from htbot.domain.sessions import Session
from htbot.persistence.engine import Database
from htbot.persistence.repositories import EvaluationRepository, SessionRepository
from htbot.tasks.base import Run


def test_the_task_works_while_the_exchange_is_closed(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")  # the tasks' application names a broker, nobody connects
    from htbot.tasks.retention_tasks import forget_what_is_old

    days = SimpleNamespace(keep_evaluations_days=30, keep_runs_days=30)
    worker: Any = SimpleNamespace(
        settings=SimpleNamespace(schedule=days), database=database, host_now=lambda: record.NOON
    )
    with database.transaction() as session:
        SessionRepository(session).upsert([Session(record.DAY, record.at(-150), record.at(240), early_close=False)])
        for number in range(2):
            EvaluationRepository(session).add(replace(record.evaluation(), as_of=record.at(seconds=number)))
        session.execute(text("UPDATE evaluations SET recorded_at = '2020-01-01'"))
    told = []
    for as_of in (record.NOON, record.at(240)):
        with database.transaction() as session:
            told.append(forget_what_is_old(Run(as_of, None, "all", session, worker)))
    assert told == ["not while the exchange is open", "1 looks, 0 runs, 0 comparisons forgotten"]
