"""The kill switch as the desk sees it: file, rows of `halts`, Redis flag, signal, its own journal (RULINGS 13).

Any one source is enough, and each works with everything else dead. What was seen once stays in force in memory until
the record, read after that, says that a person has lifted it. Entries stop, closes and cancels go through.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from redis import RedisError
from sqlalchemy.orm import Session

from htbot.alerts.wording import error_alert
from htbot.desk.threads import DatabaseThread
from htbot.domain.errors import Retryable
from htbot.persistence.records import Halt
from htbot.persistence.repositories import AlertRepository, HaltRepository, HaltRequest
from htbot.persistence.states import HaltKind
from htbot.services.command_kinds import REDIS_SOURCE
from htbot.services.halt_journal import HaltJournal
from htbot.services.halt_record import HeldHalt, keep_halt
from htbot.services.kill_switch import FILE_SOURCE, KillSwitch
from htbot.services.versions import Version, version_trouble

HALT_SOURCE, SIGNAL_SOURCE = "desk", "signal"
NOT_KNOWN = "halts are not known: the database has not answered"
NOT_ASKED = "halts are not known: nobody has looked for them lately"
# Host seconds: what one look may hold its caller up, how long an old answer counts while a new one is awaited, and how
# far looks are apart.
PATIENCE_S, BELIEVED_S, LOOK_EVERY_S = 0.25, 1.0, 1.0
_LONGEST_REASON = 500
_log = logging.getLogger(__name__)


class HaltFlag(Protocol):
    """Where others ring for a halt (`htbot.adapters.live.LiveWriter`)."""

    async def halt_flag(self) -> str | None:
        """The reason, None while nobody rings. Raises `redis.RedisError` while Redis is away."""
        ...


@dataclass(frozen=True, slots=True)
class HaltParts:
    """What a watch has besides file and record. `version` is this desk's: on a record of another schema it halts.

    `patience_s` None waits for every answer, `PATIENCE_S` is for a market that does not wait: stepped market time must
    not depend on how fast a disk is.
    """

    journal: HaltJournal | None = None
    version: Version | None = None
    flag: HaltFlag | None = None
    patience_s: float | None = None
    monotonic: Callable[[], float] = time.monotonic


class HaltWatch:
    """What halts entries now. The file is looked at before every send, the rest at each `refresh`, once a second."""

    def __init__(self, stop_file: Path, database: DatabaseThread, parts: HaltParts | None = None) -> None:
        self._switch = KillSwitch(stop_file)
        self._database = database
        self._parts = parts or HaltParts()
        self._rows: tuple[Halt, ...] = ()
        self._rows_known = False
        self._held: list[HeldHalt] = [] if self._parts.journal is None else self._parts.journal.read()
        self._outdated: str | None = None
        self._sightings = 0
        self._file_latched = False
        self._reading: asyncio.Task[None] | None = None
        self._reading_since_s = 0.0
        self._listening: asyncio.Task[None] | None = None

    # --- the gate before the wire ----------------------------------------------------------------------------------

    def entries_halted_by(self, account: str | None = None) -> str | None:
        """Why no entry of an account may leave, or None; without one, of any account. Not knowing the rows is a reason.

        A halt without an account halts all of them.
        """
        if self._file_present() or self._file_latched:
            return f"STOP file {self._switch.path}"
        held = [one for one in self._held if _concerns(one.request.account, account)]
        if held:
            return held[0].words
        rows = [halt for halt in self._rows if halt.source != FILE_SOURCE and _concerns(halt.account, account)]
        if rows:
            return f"{rows[0].kind.value} by {rows[0].source}: {rows[0].reason}"
        if not self._rows_known or self._overdue():
            return NOT_KNOWN
        return NOT_ASKED if self._forgotten() else self._outdated

    def _file_present(self) -> bool:
        present = self._switch.present()
        if present:
            self._sightings += 1
            self._file_latched = True
        return present

    def _overdue(self) -> bool:
        """True while the record has owed an answer for so long that the one before counts no more."""
        return self._awaited and self._parts.monotonic() - self._reading_since_s > BELIEVED_S

    def _forgotten(self) -> bool:
        """True when whoever looks each second has not: a row that came since would not be known.

        Looks of a stepped market are as far apart as its instants.
        """
        lately_s = BELIEVED_S + LOOK_EVERY_S
        return self._parts.patience_s is not None and self._parts.monotonic() - self._reading_since_s > lately_s

    @property
    def _awaited(self) -> bool:
        """True while the record owes an answer."""
        return self._reading is not None and not self._reading.done()

    @property
    def known(self) -> bool:
        """True when the rows have been read and no answer is owed."""
        return self._rows_known and not self._awaited

    def trips(self, account: str) -> tuple[Halt, ...]:
        """Trips of the breaker that are in force for an account by the record, as last read."""
        return tuple(one for one in self._rows if one.kind is HaltKind.BREAKER and _concerns(one.account, account))

    # --- what somebody says ----------------------------------------------------------------------------------------

    def hold(self, held: HeldHalt) -> bool:
        """Halt from here on, in memory and in the journal; the next `refresh` writes the record.

        False when this source is in force already. Never raises: a disk that is full does not let an entry through.
        """
        request = held.request
        # A person may have lifted what the rows of a second ago still show: who asks by signal asks anew.
        rows = () if request.source == SIGNAL_SOURCE else self._rows
        in_force = [(halt.kind, halt.source, halt.account) for halt in rows]
        in_force += [(other.request.kind, other.request.source, other.request.account) for other in self._held]
        if (request.kind, request.source, request.account) in in_force:
            return False
        self._held.append(held)
        _log.critical("%s", held.words)
        if self._parts.journal is not None:
            try:
                self._parts.journal.append(held)
            except OSError as error:
                _log.critical("the halt is in memory only, %s: %s", self._parts.journal.path, error)
        return True

    def halt(self, source: str, reason: str, by: str, at: datetime) -> bool:
        """Halt in the name of a source; False when it is in force already."""
        return self.hold(HeldHalt(HaltRequest(source, reason, set_by=by, set_at=at)))

    def listen_for_signal(self, loop: asyncio.AbstractEventLoop, now: Callable[[], datetime]) -> None:
        """SIGUSR1 halts. `now` tells the time of it, market time where that is known."""
        loop.add_signal_handler(signal.SIGUSR1, lambda: self.halt(SIGNAL_SOURCE, "SIGUSR1", by=SIGNAL_SOURCE, at=now()))

    # --- looking ---------------------------------------------------------------------------------------------------

    async def refresh(self, now: datetime) -> bool:
        """Look at every source; True when a halt has just ended.

        Takes no longer than `patience_s`, whatever hangs: an answer that is late is taken when it comes, and a second
        one is not asked for meanwhile.
        """
        before = self.entries_halted_by()
        known_before = self._rows_known
        if self._parts.flag is not None and (self._listening is None or self._listening.done()):
            self._listening = asyncio.ensure_future(self._listen(self._parts.flag, now))
        if self._listening is not None:
            await self._await([self._listening])
        if self._reading is None or not self._awaited:
            self._reading_since_s = self._parts.monotonic()
            self._reading = asyncio.ensure_future(self._read(now))
        await self._await([self._reading])
        return known_before and before not in {None, NOT_ASKED} and self.entries_halted_by() is None

    async def _await(self, tasks: list[asyncio.Task[None]]) -> None:
        patience_s = self._parts.patience_s
        done, _late = await asyncio.wait(tasks, timeout=None if patience_s is None else patience_s / 2)
        for task in done:
            task.result()

    async def _listen(self, flag: HaltFlag, now: datetime) -> None:
        """Redis is a doorbell: what is heard is kept, and hearing nothing lifts nothing."""
        try:
            reason = await flag.halt_flag()
        except (RedisError, OSError) as error:
            _log.debug("nobody can ring for a halt: %s", error)
            return
        if reason is not None:
            self.halt(REDIS_SOURCE, _one_line(reason), by=REDIS_SOURCE, at=now)

    async def _read(self, now: datetime) -> None:
        """Write what is held, let the file's row follow the file, read what is in force."""
        sightings, present = self._sightings, self._file_present()
        seen, held = self._file_latched, tuple(self._held)
        try:
            rows, outdated = await self._database.run(
                lambda session: (
                    self._follow(session, now, held=held, present=present, seen=seen),
                    self._compare(session),
                )
            )
        except Retryable as error:
            self._rows_known = False
            _log.warning("halts unknown: %s", error)
            return
        self._rows, self._outdated = rows, outdated
        self._rows_known = True
        if not present and self._sightings == sightings:
            self._file_latched = False
        self._forget(held)

    def _follow(
        self, session: Session, now: datetime, *, held: tuple[HeldHalt, ...], present: bool, seen: bool
    ) -> tuple[Halt, ...]:
        halts = HaltRepository(session)
        for each in held:
            keep_halt(session, each)
        active = halts.active(now)
        told = any(halt.source == FILE_SOURCE for halt in active)
        if seen and not told:
            halts.set(HaltRequest(FILE_SOURCE, f"{self._switch.path.name} file", set_by="file", set_at=now))
        if (told or seen) and not present:
            halts.clear("file removed", now, source=FILE_SOURCE)
        return tuple(halts.active(now)) if held or present != told else tuple(active)

    def _compare(self, session: Session) -> str | None:
        """Somebody may migrate the record under a desk that runs (FAULTS 43)."""
        version = self._parts.version
        return None if version is None else version_trouble(session, version, as_desk=True)

    def _forget(self, written: tuple[HeldHalt, ...]) -> None:
        """What is in the record now counts through its row."""
        if not written:
            return
        self._held = [held for held in self._held if held not in written]
        if self._parts.journal is None:
            return
        try:
            self._parts.journal.replace(self._held)
        except OSError as error:
            _log.warning("%s keeps halts that are in the record: %s", self._parts.journal.path, error)


def _concerns(scope: str | None, account: str | None) -> bool:
    """Whether a halt of a scope halts an account; None is all of them, and any of them."""
    return account is None or scope is None or scope == account


def _one_line(reason: str) -> str:
    """What stood in Redis, fit for a row and a log line."""
    readable = "".join(letter if letter.isprintable() else " " for letter in reason)
    return " ".join(readable.split())[:_LONGEST_REASON] or "no reason given"


def halt_trading(session: Session, reason: str, now: datetime) -> None:
    """Halt entries and tell a person, once per reason: the broker repeats itself, and a halt once lifted stays so."""
    halts = HaltRepository(session)
    if not any(halt.source == HALT_SOURCE and halt.reason == reason for halt in halts.recent()):
        halts.set(HaltRequest(HALT_SOURCE, reason, set_by=HALT_SOURCE, set_at=now))
        AlertRepository(session).add(error_alert(HALT_SOURCE, reason, now))
