"""Reserved database connections, a thread each: orders never wait behind a batch of bars (ARCHITECTURE section 2)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from htbot.desk.trouble import Trouble
from htbot.domain.errors import Retryable
from htbot.persistence.engine import Database

T = TypeVar("T")
_log = logging.getLogger(__name__)


class DatabaseThread:
    """Runs transactions one after the other, off the event loop."""

    def __init__(self, name: str, database: Database) -> None:
        self._database = database
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"desk-{name}")
        self._stuck: list[Trouble] = []

    @property
    def trouble(self) -> Trouble | None:
        """Why something that must be written is not; the one that waits longest. A read that works ends nothing."""
        return next(iter(self._stuck), None)

    async def run(self, work: Callable[[Session], T]) -> T:
        """Commit `work` as one transaction; `Retryable` when the database is away."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, self._transact, work)

    async def run_within(self, work: Callable[[Session], T], seconds: float | None) -> T:
        """Like `run`, for what may be asked again.

        Raises:
            Retryable: the database is away, or hangs for longer than this; the work may be done later all the same.
        """
        answer = asyncio.ensure_future(self.run(work))
        done, _late = await asyncio.wait([answer], timeout=seconds)
        if not done:
            answer.add_done_callback(_heard)
            raise Retryable(f"PostgreSQL has not answered within {seconds:g} s")
        return answer.result()

    async def insist(self, work: Callable[[Session], T], *, pause_s: float = 0.5) -> T:
        """Like `run`, again and again until the database is back: for what must not be lost.

        `work` must be harmless when an earlier try was committed without our hearing of it.
        """
        stuck = Trouble()
        try:
            while True:
                try:
                    return await self.run(work)
                except Retryable as error:
                    _log.warning("trying again: %s", error)
                    if stuck.text is None:
                        self._stuck.append(stuck)
                    stuck.refused(str(error))
                    await asyncio.sleep(pause_s)
        finally:
            if stuck in self._stuck:
                self._stuck.remove(stuck)

    def _transact(self, work: Callable[[Session], T]) -> T:
        with self._database.transaction() as session:
            return work(session)

    def close(self) -> None:
        """End the thread after what is running."""
        self._executor.shutdown(wait=True)
        self._database.close()


def _heard(answer: asyncio.Future[Any]) -> None:
    """An answer that came too late for whoever asked: asked again since."""
    if not answer.cancelled() and answer.exception() is not None:
        _log.warning("PostgreSQL answered late: %s", answer.exception())
