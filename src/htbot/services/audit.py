"""Whether the record is as it was written, and whether the books are what the fills give."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.orm import Session

from htbot.domain.errors import Retryable
from htbot.persistence import chains
from htbot.persistence.chains import CHAINED, JOURNALED, Problem
from htbot.persistence.engine import Database
from htbot.persistence.queries.books import stored_books
from htbot.persistence.records import Link, RecordedAct
from htbot.persistence.repositories import AuditRepository
from htbot.portfolio.rebuild import Difference, rebuild
from htbot.services.anchors import Anchor, AnchorFile

SECOND_LOOK_S = 2.0
"""A fill is booked a moment before its trade is: a difference counts when a second look finds it again."""


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What was checked and what is wrong: links per table, rows held against the journal, anchors, problems."""

    ok: bool
    links: dict[str, int]
    rows: dict[str, int]
    anchors: int
    heads: list[Link]
    problems: list[Problem]


@dataclass(frozen=True, slots=True)
class BooksReport:
    """How much was rebuilt from fills, and what is stored otherwise."""

    ok: bool
    fills: int
    positions: int
    trades: int
    days: int
    differences: list[Difference]


@dataclass(slots=True)
class _Counted:
    """Passes rows on and counts them."""

    counts: dict[str, int] = field(default_factory=dict)

    def chain(self, session: Session, table: str) -> list[Problem]:
        self.counts[table] = 0

        def rows() -> Iterator[chains.ChainRow]:
            for row in chains.chain_rows(session, table):
                self.counts[table] += 1
                yield row

        return list(chains.check_chain(table, rows()))


@dataclass(frozen=True, slots=True)
class AuditParts:
    """What the audit works with. `anchors` is the desk's file; `host_now` wall time; `pause` waits so many seconds."""

    database: Database
    anchors: AnchorFile
    host_now: Callable[[], datetime]
    pause: Callable[[float], None] = time.sleep


def note_heads(session: Session, anchors: AnchorFile, why: str, at: datetime) -> Anchor:
    """Write the last link of every chain down outside of the database; `at` is wall time.

    Raises:
        AnchorTrouble: the file cannot be written.
    """
    heads = chains.heads(session)
    anchors.append(heads, why, at)
    return Anchor(at, why, tuple(heads))


class Audit:
    """Reads the record against itself. Every method raises `Retryable` when PostgreSQL does not answer."""

    def __init__(self, parts: AuditParts) -> None:
        self._parts = parts
        self._whole = threading.Lock()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Work over the whole record, one at a time: many who ask must not keep PostgreSQL from the desk.

        Raises:
            Retryable: it is being done for somebody else.
        """
        if not self._whole.acquire(blocking=False):
            raise Retryable("the whole record is being read for somebody else, one at a time: ask again in a moment")
        try:
            yield
        finally:
            self._whole.release()

    def verify(self, anchors: AnchorFile | None = None) -> AuditReport:
        """Every link of both chains, every journaled row, every anchor of the file (the desk's, or the one given).

        Raises:
            AnchorTrouble: the file is not readable as anchors.
            Retryable: the whole record is being read for somebody else.
        """
        with self._alone():
            return self._verify(anchors)

    def _verify(self, anchors: AnchorFile | None) -> AuditReport:
        noted = (anchors or self._parts.anchors).read()
        counted = _Counted()
        rows: dict[str, int] = {}
        with self._parts.database.transaction() as session:
            chains.read_at_once(session)
            problems = [problem for table in CHAINED for problem in counted.chain(session, table)]
            for kind, journaled in JOURNALED.items():
                rows[journaled.table], found = chains.check_kind(session, kind)
                problems += found
            problems += self._check_anchors(session, noted)
            heads = chains.heads(session)
        return AuditReport(not problems, counted.counts, rows, len(noted), heads, problems)

    @staticmethod
    def _check_anchors(session: Session, noted: list[Anchor]) -> list[Problem]:
        links = {link: None for anchor in noted for link in anchor.heads}
        found = (chains.check_anchor(session, link) for link in links)
        return [problem for problem in found if problem is not None]

    def heads(self) -> list[Link]:
        """The last link of each lane of both chains."""
        with self._parts.database.transaction() as session:
            return chains.heads(session)

    def note_heads(self, why: str) -> Anchor:
        """Write the heads down outside of the database, and return them.

        Raises:
            AnchorTrouble: the file cannot be written.
        """
        with self._parts.database.transaction() as session:
            return note_heads(session, self._parts.anchors, why, self._parts.host_now())

    def acts(self, since: datetime | None, action: str | None, limit: int) -> list[RecordedAct]:
        """Acts from a market time on, oldest first, the newest `limit`."""
        with self._parts.database.transaction() as session:
            return AuditRepository(session).since(since, action, limit)

    def rebuild(self) -> BooksReport:
        """Positions, trades and results of days made again from fills and compared with what is stored.

        Raises:
            Retryable: the whole record is being read for somebody else.
        """
        with self._alone():
            return self._rebuild()

    def _rebuild(self) -> BooksReport:
        report = self._rebuild_once()
        if report.ok:
            return report
        self._parts.pause(SECOND_LOOK_S)
        again = self._rebuild_once()
        lasting = [one for one in again.differences if one in report.differences]
        return BooksReport(not lasting, again.fills, again.positions, again.trades, again.days, lasting)

    def _rebuild_once(self) -> BooksReport:
        with self._parts.database.transaction() as session:
            chains.read_at_once(session)
            books = stored_books(session)
        found = rebuild(books.fills, books.positions, books.trades, books.days)
        return BooksReport(not found, len(books.fills), len(books.positions), len(books.trades), len(books.days), found)
