"""The programs of this instance, as its process manager sees them, and how a person starts one anew."""

from __future__ import annotations

import xmlrpc.client
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
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


@contextmanager
def _asking() -> Iterator[None]:
    """What the supervisor is asked within this.

    Raises:
        Retryable: it does not answer, or says that it did not do it: the program may have ended by itself meanwhile.
    """
    try:
        yield
    except OSError as error:
        raise Retryable(f"the supervisor does not answer: {error.strerror or error}") from error
    except xmlrpc.client.Error as error:
        raise Retryable(f"the supervisor did not do it: {getattr(error, 'faultString', error)}") from error


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
            Retryable: no supervisor does it here, or PostgreSQL does not answer; nothing of it is in the record then,
                so that the same key may be used again.
        """
        if name not in RESTARTED:
            raise NotFound(f"program {name}: {', '.join(RESTARTED)} are started anew so, the rest by ./restart.sh")
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
                session.flush()  # what the record refuses does not happen
                with _asking():
                    self.end(self.run, name)
                return before

            act = Act(RESTART, {"program": name, "force": force}, caller, self.market_now())
            return once(session, act, ProgramView, work)

    def states(self) -> list[ProgramView]:
        """Every program.

        Raises:
            Retryable: no supervisor answers here.
        """
        with _asking():
            found = self.ask(self.run)
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
