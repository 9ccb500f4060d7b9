"""The page that Prometheus reads: gathered anew when the last one is older than a few seconds, by one caller at a time.

Nothing is counted in a process. Whatever can be counted is a row of the record, so that any process may serve the page,
several may, and a restart loses nothing (docs/decisions/0021-metrics-from-the-record.md).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from htbot.domain.errors import Retryable
from htbot.services.desk_view import look
from htbot.services.metrics.desk import put_desk
from htbot.services.metrics.outside import NOTHING_OUTSIDE, Outside, put_outside
from htbot.services.metrics.record import RecordMeasures
from htbot.services.queries import Sources
from htbot.telemetry.metrics import Gathered

FRESH_S = 5.0
"""A page this old is served again: however many ask, the record is read once in this time."""


@dataclass(frozen=True, slots=True)
class _Made:
    page: bytes
    at: float


class SystemMetrics:
    """The metrics page. With PostgreSQL away it says so (`htbot_database_up 0`) and shows what the desk publishes."""

    def __init__(
        self,
        sources: Sources,
        outside: Callable[[], Outside] = lambda: NOTHING_OUTSIDE,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sources = sources
        self._outside = outside
        self._monotonic = monotonic
        self._record = RecordMeasures(sources)
        self._gathering = threading.Lock()
        self._last: _Made | None = None

    def page(self) -> bytes:
        """Prometheus' text format, at most `FRESH_S` old unless PostgreSQL is slow.

        It reads servers, so it blocks: call it from a thread, never in an event loop. While one caller gathers, the
        others get the page before.
        """
        last = self._last
        if last is not None and self._monotonic() - last.at < FRESH_S:
            return last.page
        if not self._gathering.acquire(blocking=last is None):
            return last.page if last is not None else b""
        try:
            if self._last is last or self._last is None:
                self._last = _Made(self._gather(), self._monotonic())
            return self._last.page
        finally:
            self._gathering.release()

    def _gather(self) -> bytes:
        gathered = Gathered()
        desk = look(self._sources.live, self._sources.host_now())
        put_desk(gathered, desk)
        put_outside(gathered, self._outside())
        try:
            self._record.put(gathered, desk)
        except Retryable:
            gathered.put("htbot_database_up", 0)
        else:
            gathered.put("htbot_database_up", 1)
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Once(gathered))
        return generate_latest(registry)


class _Once(Collector):
    """What was gathered, as prometheus_client wants to be given it."""

    def __init__(self, gathered: Gathered) -> None:
        self._gathered = gathered

    def collect(self) -> Iterator[Metric]:
        return self._gathered.families()
