"""What was asked of the desk through the door, by whom, from where, and how it was answered: rows of the audit log.

The act itself is a row of its service's, in its transaction. This is the other half: it knows the address and the
outcome, of refusals too, and is written by the door's rounds, so that no answer waits for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from htbot.persistence.engine import Database
from htbot.persistence.records import AuditEntry
from htbot.persistence.repositories import AuditRepository

DONE, REFUSED = "door.done", "door.refused"


@dataclass(frozen=True, slots=True)
class Visit:
    """One call of what acts.

    Attributes:
        actor: whose token it was.
        client: address that it came from.
        act: method and path.
        key: idempotency key; None when there was none.
        status: of the answer, as in HTTP.
    """

    actor: str
    client: str
    act: str
    key: str | None
    status: int

    @property
    def action(self) -> str:
        """As the audit log names it."""
        return REFUSED if self.status >= 400 else DONE


class VisitBook:
    """Writes visits; `market_now` is the time of acts."""

    def __init__(self, database: Database, market_now: Callable[[], datetime]) -> None:
        self._database = database
        self._market_now = market_now

    def write(self, visits: Iterable[Visit]) -> None:
        """One row each; equal ones are one row with their number, so that a hammering client does not fill the log.

        Raises:
            Retryable: PostgreSQL does not answer; nothing was written.
        """
        at = self._market_now()
        with self._database.transaction() as session:
            audit = AuditRepository(session)
            for visit, times in Counter(visits).items():
                detail = {"client": visit.client, "key": visit.key, "status": visit.status, "times": times}
                audit.add(AuditEntry(at, visit.actor, visit.action, visit.act, detail))
