"""The kill switch as the desk sees it: the STOP file and the rows of `halts` (RULINGS 13).

Any one source is enough. Entries stop, closes and cancels go through, and nothing here ever clears what a person set:
removing the file is a person's act, and the row that told of the file follows it.
"""

from __future__ import annotations

import logging
from datetime import datetime
from pathlib import Path

from sqlalchemy.orm import Session

from htbot.desk.threads import DatabaseThread
from htbot.domain.errors import Retryable
from htbot.persistence.records import Halt
from htbot.persistence.repositories import HaltRepository, HaltRequest

FILE_SOURCE = "file"
_log = logging.getLogger(__name__)


class HaltWatch:
    """What halts entries now. The file is looked at before every send, the rows at least each second."""

    def __init__(self, stop_file: Path, database: DatabaseThread) -> None:
        self._stop_file = stop_file
        self._database = database
        self._rows: tuple[Halt, ...] = ()
        self._rows_known = False

    def entries_halted_by(self) -> str | None:
        """Why no entry may leave, or None. Not knowing the rows is a reason."""
        if self._file_present():
            return f"STOP file {self._stop_file}"
        if not self._rows_known:
            return "halts are not known: the database has not answered"
        rows = [halt for halt in self._rows if halt.source != FILE_SOURCE]
        return f"{rows[0].kind.value} by {rows[0].source}: {rows[0].reason}" if rows else None

    def _file_present(self) -> bool:
        try:
            self._stop_file.lstat()
        except FileNotFoundError:
            return False
        except OSError as error:
            _log.warning("STOP file %s cannot be looked at, halted: %s", self._stop_file, error)
        return True

    async def refresh(self, now: datetime) -> bool:
        """Read the rows and let the file's row follow the file; True when a halt has just ended."""
        present = self._file_present()
        before = self.entries_halted_by() if self._rows_known else None
        try:
            self._rows = await self._database.run(lambda session: self._follow_file(session, now, present=present))
            self._rows_known = True
        except Retryable as error:
            self._rows_known = False
            _log.warning("halts unknown: %s", error)
        return before is not None and self.entries_halted_by() is None

    def _follow_file(self, session: Session, now: datetime, *, present: bool) -> tuple[Halt, ...]:
        halts = HaltRepository(session)
        active = halts.active(now)
        told = any(halt.source == FILE_SOURCE for halt in active)
        if present and not told:
            halts.set(HaltRequest(FILE_SOURCE, f"{self._stop_file.name} file", set_by="file", set_at=now))
        elif told and not present:
            halts.clear("file removed", now, source=FILE_SOURCE)
        return tuple(halts.active(now)) if present != told else tuple(active)
