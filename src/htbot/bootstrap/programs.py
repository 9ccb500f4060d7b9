"""The programs of this instance, as its process manager sees them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from htbot.domain.errors import Retryable

if TYPE_CHECKING:
    from htbot.bootstrap.install.supervisor import ProgramState


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


@dataclass(frozen=True, slots=True)
class Programs:
    """Asks the supervisor of `run`; `host_now` is wall time."""

    run: Path
    host_now: Callable[[], datetime]
    ask: Callable[[Path], Sequence[ProgramState]] = supervised

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
