"""A record and a journal for a machine that is driven step by step: faults between the steps, never by the host."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sqlalchemy.orm import Session as Transaction
from tests.support.desk import MortalThread

from htbot.desk.journal import Journal
from htbot.domain.errors import Retryable

T = TypeVar("T")


class FalteringThread(MortalThread):
    """PostgreSQL that also fails for moments: before a transaction, or after its commit and before the answer."""

    failing = 0
    mute = 0

    async def run(self, work: Callable[[Transaction], T]) -> T:
        if self.failing > 0:
            self.failing -= 1
            raise Retryable("PostgreSQL did not answer: the connection was reset")
        result = await super().run(work)
        if self.mute > 0:
            self.mute -= 1
            raise Retryable("PostgreSQL did not answer: the connection was reset after the commit")
        return result


class EvenJournal(Journal):
    """A journal on a disk that is always quick: else the host would decide what comes first, and no example repeats."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._quick = True

    def _append(self, line: bytes, *, force: bool) -> None:
        super()._append(line, force=force)
        self._quick = True

    def catch_up(self) -> None:
        """Everything that was given to the journal's thread is in the file: what a next desk finds does not depend."""
        self._executor.submit(int).result()
