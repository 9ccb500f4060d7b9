"""Looks at the instance again and again: when is it whole after a fault, and how long is an order in doubt?

Whole means: every program runs, the servers answer, and the desk has said after the fault that it is connected. It says
so only once it has taken over, looked up and compared, and from then on it guards what is held (RULINGS 33).
"""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import redis
from sqlalchemy import make_url, select

from htbot.adapters.live import LiveReader
from htbot.bootstrap.chaos.faults import Happened
from htbot.bootstrap.chaos.site import NotNow, Site
from htbot.domain.errors import Retryable
from htbot.domain.orders import IntentState
from htbot.persistence.engine import Database
from htbot.persistence.repositories import WorkerRepository
from htbot.persistence.rows.intents import IntentRow

_EVERY_S = 0.25
_UP = frozenset({"RUNNING", "STARTING"})


@dataclass(frozen=True, slots=True)
class Look:
    """One look. `desk_at` is when the desk last said that it is connected, `complaints` what is not as it should be."""

    complaints: tuple[str, ...]
    desk_at: datetime | None
    doubtful: frozenset[str]
    pids: dict[str, int]


@dataclass(slots=True)
class Recovery:
    """How long after the end of a fault the instance was whole; None while it is not."""

    fault: Happened
    recovered_s: float | None = None


@dataclass(slots=True)
class Health:
    """Runs in a thread of its own. `faults` answers with what has happened so far.

    `doubts_s` are how long each order in doubt was so; `complaints` is what the last look found, `longest_broken_s` the
    longest time without a whole instance, the lasting of faults included.
    """

    site: Site
    database: Database
    live: LiveReader
    faults: Callable[[], Sequence[Happened]]
    recoveries: list[Recovery] = field(default_factory=list)
    doubts_s: list[float] = field(default_factory=list)
    complaints: tuple[str, ...] = ("nobody has looked yet",)
    longest_broken_s: float = 0.0
    _broken_from: float | None = None
    _in_doubt: dict[str, float] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)

    def stop(self) -> None:
        """End the loop of `run`."""
        self._stop.set()

    def run(self) -> None:
        """Look until it is stopped."""
        while not self._stop.wait(_EVERY_S):
            self.note(self.look())

    @property
    def recovered(self) -> bool:
        """True when the instance was whole after every fault."""
        return len(self.recoveries) == len(self.faults()) and all(
            item.recovered_s is not None for item in self.recoveries
        )

    def note(self, look: Look) -> None:
        """Draw the conclusions of one look."""
        now, now_s = datetime.now(UTC), time.monotonic()
        self.complaints = look.complaints
        happened = self.faults()
        self.recoveries += [Recovery(fault) for fault in happened[len(self.recoveries) :]]
        for item in self.recoveries:
            over_at = item.fault.over_at
            if item.recovered_s is None and over_at is not None and whole_since(look, over_at):
                item.recovered_s = recovery_s(item.fault, happened, now)
        if look.complaints:
            self._broken_from = self._broken_from or now_s
            self.longest_broken_s = max(self.longest_broken_s, now_s - self._broken_from)
        else:
            self._broken_from = None
        for ref in look.doubtful - self._in_doubt.keys():
            self._in_doubt[ref] = now_s
        if "postgres" not in {complaint.partition(" ")[0] for complaint in look.complaints}:
            for ref in self._in_doubt.keys() - look.doubtful:
                self.doubts_s.append(now_s - self._in_doubt.pop(ref))

    # --- looking ---------------------------------------------------------------------------------------------------

    def look(self) -> Look:
        """One look at everything."""
        complaints: list[str] = []
        pids = self._programs(complaints)
        doubtful = self._record(complaints, pids)
        desk_at = self._desk(complaints)
        if not api_lives(self.site.settings.api.url):
            complaints.append("api does not answer")
        return Look(tuple(complaints), desk_at, doubtful, pids)

    def _programs(self, complaints: list[str]) -> dict[str, int]:
        try:
            states = self.site.states()
        except NotNow as error:
            complaints.append(str(error))
            return {}
        complaints += [f"{row.name} is {row.state}" for row in states if row.state not in _UP or not row.pid]
        return {row.name: row.pid for row in states}

    def _record(self, complaints: list[str], pids: dict[str, int]) -> frozenset[str]:
        try:
            with self.database.transaction() as session:
                query = select(IntentRow.ref).where(IntentRow.state == IntentState.UNKNOWN)
                doubtful = frozenset(session.scalars(query))
                ready = {worker.pid for worker in WorkerRepository(session).all()}
        except Retryable as error:
            complaints.append(f"postgres does not answer: {error}")
            return frozenset()
        if pids.get("worker") not in ready:
            complaints.append("worker has not registered its tasks")
        return doubtful

    def _desk(self, complaints: list[str]) -> datetime | None:
        try:
            clock = self.live.clock()
        except redis.RedisError as error:
            complaints.append(f"redis does not answer: {error}")
            return None
        if clock is None:
            complaints.append("desk has not spoken")
            return None
        if clock.connection != "connected":
            complaints.append(f"desk is {clock.connection}: {clock.reason}")
        return clock.written_at


def recovery_s(fault: Happened, all_faults: Sequence[Happened], now: datetime) -> float:
    """Seconds from the end of a fault until now, without those in which another one still lasted.

    A desk that is frozen or cut off by the next fault cannot be whole, however fast it had been.
    """
    over_at = fault.over_at or now
    spans = [(item.at, item.over_at or now) for item in all_faults if item is not fault]
    counted, upto = (now - over_at).total_seconds(), over_at
    for at, ended_at in sorted(spans):
        begin, end = max(at, upto), min(ended_at, now)
        if end > begin:
            counted -= (end - begin).total_seconds()
            upto = end
    return max(counted, 0.0)


def whole_since(look: Look, over_at: datetime) -> bool:
    """True when nothing is to complain of and the desk has spoken after the fault's end."""
    return not look.complaints and look.desk_at is not None and look.desk_at > over_at


def api_lives(url_text: str) -> bool:
    """True when `GET /health` says 200."""
    url = make_url(url_text)
    connection = http.client.HTTPConnection(str(url.host), url.port, timeout=2)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
