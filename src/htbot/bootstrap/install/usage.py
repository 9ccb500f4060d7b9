"""What the processes of one instance take: memory and open files, from /proc, by the program that supervisord runs.

A program above a limit is degraded. Most can be restarted at any time; the desk only between orders, by the alarm.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from htbot.bootstrap.install.processes import parent_of, processes_of

PROGRAM = "SUPERVISOR_PROCESS_NAME"
"""Environment variable that supervisord gives each program, and forks inherit."""
WATCHED = ("desk", "worker", "beat", "api", "alarm")
MOST_FILES_SHARE = 0.8
_LOOK_EVERY_S = 15.0
_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Usage:
    """What one process holds; `own` for the one that supervisord has started, not for what that one has forked."""

    program: str
    pid: int
    own: bool
    memory_mb: float
    open_files: int
    most_files: int


@dataclass(frozen=True, slots=True)
class Excess:
    """A process above a limit; `kind` is `memory` or `files`."""

    usage: Usage
    kind: str
    detail: str


def usage_of(instance: Path) -> Iterator[Usage]:
    """Every watched process of an instance; one that ends meanwhile is left out."""
    programs = {pid: program for pid in processes_of(instance) if (program := program_of(pid)) in WATCHED}
    for pid, program in programs.items():
        try:
            status = (_PROC / str(pid) / "status").read_text(encoding="utf-8", errors="replace")
            files = sum(1 for _ in (_PROC / str(pid) / "fd").iterdir())
            limits = (_PROC / str(pid) / "limits").read_text(encoding="utf-8")
        except OSError:
            continue
        own = programs.get(parent_of(pid) or 0) != program
        yield Usage(program, pid, own, _field(status, "VmRSS:") / 1024, files, _field(limits, "Max open files"))


def excesses(instance: Path, memory_limit_mb: int) -> Iterator[Excess]:
    """What is above its limits."""
    for usage in usage_of(instance):
        named = f"{usage.program} (pid {usage.pid})"
        if usage.memory_mb > memory_limit_mb:
            detail = f"{named} holds {usage.memory_mb:.0f} MiB, the limit is {memory_limit_mb}"
            yield Excess(usage, "memory", detail)
        if usage.open_files > usage.most_files * MOST_FILES_SHARE:
            detail = f"{named} has {usage.open_files} files open, the limit is {usage.most_files}"
            yield Excess(usage, "files", detail)


class Degraded:
    """What is above its limits, in words, looked at now and then: each look reads some files of every process."""

    def __init__(self, instance: Path, memory_limit_mb: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._watched = (instance, memory_limit_mb)
        self._monotonic = monotonic
        self._seen: tuple[str, ...] = ()
        self._looked_s: float | None = None

    def __call__(self) -> tuple[str, ...]:
        """One line for each process above a limit; none is as it must be."""
        now_s = self._monotonic()
        if self._looked_s is None or now_s - self._looked_s >= _LOOK_EVERY_S:
            self._seen = tuple(excess.detail for excess in excesses(*self._watched))
            self._looked_s = now_s
        return self._seen


def program_of(pid: int) -> str:
    """Name under which supervisord started a process or the one that forked it; empty when it did not."""
    try:
        environ = (_PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return ""
    name = f"{PROGRAM}=".encode()
    return next((word[len(name) :].decode() for word in environ.split(b"\0") if word.startswith(name)), "")


def _field(text: str, name: str) -> int:
    """The first number after a name at the beginning of a line; 0 where there is none, 2**63 for `unlimited`."""
    line = next((line[len(name) :].split() for line in text.splitlines() if line.startswith(name)), ["0"])
    return 1 << 63 if line[0] == "unlimited" else int(line[0])
