"""Beat on market time: paced by the desk's clock, stepped by its barriers (ARCHITECTURE section 5)."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from typing import Any

import redis
from celery.beat import Scheduler
from kombu.exceptions import OperationalError

from htbot.adapters.live import LiveReader, Step
from htbot.bootstrap.beat import build_beat
from htbot.domain.errors import Retryable, StopTrading
from htbot.domain.sessions import floor_to
from htbot.marketdata.clock_state import GRID_S, ClockState, Mode, step_number
from htbot.persistence.singleton import SingletonLock
from htbot.services.schedule import ScheduleRow, begins

_DESK_SILENT_S = 15.0
_POLL_S = 0.2
_LOCK_EVERY_S = 5.0
_log = logging.getLogger(__name__)


class MarketScheduler(Scheduler):
    """Sends the rows of the schedule at each 30-second grid instant of market time, and never a backlog."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        parts = build_beat()
        self._live: LiveReader = parts.live
        self._rows = parts.schedule
        self._lock: SingletonLock = parts.lock
        self._locked_at_s: float | None = None
        self._require_alone()
        self._steps: redis.client.PubSub | None = None
        self._last_sent: datetime | None = None
        super().__init__(*args, **kwargs)

    def setup_schedule(self) -> None:
        """Celery's own table stays empty; the rows are in `services/schedule.py`."""

    def tick(self, *_args: Any, **_kwargs: Any) -> float:
        """Send what is due; returns the seconds until the next look."""
        self._require_alone()
        try:
            return self._look()
        except (redis.RedisError, OperationalError) as error:
            _log.warning("redis is away, nothing can be scheduled: %s", error)
            self._steps = None
            return 1.0

    def _require_alone(self) -> None:
        """One beat per record (FAULTS 6). Without an answer it goes on: what two beats send is done once all the same.

        Raises:
            SystemExit: another beat runs; the text names it.
        """
        now_s = time.monotonic()
        if self._locked_at_s is not None and now_s - self._locked_at_s < _LOCK_EVERY_S:
            return
        self._locked_at_s = now_s
        try:
            if not self._lock.held():
                self._lock.require("beat")
        except Retryable as error:
            _log.warning("nobody knows whether this is the only beat: %s", error)
        except StopTrading as error:
            _log.critical("%s", error)
            raise SystemExit(f"beat: {error}") from error

    def _look(self) -> float:
        step = self._next_step(_POLL_S)
        if step is not None:
            for row in begins(self._rows, step.as_of):  # the others follow in their turn
                self._send(row, step.as_of, None)
            return 0.0
        clock = self._live.clock()
        if clock is not None and clock.mode is Mode.STEPPED:
            return 0.0
        return self._paced(clock)

    def _next_step(self, timeout_s: float) -> Step | None:
        if self._steps is None:
            self._steps = self._live.steps()
        message = self._steps.get_message(timeout=timeout_s)
        return None if message is None else Step.decode(message["data"])

    def _paced(self, clock: ClockState | None) -> float:
        host_now = datetime.now(UTC)
        alive = clock is not None and clock.age(host_now).total_seconds() <= _DESK_SILENT_S
        market_now = clock.market_now(host_now) if clock is not None and alive else host_now
        as_of = floor_to(market_now, GRID_S)
        if self._last_sent != as_of:
            self._last_sent = as_of
            speed = clock.speed if clock is not None and alive else 1.0
            for row in self._rows:
                if row.due(as_of) and (alive or not row.needs_desk):
                    self._send(row, as_of, speed)
        return 0.0

    def _send(self, row: ScheduleRow, as_of: datetime, speed: float | None) -> None:
        expires_s = None if speed is None else max(row.period_s / speed, 0.5)
        message = {"as_of": as_of.isoformat(), "step": step_number(as_of), "key": row.key}
        self.app.send_task(row.task, kwargs=message, expires=expires_s)
