"""The programs of this instance, as its process manager sees them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from htbot.domain.errors import Retryable


@dataclass(frozen=True, slots=True)
class ProgramView:
    """A program, its state in supervisor's words, and for how many seconds it has been running (None: it is not)."""

    name: str
    state: str
    pid: int | None
    running_s: float | None


@dataclass(frozen=True, slots=True)
class Programs:
    """Asks the supervisor whose socket lies in `run`; `host_now` is wall time."""

    run: Path
    host_now: Callable[[], datetime]

    def states(self) -> list[ProgramView]:
        """Every program.

        Raises:
            Retryable: no supervisor answers here.
        """
        from htbot.bootstrap.install.supervisor import Supervisor, socket_path

        try:
            found = Supervisor(socket_path(self.run)).states()
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
