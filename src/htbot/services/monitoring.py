"""How the processes are, in one answer: for people who look without Prometheus."""

from __future__ import annotations

import resource
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from htbot.domain.errors import Retryable
from htbot.domain.orders import OrderState
from htbot.persistence.engine import Database
from htbot.persistence.queries import watch
from htbot.persistence.queries.measures import HISTOGRAMS, averages, counts
from htbot.persistence.queries.shapes import TaskView
from htbot.persistence.queries.usage import RecordUsage, record_usage
from htbot.persistence.records import Process, Worker
from htbot.persistence.repositories import ProcessRepository, WorkerRepository
from htbot.persistence.states import TERMINAL_ORDER_STATES, AlertState
from htbot.services.queries import Queries

_KIB = 1024


class Health(StrEnum):
    """Down: it cannot trade; degraded: something is away that trading can do without for a while."""

    OK = "ok"
    DEGRADED = "degraded"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class HealthView:
    """The whole system in a word, and each part in its own."""

    status: Health
    checks: dict[str, str]


@dataclass(frozen=True, slots=True)
class DetailedHealth:
    """The same with what stands behind it; null where the record does not answer. Ages are wall time.

    `door_age_s`: seconds since this API process last read the tokens and wrote down all visits and lock-outs.
    """

    status: Health
    checks: dict[str, str]
    processes: list[Process] | None
    workers: list[Worker] | None
    tasks: list[TaskView] | None
    undelivered_alerts: int | None
    dead_alerts: int | None
    door_age_s: float | None = None


@dataclass(frozen=True, slots=True)
class SystemCounts:
    """Counts over the whole record, by label; `orders` by the states that they have reached."""

    orders: dict[str, int]
    open_orders: dict[str, int]
    signals: dict[str, int]
    refusals: dict[str, int]
    broker_errors: dict[str, int]
    fills: int
    alerts: dict[str, int]
    open_positions: int


@dataclass(frozen=True, slots=True)
class ExecutionStats:
    """How orders have fared over the whole record. Counts by the state that orders have reached, averages by purpose.

    `fill_rate` is filled ones of those that are over, 0 to 1, null before the first. Seconds are market time, slippage
    is percent of the first limit (better counts as 0), `average_limits` how many limits a walking order had.
    """

    orders: dict[str, int]
    open_orders: dict[str, int]
    fills: int
    fill_rate: float | None
    average_latency_s: dict[str, float]
    average_fill_s: dict[str, float]
    average_slippage_percent: dict[str, float]
    average_limits: dict[str, float]


@dataclass(frozen=True, slots=True)
class UsageView:
    """Bytes: of the record, of the disk that `var` is on, and the most memory that this API process has had."""

    record: RecordUsage
    disk_total_bytes: int
    disk_free_bytes: int
    api_memory_bytes: int


@dataclass(frozen=True, slots=True)
class MonitoringParts:
    """What it looks at; `folder` is `var`, `host_now` wall time."""

    database: Database
    queries: Queries
    folder: Path
    host_now: Callable[[], datetime]


class Monitoring:
    """Reads."""

    def __init__(self, parts: MonitoringParts) -> None:
        self._parts = parts

    def health(self) -> HealthView:
        """Answers whatever is away."""
        checks = self._parts.queries.readiness().checks
        return HealthView(_health(checks), checks)

    def detailed(self) -> DetailedHealth:
        """Answers whatever is away."""
        told = self.health()
        try:
            with self._parts.database.transaction() as session:
                alerts = counts(session).alerts
                return DetailedHealth(
                    status=told.status,
                    checks=told.checks,
                    processes=ProcessRepository(session).all(),
                    workers=WorkerRepository(session).all(),
                    tasks=watch.tasks(session, self._parts.host_now()),
                    undelivered_alerts=alerts.get(AlertState.PENDING, 0),
                    dead_alerts=alerts.get(AlertState.DEAD, 0),
                )
        except Retryable:  # that is what `checks` say
            return DetailedHealth(told.status, told.checks, None, None, None, None, None)

    def counts(self) -> SystemCounts:
        """What `/metrics` counts, as JSON.

        Raises:
            Retryable: PostgreSQL does not answer.
        """
        with self._parts.database.transaction() as session:
            found = counts(session)
        signals: dict[str, int] = {}
        for (*_, outcome), count in found.signals.items():
            signals[outcome] = signals.get(outcome, 0) + count
        return SystemCounts(
            orders=found.reached,
            open_orders=found.open_orders,
            signals=signals,
            refusals=found.refusals,
            broker_errors=found.errors,
            fills=found.fills,
            alerts=found.alerts,
            open_positions=found.open_positions,
        )

    def execution(self) -> ExecutionStats:
        """How orders have fared.

        Raises:
            Retryable: PostgreSQL does not answer.
        """
        with self._parts.database.transaction() as session:
            found = counts(session)
            latency, fill, slippage, limits = (
                averages(session, HISTOGRAMS[f"htbot_{name}"])
                for name in ("order_latency_seconds", "order_fill_time_seconds", "slippage_percent", "ladder_attempts")
            )
        over = sum(found.reached.get(state.value, 0) for state in TERMINAL_ORDER_STATES)
        filled = found.reached.get(OrderState.FILLED.value, 0)
        return ExecutionStats(
            orders=found.reached,
            open_orders=found.open_orders,
            fills=found.fills,
            fill_rate=round(filled / over, 4) if over else None,
            average_latency_s=latency,
            average_fill_s=fill,
            average_slippage_percent=slippage,
            average_limits=limits,
        )

    def usage(self) -> UsageView:
        """How much room is taken.

        Raises:
            Retryable: PostgreSQL does not answer.
        """
        with self._parts.database.transaction() as session:
            record = record_usage(session)
        disk = shutil.disk_usage(self._parts.folder)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _KIB
        return UsageView(record, disk.total, disk.free, memory)


def _health(checks: dict[str, str]) -> Health:
    """The database and a connected desk are what trading needs."""
    if checks["database"] != "ok" or checks["desk"] != "running":
        return Health.DOWN
    return Health.OK if checks["redis"] == "ok" and checks["connection"] == "connected" else Health.DEGRADED
