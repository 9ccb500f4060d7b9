"""The barrier of a stepped world: an instant is over when every task due at it has ended (ARCHITECTURE section 5)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterable, Sequence
from datetime import datetime

from htbot.adapters.live import LiveWriter, Step
from htbot.desk.doorbell import Doorbell
from htbot.desk.threads import DatabaseThread
from htbot.domain.errors import StopTrading
from htbot.marketdata.clock_state import step_number
from htbot.persistence.listener import TASKS
from htbot.persistence.repositories import TaskRunRepository
from htbot.services.schedule import ScheduleRow

HINT_EVERY_S = 1.0
NAME_AFTER_S = 30.0
FAIL_AFTER_S = 60.0
_log = logging.getLogger(__name__)


class Barrier:
    """Sends step hints and waits for the `task_runs` rows of the step, follow-ups included."""

    def __init__(
        self, live: LiveWriter, database: DatabaseThread, rows: Sequence[ScheduleRow], doorbell: Doorbell
    ) -> None:
        self._live = live
        self._database = database
        self._rows = rows
        self._doorbell = doorbell
        self._bell = doorbell.bell(TASKS)

    async def wait(self, as_of: datetime) -> None:
        """Return when the step is done; `StopTrading` names who is missing after a minute."""
        expected = [(row.task, row.key) for row in self._rows if row.due(as_of)]
        if not expected:
            return
        missing = set(expected)
        heard, started, hinted, attempt, named = self._bell.rings, time.monotonic(), 0.0, 0, False
        while True:
            now = time.monotonic()
            if now - hinted >= HINT_EVERY_S:
                await self._doorbell.ensure()
                await self._live.publish_step(Step(step_number(as_of), as_of, attempt))
                hinted, attempt = now, attempt + 1
            await self._rung(heard + len(missing))
            heard = self._bell.rings
            missing = await self._missing(expected, as_of)
            if not missing:
                return
            waited = time.monotonic() - started
            if waited > FAIL_AFTER_S:
                raise StopTrading(f"step {as_of.isoformat()} never ended: waiting for {_names(missing)}")
            if waited > NAME_AFTER_S and not named:
                named = True
                _log.warning("step %s is waiting for %s", as_of.isoformat(), _names(missing))

    async def _missing(self, expected: Sequence[tuple[str, str]], as_of: datetime) -> set[tuple[str, str]]:
        return await self._database.insist(lambda session: TaskRunRepository(session).missing(expected, as_of))

    async def _rung(self, times: int) -> None:
        """Every run that ends rings once: look when as many have rung as are missing, or when it is time for a hint."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HINT_EVERY_S):
                while self._bell.rings < times:
                    self._bell.clear()
                    await self._bell.wait()


def _names(missing: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{task}({key})" for task, key in sorted(missing))
