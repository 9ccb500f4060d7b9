"""One instance of htbot: prepares its folder, starts its processes in order, stops all of them.

`restart.sh` runs the instance of the project; `htbot demo` and tests run their own, with an environment of their own:

    stack = Stack(root, {"PATH": ..., "HTBOT_VAR_DIR": "/tmp/x", "HTBOT_ENV_FILE": "/dev/null", "PAPER_PORT": ...})
    stack.start()
    ...
    stack.stop()
"""

from __future__ import annotations

import fcntl
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from sqlalchemy import make_url

from htbot.bootstrap.install import postgres, supervisor, valkey
from htbot.bootstrap.install.checks import Record
from htbot.bootstrap.install.outcome import NotReady, NotRunning
from htbot.bootstrap.install.ports import answers, require_free
from htbot.bootstrap.install.processes import (
    MARK,
    belongs_to,
    is_alive,
    parent_of,
    postmaster_of,
    processes_of,
    read_pid,
    terminate,
    wait_until,
)
from htbot.bootstrap.install.supervisor import ProgramState, Supervisor
from htbot.bootstrap.install.waiting import Waiting
from htbot.domain.errors import ConfigurationError
from htbot.settings import load_settings

APPLICATIONS = ("desk", "worker", "beat", "api")
"""Programs that start after the migrations."""

_GONE = {"STOPPED", "EXITED", "FATAL"}
_STOP_PATIENCE_S = 100.0
_OWN_GATEWAY_S, _REAL_GATEWAY_S = 150.0, 20.0  # ours reads its data first, and takes long on a busy host

Report = Callable[[str], None]


def silent(_line: str) -> None:
    """Report nothing."""


def nothing_more() -> None:
    """Put nothing into the record."""


def _private(path: Path) -> TextIO:
    """A file of the owner's, opened to be written anew; a link in its place is not followed."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    os.fchmod(descriptor, 0o600)
    return os.fdopen(descriptor, "w", encoding="utf-8")


class Stack:
    """One instance, named by its state folder."""

    def __init__(self, root: Path, environ: Mapping[str, str] | None = None) -> None:
        """Read the settings of the instance; nothing is touched yet.

        Args:
            root: the project's folder.
            environ: environment of all its processes; default: ours.

        Raises:
            ConfigurationError: a setting is wrong.
        """
        self.root = root.resolve()
        self.environ = dict(os.environ if environ is None else environ)
        self.settings = load_settings(self.root, self.environ)
        self.instance = self.settings.paths.var.resolve()

    # --- the whole way ---------------------------------------------------------------------------------------------

    def start(self, report: Report = silent, prepare: Callable[[], object] = nothing_more) -> None:
        """Stop what runs, then bring everything up; on failure nothing is left running, except behind a real gateway.

        Args:
            report: is told each step.
            prepare: called when the record is there and nothing works on it yet.

        Raises:
            ConfigurationError: a tool, a port or a configured server is missing.
            NotReady: a program did not come up in time.
        """
        with self.exclusive():
            self.check_configured_servers()
            report(f"1/6 Stop what was running: {'stopped' if self.stop_all() else 'nothing was running'}")
            report(f"2/6 Clean up stale files: {self.clean()} removed")
            try:
                self.start_servers()
                self.migrate()
                prepare()
                since, started_s = self.record().now(), time.monotonic()
                self.start_programs(("desk", "worker", "api"))
                report(f"3/6 Start supervisor: {', '.join(name for name in self.programs if name != 'beat')}")
                self.start_programs(("beat",))
                report("4/6 Start beat: the schedule runs")
                complaint = self._gateway_complaint(report)
                tasks = self.waiting().for_registration(self.record(), since)
                report(f"6/6 Verify task registration: {len(tasks)} tasks")
                if complaint is None:
                    report("    Wait for the API, and for the desk's first word")
                    self.waiting().for_api()
                    self.waiting().for_desk(started_s)
            except BaseException:
                self.stop_all()
                raise
        if complaint is not None:
            raise NotReady(f"{complaint}; htbot runs and keeps trying, see ./restart.sh status")

    def stop_all(self, at_rest: Callable[[], object] = lambda: None) -> bool:
        """Stop every process of the instance; `at_rest` is called when only its servers are left.

        Returns:
            Whether anything ran.
        """
        ran = False
        if (pid := self.supervisor_pid()) is not None:
            ran = True
            self._stop_programs()
            at_rest()
            terminate([pid], patience_s=30)
        postmaster = self._postmaster()
        if left := [pid for pid in processes_of(self.instance) if postmaster not in {pid, parent_of(pid)}]:
            ran = True
            terminate(left, patience_s=10)
        if postmaster is not None:
            ran = True
            terminate([postmaster], first=signal.SIGINT, patience_s=30)
        self._remove_socket_folder()
        return ran

    # --- the steps -------------------------------------------------------------------------------------------------

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Only one start or stop of an instance at a time.

        Raises:
            NotReady: another one takes longer than a minute.
        """
        self._make_folders()
        with _private(self.settings.paths.run / "install.lock") as lock:

            def taken() -> bool:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    return False
                return True

            if not wait_until(taken, 60, every_s=0.2):
                raise NotReady(f"another restart.sh is at work on {self.instance}")
            yield

    def _make_folders(self) -> None:
        paths = self.settings.paths
        for folder in (paths.var, paths.run, paths.log, paths.mail, paths.desk, paths.paper):
            try:
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            except OSError as error:
                raise ConfigurationError(
                    f"HTBOT_VAR_DIR={paths.var}: {folder} cannot be made: {error.strerror}"
                ) from error
            found = folder.stat()
            if found.st_uid != os.geteuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                raise ConfigurationError(
                    f"HTBOT_VAR_DIR={paths.var}: others may write to {folder}: chmod 700 {folder}, and own it"
                )

    def check_configured_servers(self) -> None:
        """A configured PostgreSQL or Redis must answer: htbot never starts a private one in its place.

        Raises:
            ConfigurationError: names the variable and the address.
        """
        settings = self.settings
        urls = {} if settings.database.embedded else {"DATABASE_URL": settings.database.url}
        if not settings.redis.embedded:
            urls |= {"REDIS_URL": settings.redis.url, "CELERY_BROKER_URL": settings.redis.broker_url}
        for name, text in urls.items():
            url = make_url(text)
            port = url.port or (5432 if name == "DATABASE_URL" else 6379)
            if url.host and not answers(url.host, port, timeout_s=3):
                raise ConfigurationError(f"{name}: nothing answers at {url.host}:{port}")

    def clean(self) -> int:
        """Remove sockets and pid files that a killed instance left behind; returns how many."""
        run = self.settings.paths.run
        stale = [*run.glob("*.pid"), *run.glob("*.sock*"), supervisor.socket_path(run)]
        found = [path for path in stale if path.exists()]
        for path in found:
            path.unlink(missing_ok=True)
        return len(found)

    @property
    def programs(self) -> tuple[str, ...]:
        """Programs of this instance; what is configured elsewhere is left out."""
        settings = self.settings
        servers = {
            "postgres": settings.database.embedded,
            "redis": settings.redis.embedded,
            "paper": settings.ib.builtin_paper,
        }
        return (*(name for name, ours in servers.items() if ours), *APPLICATIONS, "alarm")

    def start_servers(self, programs: Sequence[str] | None = None) -> None:
        """Prepare the embedded servers and start supervisord, which starts them.

        Args:
            programs: default: all of the instance.

        Raises:
            ConfigurationError: a tool is missing or a port is taken.
        """
        chosen = self.programs if programs is None else tuple(programs)
        settings = self.settings
        if "paper" in chosen:
            require_free("PAPER_PORT", settings.paper.port)
            if settings.paper.control_port:
                require_free("PAPER_CONTROL_PORT", settings.paper.control_port)
        if "api" in chosen:
            require_free("HTBOT_API_PORT", settings.api.port, settings.api.host)
        paths = settings.paths
        values: dict[str, str | tuple[str, ...]] = {
            "root": str(self.root),
            "run": str(paths.run),
            "log": str(paths.log),
            "socket": str(self._socket()),
            "python": sys.executable,
            "worker_processes": str(settings.schedule.worker_processes),
        }
        if "postgres" in chosen:
            server = postgres.prepare(paths.postgres)
            values |= {"postgres": server.command, "pg_data": str(server.data), "pg_port": str(server.endpoint.port)}
        if "redis" in chosen:
            cache = valkey.prepare(paths.redis, self.root / "redis.conf")
            values |= {"redis": str(cache.binary), "redis_conf": str(cache.configuration)}
        configuration = paths.run / "supervisord.conf"
        with _private(configuration) as file:
            file.write(supervisor.render(self.root / "supervisord.conf", values, chosen))
        self.settings = load_settings(self.root, self.environ)
        supervisor.start(configuration, self._child_environ(), self.root)

    def migrate(self) -> None:
        """Wait for the servers and bring the record to the newest revision.

        Raises:
            ConfigurationError: a server or a migration failed; the text is its last line.
        """
        module = [sys.executable, "-m", "htbot.bootstrap.install.migrate"]
        with subprocess.Popen(
            module, env=self.environ, cwd=self.root, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        ) as running:
            self.waiting().for_redis()
            _, complaint = running.communicate()
        if running.returncode != 0:
            lines = complaint.strip().splitlines() or [f"exit code {running.returncode}"]
            raise ConfigurationError(f"migrations failed: {lines[-1]}")

    def start_programs(self, names: Sequence[str]) -> None:
        """Start programs that wait for the migrations."""
        for name in names:
            self.supervisor().start(name)

    # --- questions -------------------------------------------------------------------------------------------------

    def supervisor_pid(self) -> int | None:
        """Pid of our supervisord; None when it does not run."""
        pid = read_pid(self.settings.paths.run / "supervisord.pid")
        return pid if pid is not None and is_alive(pid) and belongs_to(pid, self.instance) else None

    def supervisor(self) -> Supervisor:
        """The running process manager."""
        return Supervisor(self._socket())

    def waiting(self) -> Waiting:
        """Waits for the parts of the running instance."""
        return Waiting(self.settings, self.supervisor())

    def states(self) -> list[ProgramState]:
        """All programs and their state.

        Raises:
            NotRunning: the instance does not run.
        """
        if self.supervisor_pid() is None:
            raise NotRunning(f"htbot does not run here ({self.instance}): start it with ./restart.sh")
        return self.supervisor().states()

    def record(self) -> Record:
        """The instance's database."""
        return Record(self.settings.database.url)

    # --- parts -----------------------------------------------------------------------------------------------------

    def _child_environ(self) -> dict[str, str]:
        """Environment of the programs: ours, the instance's mark, and process titles that leave the mark readable."""
        return {**self.environ, MARK: str(self.instance), "SPT_NOENV": "1", "PYTHONUNBUFFERED": "1"}

    def _socket(self) -> Path:
        path = supervisor.socket_path(self.settings.paths.run)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.parent.stat().st_uid != os.getuid():
            raise ConfigurationError(f"{path.parent} belongs to somebody else: remove it")
        return path

    def _remove_socket_folder(self) -> None:
        """A socket outside of the state folder leaves nothing behind."""
        path = supervisor.socket_path(self.settings.paths.run)
        if path.parent != self.settings.paths.run:
            path.unlink(missing_ok=True)
            with suppress(OSError):  # somebody else's, or not there
                path.parent.rmdir()

    def _gateway_complaint(self, report: Report) -> str | None:
        """Test the gateway: the built-in one must answer, a real one may be away (it restarts every night).

        Raises:
            NotReady: the built-in gateway does not answer.
        """
        address = f"{self.settings.ib.host}:{self.settings.ib.port}"
        try:
            version = self.waiting().for_gateway(_OWN_GATEWAY_S if self.settings.ib.builtin_paper else _REAL_GATEWAY_S)
        except NotReady as error:
            if self.settings.ib.builtin_paper:
                raise
            report(f"5/6 Test the gateway: {address} does not answer")
            return str(error)
        report(f"5/6 Test the gateway: {self.settings.mode}, {address}, protocol {version}")
        return None

    def _postmaster(self) -> int | None:
        folders = postgres.data_folders(self.settings.paths.postgres)
        return next((pid for folder in folders if (pid := postmaster_of(folder)) is not None), None)

    def _stop_programs(self) -> None:
        """Stop the applications all at once, before supervisord stops the servers one after the other."""
        running = self.supervisor()
        try:
            for name in reversed(APPLICATIONS):
                if any(row.name == name for row in running.states()):
                    running.stop(name)
            wait_until(
                lambda: all(row.state in _GONE for row in running.states() if row.name in APPLICATIONS),
                _STOP_PATIENCE_S,
                every_s=0.1,
            )
        except OSError:
            return  # it hangs or is half dead: its processes are found by their mark
