"""A whole instance of htbot on free ports in a folder of its own, for tests that break things in it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil

from htbot.bootstrap.install.stack import Stack
from htbot.bootstrap.install.usage import program_of
from htbot.bootstrap.isolation import isolated_environ
from htbot.bootstrap.people import People, build_people
from htbot.domain.errors import Retryable
from htbot.persistence.engine import EngineOptions
from htbot.persistence.queries.selection import Selection
from htbot.settings import project_root

EVERYTHING = Selection(limit=1000)


class Instance:
    """A started stack with the read models over it."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.people: People = build_people(stack.settings, EngineOptions(application_name="test", pool_size=1))

    def pid(self, program: str) -> int:
        return next(row.pid for row in self.stack.states() if row.name == program)

    def kill(self, program: str) -> None:
        """kill -9, and wait until supervisor has put another one in its place."""
        old = self.pid(program)
        os.kill(old, signal.SIGKILL)
        until(lambda: self.pid(program) not in {0, old}, 120, f"{program} came back")
        settled = datetime.now(UTC) + timedelta(seconds=2)
        until(lambda: self.connected(settled), 120, f"the desk is connected after the death of {program}")

    def at_broker(self) -> set[str]:
        """Programs that hold a connection to the gateway at this moment (RULINGS 16)."""
        port = self.stack.settings.ib.port
        pids = {one.pid for one in psutil.net_connections("tcp") if one.raddr and one.raddr.port == port} - {None}
        return {program_of(int(pid)) for pid in pids if pid is not None}

    def connected(self, since: datetime | None = None) -> bool:
        """The desk has said so, after `since` when it is given."""
        desk = self.people.queries.desk()
        late = since is not None and (desk.clock is None or desk.clock.written_at <= since)
        return desk.connection == "connected" and not late


def until(condition: Callable[[], object], patience_s: float, what: str) -> None:
    """Wait for a condition; a database that is away for a moment has not met it."""
    deadline = time.monotonic() + patience_s
    while not _met(condition):
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.1)


def _met(condition: Callable[[], object]) -> bool:
    try:
        return bool(condition())
    except Retryable:
        return False


def environment(folder: Path, **chosen: str) -> dict[str, str]:
    keep = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "TMPDIR"}}
    return isolated_environ(keep, folder) | chosen


@contextmanager
def running(environ: Mapping[str, str]) -> Iterator[Instance]:
    stack = Stack(project_root(), environ)
    stack.start()
    try:
        instance = Instance(stack)
        try:
            yield instance
        finally:
            instance.people.database.close()
    finally:
        stack.stop_all()
