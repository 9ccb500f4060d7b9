"""Old rows that say that nothing happened are forgotten, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from tests.support import record
from tests.support.people import HOST_NOW
from tests.support.postgres import api_role_url, app_role_url  # noqa: F401 - fixtures

from htbot.execution.disagreement import Judgement, Verdict
from htbot.persistence.engine import Database
from htbot.persistence.queries.watch import strategies
from htbot.persistence.repositories import (
    EvaluationRepository,
    ReconciliationRepository,
    SignalRepository,
)
from htbot.services.retention import RUN_S, Forgotten, Keep, forget

KEEP = Keep(looks_days=30, runs_days=10)
MONTH = timedelta(days=30)


def looks(database: Database, count: int, written: datetime, *, first: int = 0, why_not: str | None = "quiet") -> None:
    """Looks one after the other, written down at a wall time."""
    with database.transaction() as session:
        made = [
            replace(record.evaluation(), as_of=record.at(seconds=first + number), why_not=why_not)
            for number in range(count)
        ]
        assert EvaluationRepository(session).add_all(made) == count
        session.execute(
            text("UPDATE evaluations SET recorded_at = :written WHERE as_of >= :first"),
            {"written": written, "first": record.at(seconds=first)},
        )


def left(database: Database, table: str) -> int:
    with database.transaction() as session:
        return int(session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


def test_looks_older_than_their_days_are_forgotten_and_their_signals_stay(database: Database) -> None:
    looks(database, 3, HOST_NOW - MONTH - timedelta(seconds=1))
    looks(database, 1, HOST_NOW - MONTH - timedelta(seconds=1), first=10, why_not=None)
    looks(database, 2, HOST_NOW - MONTH, first=20)
    with database.transaction() as session:
        SignalRepository(session).add(record.signal(as_of=record.at(seconds=10)), None)
    assert forget(database, KEEP, HOST_NOW) == Forgotten(4, 0, 0)
    assert (left(database, "evaluations"), left(database, "signals")) == (2, 1)
    assert forget(database, KEEP, HOST_NOW) == Forgotten(0, 0, 0)


def test_the_last_look_of_each_strategy_stays_so_that_it_is_still_shown(database: Database) -> None:
    with database.transaction() as session:
        for number in range(6):
            for changes in ({}, {"symbol": "SPY"}, {"account": "DU2"}, {"strategy": "idle"}):
                seen = replace(record.evaluation(), as_of=record.at(seconds=number), **changes)
                assert EvaluationRepository(session).add_all([seen]) == 1
        session.execute(text("UPDATE evaluations SET recorded_at = :old"), {"old": HOST_NOW - 2 * MONTH})
        shown = strategies(session)
    assert len(shown) == 4
    assert forget(database, KEEP, HOST_NOW, page=3) == Forgotten(20, 0, 0)
    with database.transaction() as session:
        assert strategies(session) == shown


def test_more_than_a_page_goes_page_by_page(database: Database) -> None:
    looks(database, 11, HOST_NOW - 2 * MONTH)
    looks(database, 3, HOST_NOW, first=20)
    assert forget(database, KEEP, HOST_NOW, page=4) == Forgotten(11, 0, 0)
    assert left(database, "evaluations") == 3


def test_a_run_that_has_used_its_time_leaves_the_rest_to_the_next(database: Database) -> None:
    looks(database, 10, HOST_NOW - 2 * MONTH)
    looks(database, 1, HOST_NOW, first=20)
    now_s = iter([0.0, 1.0, RUN_S, RUN_S, RUN_S])
    first = forget(database, KEEP, HOST_NOW, lambda: next(now_s), page=4)
    assert (first.looks, first.complete, "goes on" in str(first)) == (4, False, True)
    assert forget(database, KEEP, HOST_NOW).looks == 6


def test_runs_of_tasks_are_forgotten_by_the_wall_clock(database: Database) -> None:
    with database.transaction() as session:
        for number, days in enumerate((9, 11, 400)):
            values = {"as_of": record.at(seconds=number), "began": HOST_NOW - timedelta(days=days)}
            session.execute(
                text(
                    "INSERT INTO task_runs (task, key, as_of, state, spawned, error, started_at, finished_at)"
                    " VALUES ('t', 'all', :as_of, 'DONE', '[]', '', :began, :began)"
                ),
                values,
            )
    assert forget(database, KEEP, HOST_NOW).runs == 2
    assert left(database, "task_runs") == 1


def test_comparisons_are_kept_when_they_found_something_and_the_last_one_always(database: Database) -> None:
    with database.transaction() as session:
        runs = ReconciliationRepository(session)
        for number, verdict in enumerate((Verdict.AGREE, Verdict.HEALED, Verdict.AGREE, Verdict.AGREE)):
            runs.add(record.ACCOUNT, Judgement(verdict, record.at(number), (), {}), "interval")
        runs.add("DU2", Judgement(Verdict.AGREE, record.NOON, (), {}), "interval")
        session.execute(text("UPDATE reconciliation_runs SET recorded_at = :old"), {"old": HOST_NOW - MONTH})
    assert forget(database, KEEP, HOST_NOW).comparisons == 2
    with database.transaction() as session:
        kept = session.execute(text("SELECT account, verdict FROM reconciliation_runs ORDER BY id")).all()
    assert [tuple(row) for row in kept] == [
        (record.ACCOUNT, "HEALED"),
        (record.ACCOUNT, "AGREE"),
        ("DU2", "AGREE"),
    ]


def test_nothing_is_forgotten_where_everything_is_to_be_kept(database: Database) -> None:
    looks(database, 2, HOST_NOW - 100 * MONTH)
    assert forget(database, Keep(0, 0), HOST_NOW) == Forgotten(0, 0, 0)
    assert left(database, "evaluations") == 2


def test_the_worker_may_forget_and_the_api_may_not(database: Database, app_role_url: str, api_role_url: str) -> None:  # noqa: F811
    looks(database, 2, HOST_NOW - 2 * MONTH)
    worker, api = Database(app_role_url), Database(api_role_url)
    try:
        with pytest.raises(ProgrammingError, match="permission denied"):
            forget(api, KEEP, HOST_NOW)
        assert forget(worker, KEEP, HOST_NOW).looks == 1
    finally:
        worker.close()
        api.close()
