"""The desk's writes, in their order, behind what it does: nothing that the broker tells waits for PostgreSQL.

The desk works from memory; the record follows. What waits is written in one transaction, so a burst of news costs one
commit. A write is repeated until PostgreSQL has taken it, and must be harmless when an earlier try was committed
without our hearing of it. What is lost with the process is asked of the broker again at the next start.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from htbot.desk.threads import DatabaseThread
from htbot.domain.errors import HtbotError, Retryable, StopTrading
from htbot.persistence.repositories.desk_state import Superseded
from htbot.telemetry.failpoints import reach

T = TypeVar("T")
ItemT = TypeVar("ItemT")
MOST_AT_ONCE = 256
_log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class _Entry:
    """`write` gets the items of all the entries that are written together with this one."""

    write: Callable[[Session, Sequence[Any]], Sequence[Any]]
    item: Any
    then: Callable[[Any], None] | None
    done: asyncio.Future[Any]
    key: object | None
    alone: bool = False
    late: bool = False


class Ledger:
    """What is still to be written. `broken` is told of a work that found an invariant broken."""

    def __init__(self, database: DatabaseThread, broken: Callable[[StopTrading], None]) -> None:
        self._database = database
        self.broken = broken
        self._waiting: deque[_Entry] = deque()
        self._newest: dict[object, _Entry] = {}
        self._writing = asyncio.Lock()
        self._posted = asyncio.Event()
        self._catching_up: asyncio.Future[None] | None = None
        self._written = 0

    @property
    def behind(self) -> int:
        """How many writes the record does not have yet."""
        return len(self._waiting)

    def post(
        self,
        work: Callable[[Session], T],
        then: Callable[[T], None] | None = None,
        *,
        key: object | None = None,
    ) -> asyncio.Future[T]:
        """Write this after everything posted before.

        Args:
            work: what to do in the transaction; it must not look at anything that the event loop changes.
            then: called in the event loop once it is committed.
            key: takes the place of a waiting work of the same key, which is dropped.

        Returns:
            What `work` returns, once it is committed. Never resolved for a work that was dropped.
        """
        return self._post(_Entry(_do, work, then, _future(), key, alone=True))

    def post_together(
        self,
        write: Callable[[Session, Sequence[ItemT]], Sequence[T]],
        item: ItemT,
        then: Callable[[T], None] | None = None,
        *,
        key: object | None = None,
        late: bool = False,
    ) -> asyncio.Future[T]:
        """Like `post`, for something of which many come at once: what waits is written by one call.

        Args:
            write: what to do in the transaction with all the items that are there; it returns a result for each.
            item: this one. It may be written before what was posted by `post_together` under another `write`, never
                before or after what was posted by `post` on its other side.
            then: called in the event loop with this item's result once it is committed.
            key: as for `post`.
            late: after those that are not late.
        """
        return self._post(_Entry(write, item, then, _future(), key, late=late))

    def _post(self, entry: _Entry) -> asyncio.Future[Any]:
        if entry.key is not None:
            older = self._newest.get(entry.key)
            if older is not None and older in self._waiting:
                self._waiting.remove(older)
            self._newest[entry.key] = entry
        self._waiting.append(entry)
        self._posted.set()
        return entry.done

    async def write(self, work: Callable[[Session], T]) -> T:
        """Write this after everything posted before, and wait until it is committed."""
        done = self.post(work)
        while not done.done():
            await self._write_some()
        return done.result()

    async def settle(self) -> None:
        """Return when everything that was posted is committed, however long PostgreSQL is away."""
        while self._waiting:
            await self._write_some()

    async def catch_up(self, within_s: float | None) -> None:
        """Like `settle`, but it waits no longer than this for the next write; None: however long.

        Raises:
            Retryable: PostgreSQL has taken nothing in that time; it is written all the same.
        """
        if self._catching_up is None or self._catching_up.done():
            self._catching_up = asyncio.ensure_future(self.settle())
        while not self._catching_up.done():
            before = self._written
            await asyncio.wait([self._catching_up], timeout=within_s)
            if not self._catching_up.done() and self._written == before:
                raise Retryable(f"PostgreSQL is {self.behind} writes behind the desk")
        self._catching_up.result()

    async def _write_some(self) -> None:
        async with self._writing:
            await self._write([self._waiting[n] for n in range(min(MOST_AT_ONCE, len(self._waiting)))])

    async def run(self) -> None:
        """Write whenever something is posted; ends with the error that the desk cannot go on with."""
        while True:
            await self._posted.wait()
            self._posted.clear()
            await self.settle()

    async def _write(self, batch: list[_Entry]) -> None:
        if not batch:
            return
        for entry in batch:
            self._newest.pop(entry.key, None)
        try:
            reach("before_commit")
            results = await self._database.insist(lambda session: _write_all(session, batch))
            reach("after_commit")
        except (HtbotError, SQLAlchemyError) as error:
            if len(batch) == 1:
                self._refused(batch[0], error if isinstance(error, HtbotError) else _told(error))
                return
            for entry in batch:  # one of them is the culprit, the others count
                await self._write([entry])
            return
        self._written += len(batch)
        for entry, result in zip(batch, results, strict=True):
            self._waiting.remove(entry)
            entry.done.set_result(result)
            if entry.then is not None:
                entry.then(result)

    def _refused(self, entry: _Entry, error: HtbotError) -> None:
        self._waiting.remove(entry)
        entry.done.set_exception(error)
        entry.done.exception()  # heard: whoever waits for it is told all the same
        if isinstance(error, Superseded):
            raise error
        if isinstance(error, StopTrading):
            self.broken(error)
        else:
            _log.warning("the record refused a write: %s", error)


def _future() -> asyncio.Future[Any]:
    return asyncio.get_running_loop().create_future()


def _do(session: Session, works: Sequence[Callable[[Session], Any]]) -> list[Any]:
    return [work(session) for work in works]


def _write_all(session: Session, batch: Sequence[_Entry]) -> list[Any]:
    """Everything of a batch; what may be written together is gathered up to the next entry that stands alone."""
    results: dict[_Entry, Any] = {}
    gathered: list[_Entry] = []
    for entry in batch:
        if not entry.alone:
            gathered.append(entry)
            continue
        _write_together(session, gathered, results)
        _write_together(session, [entry], results)
        gathered = []
    _write_together(session, gathered, results)
    return [results[entry] for entry in batch]


def _write_together(session: Session, entries: Sequence[_Entry], results: dict[_Entry, Any]) -> None:
    kinds: dict[Callable[[Session, Sequence[Any]], Sequence[Any]], list[_Entry]] = {}
    for entry in sorted(entries, key=lambda each: each.late):
        kinds.setdefault(entry.write, []).append(entry)
    for write, alike in kinds.items():
        results |= zip(alike, write(session, [entry.item for entry in alike]), strict=True)


def _told(error: SQLAlchemyError) -> StopTrading:
    """What the record does not take breaks an invariant: trading halts, and the desk lives on."""
    reason = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
    return StopTrading(f"the record refuses what the desk has to write: {reason}")
