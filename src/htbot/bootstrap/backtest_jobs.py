"""Backtests that people start: one at a time, each a process of its own and a folder below `var/backtests`."""

from __future__ import annotations

import fcntl
import json
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import psutil

from htbot.bootstrap.backtest_job import BacktestOrder, write_whole
from htbot.domain.errors import CallerMistake, NotFound
from htbot.persistence.engine import Database
from htbot.persistence.records import AuditEntry
from htbot.persistence.repositories import AuditRepository
from htbot.services.callers import Caller, Conflict

STARTED, STOPPED = "backtest.started", "backtest.stopped"
_MODULE = "htbot.bootstrap.backtest_job"
_ENDS_WITHIN_S = 10
_KEPT = 20
_SUFFIXES = frozenset({".parquet", ".csv"})
_ID = re.compile(r"[A-Za-z0-9-]{1,64}")
_DIED = "it ended without a result: the cause is in log.txt of its folder"


@dataclass(frozen=True, slots=True)
class JobView:
    """A backtest; `state` is running, done, failed or stopped, `share` how much is done (0 to 1), `at` wall time."""

    id: str
    order: BacktestOrder
    by: str
    at: datetime
    state: str
    share: float
    error: str | None = None
    summary: tuple[tuple[str, str], ...] = ()
    report: Path | None = None


def launched(folder: Path, log: IO[bytes]) -> subprocess.Popen[bytes]:
    """The process of a job: it goes on when this one ends, and ends with the instance, whose mark it inherits."""
    return subprocess.Popen(
        [sys.executable, "-m", _MODULE, str(folder)],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


@dataclass
class BacktestJobs:
    """Starts and shows them. Files to run over lie in `data`; `host_now` is wall time, `market_now` that of acts.

    `launch` starts the process.
    """

    folder: Path
    data: Path
    database: Database
    host_now: Callable[[], datetime]
    market_now: Callable[[], datetime]
    launch: Callable[[Path, IO[bytes]], subprocess.Popen[bytes]] = launched
    _processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _starting: threading.Lock = field(default_factory=threading.Lock)

    def files(self) -> list[str]:
        """Names of the data files there are."""
        return sorted(path.name for path in self.data.glob("*") if path.suffix.lower() in _SUFFIXES and path.is_file())

    def all(self) -> list[JobView]:
        """Every backtest that is kept, the newest first."""
        for process in self._processes.values():
            process.poll()  # so that none of them stays a zombie
        found = [self._view(path) for path in self.folder.glob("*/order.json")]
        return sorted((job for job in found if job is not None), key=lambda job: job.at, reverse=True)

    def get(self, job_id: str) -> JobView:
        """One of them.

        Raises:
            NotFound: there is none of this id.
        """
        found = self._view(self.folder / job_id / "order.json") if _ID.fullmatch(job_id) else None
        if found is None:
            raise NotFound(f"there is no backtest {job_id[:64]}: the newest {_KEPT} are kept")
        return found

    def start(self, order: BacktestOrder, caller: Caller) -> JobView:
        """Start one; a second call with the same key is the first one's.

        Raises:
            CallerMistake: the key is none, or a file is not among `files`.
            Conflict: another one is running, or the key was used for another order.
        """
        if caller.key is None or not _ID.fullmatch(caller.key):
            raise CallerMistake("a backtest needs an idempotency key of letters, digits and dashes")
        with self._starting:
            return self._start(order, caller, caller.key)

    def _start(self, order: BacktestOrder, caller: Caller, job_id: str) -> JobView:
        folder = self.folder / job_id
        if folder.exists():
            job = self.get(job_id)
            if job.order.encode() != replace(order, data=self._paths(order.data)).encode():
                raise Conflict(f"the key {job_id} was used for another backtest: use a new key")
            return job
        running = next((job for job in self.all() if job.state == "running"), None)
        if running is not None:
            raise Conflict(f"{running.order.strategy} is being run: one backtest at a time, stop it or wait")
        placed = replace(order, data=self._paths(order.data))
        self._note(caller, STARTED, job_id, order.encode())
        folder.mkdir(parents=True)
        told = {"order": placed.encode(), "by": caller.actor, "at": self.host_now().isoformat()}
        write_whole(folder / "order.json", json.dumps(told))
        with (folder / "log.txt").open("wb") as log:
            self._processes[job_id] = self.launch(folder, log)
        self._forget_old()
        return self.get(job_id)

    def stop(self, job_id: str, caller: Caller) -> JobView:
        """End one that runs, also one that was started before this process; one that has ended stays as it is.

        Raises:
            NotFound: there is none of this id.
            Conflict: its process is not found, or does not end.
        """
        job = self.get(job_id)
        if job.state != "running":
            return job
        process = self._processes.get(job_id) or _process_of(self.folder / job_id)
        if process is None:
            raise Conflict(f"the process of backtest {job_id} is not found: try again, or restart htbot, which ends it")
        self._note(caller, STOPPED, job_id, {})
        try:
            process.terminate()
            process.wait(timeout=_ENDS_WITHIN_S)
        except psutil.NoSuchProcess:
            return self.get(job_id)  # it was quicker
        except (psutil.TimeoutExpired, subprocess.TimeoutExpired) as error:
            raise Conflict(f"backtest {job_id} has not ended within {_ENDS_WITHIN_S} s: look at it again") from error
        write_whole(
            self.folder / job_id / "outcome.json", json.dumps({"ok": False, "error": "stopped", "stopped": True})
        )
        return self.get(job_id)

    def _paths(self, names: Sequence[str]) -> tuple[str, ...]:
        known = self.files()
        for name in names:
            if name not in known:
                raise CallerMistake(f"{name[:80]!r} is no Parquet or CSV file in {self.data}")
        return tuple(str(self.data / name) for name in names)

    def _note(self, caller: Caller, action: str, subject: str, detail: dict[str, Any]) -> None:
        with self.database.transaction() as session:
            AuditRepository(session).add(AuditEntry(self.market_now(), caller.actor, action, subject, detail))

    def _forget_old(self) -> None:
        for job in self.all()[_KEPT:]:
            shutil.rmtree(self.folder / job.id, ignore_errors=True)

    def _view(self, path: Path) -> JobView | None:
        """As its files tell it; None while there are none, and for what another version has left."""
        folder = path.parent
        working = self._works(folder)
        try:
            return self._told(folder, json.loads(path.read_text(encoding="utf-8")), working=working)
        except (OSError, ValueError, KeyError, TypeError, ArithmeticError, AttributeError):
            return None

    def _told(self, folder: Path, told: dict[str, Any], *, working: bool) -> JobView:
        outcome = _outcome(folder)
        view = JobView(
            id=folder.name,
            order=BacktestOrder.decode(told["order"]),
            by=told["by"],
            at=datetime.fromisoformat(told["at"]),
            state="running",
            share=_share(folder),
        )
        if outcome is None:
            return view if working else replace(view, state="failed", error=_DIED)
        if not outcome["ok"]:
            return replace(view, state="stopped" if outcome.get("stopped") else "failed", error=outcome["error"])
        summary = tuple((name, value) for name, value in outcome["summary"])
        return replace(view, state="done", share=1.0, summary=summary, report=folder / "report.html")

    def _works(self, folder: Path) -> bool:
        """Whether its process lives: it holds the lock, or was started here and has not come so far."""
        process = self._processes.get(folder.name)
        if process is not None and process.poll() is None:
            return True
        try:
            with (folder / "lock").open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False


def _process_of(folder: Path) -> psutil.Process | None:
    """The process that was started for a folder by an earlier life of this one; None when it is not there.

    Its id is in the lock file. An id may be somebody else's by now, so that its command line must name the folder.
    """
    try:
        process = psutil.Process(int((folder / "lock").read_text(encoding="ascii")))
        named = process.cmdline()
    except (OSError, ValueError, psutil.Error):
        return None
    return process if _MODULE in named and str(folder) in named else None


def _outcome(folder: Path) -> dict[str, Any] | None:
    try:
        told: dict[str, Any] = json.loads((folder / "outcome.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return told


def _share(folder: Path) -> float:
    with suppress(OSError, ValueError):
        return min(max(float((folder / "progress").read_text(encoding="utf-8")), 0.0), 1.0)
    return 0.0
