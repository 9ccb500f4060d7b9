"""A person takes the desk off the broker, and lets it back: it stays away in between, also over a restart.

Orders at the broker go on. With something held or working nobody would guard it, so that this must be asked for by
name (`force`). It is no fault: nobody is paged, and readiness does not change (RULINGS 37).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.orm import Session as Transaction

from htbot.desk.threads import DatabaseThread
from htbot.domain.errors import Retryable
from htbot.persistence.records import Command
from htbot.persistence.repositories import CommandRepository, DeskStateRepository, TradeRepository
from htbot.persistence.repositories.desk_state import HELD_BY, LAST_INSTANT
from htbot.persistence.states import CommandState
from htbot.services.command_kinds import CONNECT, DISCONNECT, SESSION_KINDS

PATIENCE_S = 1.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HoldParts:
    """`exposed` names what would be unguarded; `leave` ends the session and tells why.

    `patience_s` is how long a session that is to begin waits for what the record says of it, host seconds; None waits
    for its answer, as a stepped world must.
    """

    database: DatabaseThread
    exposed: Callable[[], list[str]]
    leave: Callable[[str], None]
    patience_s: float | None = None


class Hold:
    """Whether a person keeps the desk away from the broker; `by` is who, None for nobody."""

    def __init__(self, parts: HoldParts) -> None:
        self._parts = parts
        self.by: str | None = None
        self.unguarded = False
        """Whether trades are open that nobody guards while the desk is away."""

    async def keeps_away(self, now: datetime) -> bool:
        """Before a session begins: what people have asked for meanwhile, and what stands in the record.

        While PostgreSQL does not answer, what was known before counts.
        """
        try:
            async with asyncio.timeout(self._parts.patience_s):
                commands, (self.by, self.unguarded) = await self._parts.database.run(
                    lambda db: (CommandRepository(db).open(), _standing(db))
                )
            await self.obey([one for one in commands if one.kind in SESSION_KINDS], now, at_broker=False)
        except (Retryable, TimeoutError) as error:
            _log.warning("nobody knows whether a person holds the desk: %s", str(error) or type(error).__name__)
        return self.by is not None

    async def last_market_time(self) -> datetime:
        """The market time that the record knows last, the host's without one: a desk that starts held is told none."""
        text = await self._parts.database.run(lambda db: DeskStateRepository(db).get(LAST_INSTANT))
        return datetime.now(UTC) if text is None else datetime.fromisoformat(text)

    async def obey(self, commands: Iterable[Command], now: datetime, *, at_broker: bool) -> None:
        """Do what these commands ask for, in their order; a session that is to end is ended behind the last of them."""
        for command in commands:
            if command.kind == CONNECT:
                await self._let_back(command, now, at_broker=at_broker)
            elif command.kind == DISCONNECT:
                await self._take_off(command, now)
        if at_broker and self.by is not None:
            _log.info("disconnected by %s", self.by)
            self._parts.leave(f"disconnected by {self.by}")

    async def _let_back(self, command: Command, now: datetime, *, at_broker: bool) -> None:
        """Nobody holds it any more; done once the session stands."""
        stands = at_broker and self.by is None
        after = CommandState.DONE if stands else CommandState.RUNNING
        result = {"connection": "connected"} if stands else {}

        def write(db: Transaction) -> None:
            DeskStateRepository(db).set(HELD_BY, "")
            CommandRepository(db).advance(command.id, command.state, after, now, result)

        if stands or command.state is CommandState.PENDING or self.by is not None:
            await self._parts.database.run(write)
        self.by = None

    async def _take_off(self, command: Command, now: datetime) -> None:
        exposed = [] if command.params.get("force") else self._parts.exposed()
        if exposed:
            why = f"nobody would guard {', '.join(exposed)}: ask with force, or close first"
            state, result = CommandState.FAILED, {"connection": "connected", "why": why}
        else:
            state, result = CommandState.DONE, {"connection": "disconnected"}

        def write(db: Transaction) -> None:
            if state is CommandState.DONE:
                DeskStateRepository(db).set(HELD_BY, command.requested_by)
            CommandRepository(db).advance(command.id, command.state, state, now, result)

        await self._parts.database.run(write)
        if state is CommandState.DONE:
            self.by = command.requested_by


def _standing(db: Transaction) -> tuple[str | None, bool]:
    """Who keeps the desk away, and whether a trade is open."""
    return DeskStateRepository(db).get(HELD_BY) or None, bool(TradeRepository(db).live())
