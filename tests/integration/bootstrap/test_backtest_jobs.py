"""Backtests that people start: real processes over a small file, their folders, and the audit log."""

from __future__ import annotations

import csv
import fcntl
import json
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from tests.support.postgres import *  # noqa: F403 - fixtures
from tests.support.waiting import wait_for

from htbot.bootstrap.backtest_job import BacktestOrder
from htbot.bootstrap.backtest_jobs import STARTED, STOPPED, BacktestJobs, JobView
from htbot.domain.errors import CallerMistake, NotFound
from htbot.persistence.engine import Database
from htbot.persistence.repositories import AuditRepository
from htbot.services.callers import Caller, Conflict

NOW = datetime(2026, 3, 3, 15, tzinfo=UTC)
ORDER = BacktestOrder("ma_crossover", "SPY", ("bars.csv",), settings={"short_window": "2", "long_window": "5"})


@pytest.fixture
def jobs(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BacktestJobs]:
    monkeypatch.setenv("HTBOT_VAR_DIR", str(tmp_path))
    monkeypatch.setenv("HTBOT_ENV_FILE", os.devnull)
    (data := tmp_path / "data").mkdir()
    with (data / "bars.csv").open("w", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(("symbol", "ts", "open", "high", "low", "close", "volume"))
        begin = datetime(2022, 1, 3, 14, 30, tzinfo=UTC)
        for number in range(78):
            price = 100.0 + (number % 12) / 4
            writer.writerow(("SPY", (begin + timedelta(minutes=5 * number)).isoformat(), *[price] * 4, 1000))
    made = BacktestJobs(tmp_path / "backtests", data, database, lambda: NOW, lambda: NOW)
    yield made
    for process in made._processes.values():
        process.kill()
        process.wait()


def ended(jobs: BacktestJobs, job_id: str) -> JobView:
    wait_for(lambda: jobs.get(job_id).state != "running")
    return jobs.get(job_id)


def acts(database: Database) -> list[tuple[str, str]]:
    with database.transaction() as session:
        return [
            (entry.action, entry.actor) for entry in AuditRepository(session).recent() if "backtest" in entry.action
        ]


def caller(key: str | None) -> Caller:
    return Caller("dashboard:hand", key)


def test_a_backtest_runs_in_its_own_process_and_leaves_its_report(jobs: BacktestJobs, database: Database) -> None:
    begun = jobs.start(ORDER, caller("one"))
    assert (begun.id, begun.state, begun.by) == ("one", "running", "dashboard:hand")
    assert jobs.start(ORDER, caller("one")).id == "one"
    with pytest.raises(Conflict, match="one backtest at a time"):
        jobs.start(ORDER, caller("two"))
    done = ended(jobs, "one")
    assert (done.state, done.share, done.error) == ("done", 1.0, None)
    assert dict(done.summary)["strategy"].startswith("ma_crossover on SPY")
    assert done.report is not None
    assert "ma_crossover" in done.report.read_text()
    assert acts(database) == [(STARTED, "dashboard:hand")]
    assert [job.id for job in jobs.all()] == ["one"]


def test_what_cannot_be_run_is_one_line(jobs: BacktestJobs) -> None:
    jobs.start(BacktestOrder("ma_crossover", "QQQ", ("bars.csv",)), caller("other"))
    failed = ended(jobs, "other")
    assert failed.state == "failed"
    assert "no bars of QQQ" in (failed.error or "")
    assert failed.report is None


@pytest.mark.parametrize("name", ["../bars.csv", "/etc/passwd", "none.csv"])
def test_only_files_of_the_folder_are_read(jobs: BacktestJobs, name: str) -> None:
    with pytest.raises(CallerMistake, match="no Parquet or CSV file"):
        jobs.start(BacktestOrder("ma_crossover", "SPY", (name,)), caller("x"))
    assert jobs.all() == []


@pytest.mark.parametrize("key", [None, "", "../x", "a/b", "a" * 65])
def test_the_key_names_the_folder_and_is_checked(jobs: BacktestJobs, key: str | None) -> None:
    with pytest.raises(CallerMistake, match="key"):
        jobs.start(ORDER, caller(key))
    with pytest.raises(NotFound):
        jobs.get(key or "..")


def test_one_that_is_stopped_is_told_as_such(jobs: BacktestJobs, database: Database) -> None:
    jobs.start(ORDER, caller("one"))
    stopped = jobs.stop("one", caller(None))
    assert stopped.state in {"stopped", "done"}
    if stopped.state == "stopped":
        assert (STOPPED, "dashboard:hand") in acts(database)
    assert jobs.stop("one", caller(None)).state == stopped.state


def test_one_whose_process_died_has_failed(jobs: BacktestJobs) -> None:
    jobs.start(ORDER, caller("one"))
    os.kill(jobs._processes["one"].pid, signal.SIGKILL)
    jobs._processes["one"].wait()
    (jobs.folder / "one" / "outcome.json").unlink(missing_ok=True)
    assert jobs.get("one").state == "failed"
    assert "without a result" in (jobs.get("one").error or "")


def test_another_process_sees_that_one_runs_by_its_lock(jobs: BacktestJobs) -> None:
    (folder := jobs.folder / "far").mkdir(parents=True)
    (folder / "order.json").write_text(_told())
    (folder / "progress").write_text("0.25")
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert (jobs.get("far").state, jobs.get("far").share) == ("running", 0.25)
    assert jobs.get("far").state == "failed"


def test_one_that_was_started_before_a_restart_can_be_stopped(
    jobs: BacktestJobs, database: Database, tmp_path: Path
) -> None:
    os.mkfifo(endless := tmp_path / "endless.csv")  # whoever reads it waits
    (folder := jobs.folder / "far").mkdir(parents=True)
    order = replace(ORDER, data=(str(endless),))
    (folder / "order.json").write_text(_told(order))
    with (folder / "log.txt").open("wb") as log:
        jobs._processes["far"] = jobs.launch(folder, log)
    wait_for(lambda: (folder / "lock").is_file() and (folder / "lock").read_text() != "")
    restarted = BacktestJobs(jobs.folder, jobs.data, database, lambda: NOW, lambda: NOW)
    with pytest.raises(Conflict, match="one backtest at a time"):
        restarted.start(ORDER, caller("next"))
    assert restarted.stop("far", caller(None)).state == "stopped"
    assert jobs._processes["far"].poll() is not None
    assert acts(database) == [(STOPPED, "dashboard:hand")]


def test_no_process_is_ended_that_is_not_the_backtests(jobs: BacktestJobs, database: Database) -> None:
    (folder := jobs.folder / "far").mkdir(parents=True)
    (folder / "order.json").write_text(_told())
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write(str(os.getpid()))
        lock.flush()
        with pytest.raises(Conflict, match="is not found"):
            jobs.stop("far", caller(None))
    assert acts(database) == []


@pytest.mark.parametrize("left", ['{"by": "x"}', "[]", '{"order": {"cash": "much"}}', '{"order": 1}', "{"])
def test_a_folder_of_another_version_hides_no_other(jobs: BacktestJobs, left: str) -> None:
    for name, text in (("odd", left), ("good", _told())):
        (jobs.folder / name).mkdir(parents=True)
        (jobs.folder / name / "order.json").write_text(text)
    assert [job.id for job in jobs.all()] == ["good"]
    (jobs.folder / "good" / "outcome.json").write_text('{"ok": true}')
    assert jobs.all() == []


def _told(order: BacktestOrder = ORDER) -> str:
    return json.dumps({"order": order.encode(), "by": "dashboard:hand", "at": NOW.isoformat()})


def test_an_order_is_read_back_as_it_was_written() -> None:
    order = BacktestOrder("a", "SPX", ("x.csv",), NOW.date(), None, Decimal("12.5"), {"n": "1"})
    assert BacktestOrder.decode(json.loads(json.dumps(order.encode()))) == order
