"""What the processes of one instance use: CPU seconds and memory by program, read from /proc."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Self

_PROC = Path("/proc")
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_NAMES = (
    ("postgres", "postgres"),
    ("valkey", "redis"),
    ("redis-server", "redis"),
    ("htbot paper", "paper"),
    ("htbot.desk", "desk"),
    ("htbot.api", "api"),
    ("install.alarm", "alarm"),
    (" beat ", "beat"),
    (" worker ", "worker"),
    ("supervisord", "supervisor"),
)

# A process shows its parent's command line until it has begun its own program.
UNSETTLED = frozenset({"other", "supervisor"})


@dataclass(frozen=True, slots=True)
class Process:
    """One process: its place in the tree, and user plus system time so far."""

    pid: int
    parent: int
    started: str
    cpu_s: float


def _processes() -> dict[int, Process]:
    found = {}
    for folder in _PROC.glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        pid = int(folder.name)
        found[pid] = Process(pid, int(stat[1]), stat[19], (int(stat[11]) + int(stat[12])) / _TICKS_PER_S)
    return found


def supervisor_of(instance: Path) -> int | None:
    """Pid of the instance's supervisord; None before it runs."""
    try:
        return int((instance / "run" / "supervisord.pid").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def tree(root: int) -> Iterator[Process]:
    """The process `root` and all below it."""
    found = _processes()
    children = defaultdict(list)
    for process in found.values():
        children[process.parent].append(process.pid)
    waiting = [root]
    while waiting:
        pid = waiting.pop()
        if pid in found:
            yield found[pid]
        waiting.extend(children[pid])


def program_of(process: Process, root: int) -> str:
    """Which program of the instance a process belongs to, by its command line or its parent's."""
    for pid in (process.pid, process.parent):
        try:
            command = (_PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace") + " "
        except OSError:
            continue
        for part, name in _NAMES:
            if part in command:
                # Pool processes are children of the worker, everything else of supervisord.
                return "worker pool" if name == "worker" and process.parent != root else name
    return "other"


def cpu_s(pid: int) -> float:
    """User and system time of one process so far, in seconds; raises KeyError when it is gone."""
    return _processes()[pid].cpu_s


def pss_mb(pid: int) -> float:
    """Proportional set size: shared pages are split among those who share them."""
    try:
        lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def memory_by_program(root: int) -> dict[str, float]:
    """PSS in MB of the tree below and with `root`."""
    used: dict[str, float] = defaultdict(float)
    for process in tree(root):
        used[program_of(process, root)] += pss_mb(process.pid)
    return dict(used)


def cpu_by_program(root: int) -> dict[str, float]:
    """CPU seconds so far of every process of the tree that lives."""
    used: dict[str, float] = defaultdict(float)
    for process in tree(root):
        used[program_of(process, root)] += process.cpu_s
    return dict(used)


class CpuWatch:
    """Follows the programs of an instance until they end; what a process had used when last seen counts."""

    def __init__(self, instance: Path, every_s: float = 0.25) -> None:
        self._instance = instance
        self._every_s = every_s
        self._last: dict[tuple[int, str], tuple[str, float]] = {}
        self._over = Event()
        self._thread = Thread(target=self._follow, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        self._thread.join()

    def _follow(self) -> None:
        while not self._over.wait(self._every_s):
            root = supervisor_of(self._instance)
            if root is not None:
                self._look(root)

    def _look(self, root: int) -> None:
        for process in tree(root):
            key = (process.pid, process.started)
            name, _ = self._last.get(key, ("other", 0.0))
            if name in UNSETTLED:
                name = program_of(process, root)
            self._last[key] = (name, process.cpu_s)

    def by_program(self) -> dict[str, float]:
        """CPU seconds by program, of processes that live and that have ended."""
        used: dict[str, float] = defaultdict(float)
        for name, cpu_s in self._last.values():
            used[name] += cpu_s
        return dict(used)


def table(used: dict[str, float], unit: str) -> str:
    """Programs by use, and their sum."""
    rows = sorted(used.items(), key=lambda item: -item[1])
    return "\n".join(f"  {name:12} {value:8.2f} {unit}" for name, value in [*rows, ("all", sum(used.values()))])
