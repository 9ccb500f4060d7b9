"""The real Celery worker as a process of its own, with one pool child to be killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from htbot.bootstrap.isolation import isolated_environ
from htbot.settings import project_root

_COMMAND = "celery -q -A celery_app worker --pool prefork -c 1 --without-gossip --without-mingle --without-heartbeat"


class WorkerProcess:
    """A worker that runs."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self._log = log

    @property
    def children(self) -> list[int]:
        """Pids of the pool's processes."""
        pid = self.process.pid
        return [int(text) for text in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def kill_child(self) -> int:
        """kill -9 of the one pool process; its pid."""
        (child,) = self.children
        os.kill(child, signal.SIGKILL)
        return child

    def log(self) -> str:
        """What it has logged so far."""
        return self._log.read_text(encoding="utf-8")


@contextmanager
def worker(folder: Path, **settings: str) -> Iterator[WorkerProcess]:
    """A worker on the servers that the settings name; its log is in the folder."""
    log = folder / "worker.log"
    keep = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "TMPDIR"}}
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", *_COMMAND.split()],
            cwd=project_root(),
            env=isolated_environ(keep, folder) | settings,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stream,
        )
    try:
        yield WorkerProcess(process, log)
    finally:
        process.terminate()
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
