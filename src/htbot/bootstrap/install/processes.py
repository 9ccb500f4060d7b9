"""Finds and stops the processes of one instance: by pid file and by the mark in their environment, never by name."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable
from pathlib import Path

MARK = "HTBOT_INSTANCE"
"""Environment variable that every supervised process carries: the state folder of its instance."""

_PROC = Path("/proc")


def read_pid(path: Path) -> int | None:
    """First number in a pid file; None when it is missing or damaged."""
    try:
        pid = int(path.read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return None
    return pid if pid > 1 else None


def is_alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    stat = _stat(pid)
    return stat[0] != "Z" if stat else not _PROC.is_dir()


def parent_of(pid: int) -> int | None:
    """Pid of the parent; None when the process is gone."""
    stat = _stat(pid)
    return int(stat[1]) if stat else None


def _stat(pid: int) -> list[str]:
    """Fields of `/proc/PID/stat` from the state on; the name before it may hold blanks and parentheses."""
    try:
        return (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


def belongs_to(pid: int, instance: Path) -> bool:
    """Whether the process carries the mark of this instance."""
    try:
        environ = (_PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return False
    return f"{MARK}={instance}".encode() in environ.split(b"\0")


def processes_of(instance: Path) -> list[int]:
    """Every process with the mark of this instance, except this one."""
    pids = (int(entry.name) for entry in _PROC.glob("[0-9]*"))
    return [pid for pid in pids if pid != os.getpid() and belongs_to(pid, instance) and is_alive(pid)]


def postmaster_of(data: Path) -> int | None:
    """The PostgreSQL server that runs on this data folder, by its pid file and its working folder."""
    pid = read_pid(data / "postmaster.pid")
    if pid is None:
        return None
    try:
        works_in = (_PROC / str(pid) / "cwd").readlink()
    except OSError:
        return None
    return pid if works_in == data.resolve() else None


def terminate(pids: Iterable[int], *, first: signal.Signals = signal.SIGTERM, patience_s: float) -> None:
    """Ask the processes to end, wait, then kill what is left."""
    waiting = list(pids)
    _send(waiting, first)
    if not wait_until(lambda: not any(map(is_alive, waiting)), patience_s):
        left = [pid for pid in waiting if is_alive(pid)]
        _send(left, signal.SIGKILL)
        wait_until(lambda: not any(map(is_alive, left)), 5)


def wait_until(condition: Callable[[], bool], patience_s: float, *, every_s: float = 0.05) -> bool:
    """Poll until the condition holds; False when patience ran out first."""
    deadline = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(every_s)
    return True


def _send(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
