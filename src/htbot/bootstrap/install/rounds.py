"""What is looked at from outside once a minute: a trouble is told when it begins, and again only after it has ended.

The process that is in trouble may be unable to tell; and the outbox is of no use while the record takes nothing.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from htbot.alerts.message import Fact, Message
from htbot.bootstrap.install.usage import Excess, excesses
from htbot.domain.alerts import Severity
from htbot.domain.errors import HtbotError
from htbot.services.desk_line import STATUS, DeskLine

LASTS_S = 10.0
"""A server that is being restarted is back by then."""
QUIET_S = 900.0
"""A trouble that comes and goes is told once per quarter of an hour."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that is not as it must be; `kind` names it for as long as it lasts."""

    kind: str
    severity: Severity
    title: str
    detail: str

    def message(self, now: datetime) -> Message:
        """What a person is told."""
        return Message(
            kind=f"trouble.{self.kind}",
            severity=self.severity,
            title=self.title,
            summary=f"{self.title}: {self.detail}.",
            as_of=now,
            dedup_key=f"trouble.{self.kind}:{now.isoformat()}",
            facts=[Fact("What to do", "htbot doctor names it, and its page of docs/runbooks")],
        )


Sight = Callable[[], Iterable[Trouble]]


class Rounds:
    """Looks at everything, and knows what has been told."""

    def __init__(self, sights: Sequence[Sight], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._sights = sights
        self._monotonic = monotonic
        self._lasting: set[str] = set()
        self._told_s: dict[str, float] = {}

    def look(self, tell: Callable[[Message], bool]) -> list[Trouble]:
        """Tell what is new, and what nobody could be told of before; returns every trouble that is there."""
        found = {trouble.kind: trouble for sight in self._sights for trouble in sight()}
        self._lasting &= found.keys()
        for kind, trouble in found.items():
            if kind not in self._lasting and self._told(kind, trouble, tell):
                self._lasting.add(kind)
        return list(found.values())

    def _told(self, kind: str, trouble: Trouble, tell: Callable[[Message], bool]) -> bool:
        now_s, last_s = self._monotonic(), self._told_s.get(kind)
        if last_s is not None and now_s - last_s < QUIET_S:
            return False
        if not tell(trouble.message(datetime.now(UTC))):
            return False
        self._told_s[kind] = now_s
        return True


REFUSALS = {
    "postgres": (Severity.CRITICAL, "PostgreSQL does not take what the desk has to write: no new orders, exits go on"),
    "redis": (Severity.WARNING, "Redis does not take what the desk publishes: no new decisions, exits go on"),
}


def refusals(line: DeskLine, lasts_s: float = LASTS_S) -> Iterator[Trouble]:
    """What the servers refuse, as the desk tells it; nothing when the desk is away, whose end is told by itself."""
    try:
        told = line.ask({"do": STATUS})["troubles"]
    except HtbotError:
        return
    for part, (severity, title) in REFUSALS.items():
        if part in told and told[part]["seconds"] >= lasts_s:
            yield Trouble(part, severity, title, str(told[part]["text"]))


def full_disks(folders: Sequence[Path], least_free_mb: int) -> Iterator[Trouble]:
    """Disks on which less is free than must be; each disk once."""
    seen: set[int] = set()
    for folder in folders:
        try:
            disk, device = os.statvfs(folder), folder.stat().st_dev
        except FileNotFoundError:
            continue
        free_mb = disk.f_bavail * disk.f_frsize / 2**20
        if device not in seen and free_mb < least_free_mb:
            yield Trouble(
                f"disk.{device}", Severity.CRITICAL, "A disk is nearly full", f"{free_mb:.0f} MiB are free at {folder}"
            )
        seen.add(device)


class Hogs:
    """Processes that take too much: told, and ended in an orderly way so that supervisord starts them again.

    The desk ends between orders only, and when the record has all that it knows: what is open is guarded again within
    ten seconds of its start (RULINGS 9). What a worker has forked is replaced by the worker.
    """

    def __init__(self, instance: Path, memory_limit_mb: int, line: DeskLine) -> None:
        self._watched = (instance, memory_limit_mb)
        self._line = line

    def __call__(self) -> Iterator[Trouble]:
        """End what may end now; every excess is a trouble."""
        for excess in excesses(*self._watched):
            restarted = excess.kind == "memory" and self._end(excess)
            yield Trouble(
                f"{excess.kind}.{excess.usage.program}",
                Severity.WARNING,
                f"{excess.usage.program} takes too much" + (" and is restarted" if restarted else ""),
                excess.detail,
            )

    def _end(self, excess: Excess) -> bool:
        usage = excess.usage
        if not usage.own or (usage.program == "desk" and not self._desk_at_rest()):
            return False
        try:
            os.kill(usage.pid, signal.SIGTERM)
        except ProcessLookupError:
            return False
        return True

    def _desk_at_rest(self) -> bool:
        try:
            told = self._line.ask({"do": STATUS})
        except HtbotError:
            return False
        return told["under_way"] == [] and not told["unwritten"] and not told["troubles"]
