"""The programs of this instance, as its process manager sees them, and how a person starts one anew."""

from __future__ import annotations

import xmlrpc.client
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from htbot.domain.errors import NotFound, Retryable
from htbot.persistence.engine import Database
from htbot.persistence.records import AuditEntry
from htbot.persistence.repositories import AuditRepository, TradeRepository
from htbot.services.callers import Caller, Conflict
from htbot.services.once import Act, once

if TYPE_CHECKING:
    from htbot.bootstrap.install.supervisor import ProgramState


RESTART = "program.restart"
RESTARTED = ("desk", "worker", "beat", "api")
"""Servers, the alarm and the paper gateway have what others need: they are started anew with all the rest."""


@dataclass(frozen=True, slots=True)
class ProgramView:
    """A program, its state in supervisor's words, and for how many seconds it has been running (None: it is not)."""

    name: str
    state: str
    pid: int | None
    running_s: float | None


def supervised(run: Path) -> Sequence[ProgramState]:
    """What the supervisor says whose socket lies in `run`.

    Raises:
        OSError: none does.
    """
    from htbot.bootstrap.install.supervisor import Supervisor, socket_path

    return Supervisor(socket_path(run)).states()


def ended(run: Path, program: str) -> None:
    """Have a program end, by the supervisor whose socket lies in `run`, which starts it again.

    Raises:
        OSError: none does.
    """
    from htbot.bootstrap.install.supervisor import Supervisor, socket_path

    Supervisor(socket_path(run)).end(program)


_ANOTHER = "ask again under another key"


@dataclass(frozen=True, slots=True)
class Programs:
    """Asks the supervisor of `run`; `host_now` is wall time, `market_now` that of acts."""

    run: Path
    database: Database
    host_now: Callable[[], datetime]
    market_now: Callable[[], datetime]
    ask: Callable[[Path], Sequence[ProgramState]] = supervised
    end: Callable[[Path, str], None] = ended

    def restart(self, name: str, caller: Caller, *, force: bool = False) -> ProgramView:
        """Have a program end in its orderly way and be started again; the answer is what it was before.

        Raises:
            NotFound: it is none of those that may be.
            Conflict: it does not run, a trade is open that the desk guards, or the key was used for another act.
            Retryable: no supervisor answers here, or PostgreSQL does not.
        """
        if name not in RESTARTED:
            raise NotFound(f"program {name}: {', '.join(RESTARTED)} are started anew so, the rest by ./restart.sh")
        due: list[str] = []
        with self.database.transaction() as session:

            def work() -> ProgramView:
                before = next((one for one in self.states() if one.name == name), None)
                if before is None or before.state != "RUNNING":
                    raise Conflict(f"{name} does not run: its supervisor starts it, see GET /api/v1/services")
                held = TradeRepository(session).live() if name == "desk" and not force else []
                if held:
                    ids = ", ".join(trade.id for trade in held)
                    raise Conflict(f"open: {ids}: nobody guards them while the desk starts; force it, or close them")
                detail = {"pid": before.pid} | ({"force": True} if force else {})
                AuditRepository(session).add(AuditEntry(self.market_now(), caller.actor, RESTART, name, detail))
                due.append(name)
                return before

            act = Act(RESTART, {"program": name, "force": force}, caller, self.market_now())
            told = once(session, act, ProgramView, work)
        for program in due:  # only what is in the audit log happens
            self._ended(program)
        return told

    def _ended(self, program: str) -> None:
        try:
            self.end(self.run, program)
        except OSError as error:
            raise Retryable(f"the supervisor does not answer: {error.strerror or error}; {_ANOTHER}") from error
        except xmlrpc.client.Error as error:  # it has ended by itself since it was looked at
            raise Retryable(f"the supervisor did not end {program}: {error}; {_ANOTHER}") from error

    def states(self) -> list[ProgramView]:
        """Every program.

        Raises:
            Retryable: no supervisor answers here.
        """
        try:
            found = self.ask(self.run)
        except OSError as error:
            raise Retryable(f"the supervisor does not answer: {error.strerror or error}") from error
        now = self.host_now()
        return [
            ProgramView(
                name=one.name,
                state=one.state,
                pid=one.pid or None,
                running_s=(now - datetime.fromtimestamp(one.started_at, UTC)).total_seconds() if one.pid else None,
            )
            for one in found
        ]
