"""Commands of people, one effect per idempotency key."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import or_, select, update
from sqlalchemy.dialects.postgresql import insert

from htbot.domain.errors import CallerMistake
from htbot.domain.orders import IntentState
from htbot.persistence.codecs import plain
from htbot.persistence.records import Command
from htbot.persistence.repositories.base import Repository
from htbot.persistence.rows.control import CommandRow
from htbot.persistence.rows.intents import IntentRow
from htbot.persistence.states import CommandState

# Asked at every instant, so it is built once.
_WORK_WAITS = select(
    or_(
        select(CommandRow.id).where(CommandRow.state.in_((CommandState.PENDING, CommandState.RUNNING))).exists(),
        select(IntentRow.ref).where(IntentRow.state == IntentState.PENDING).exists(),
    )
)


@dataclass(frozen=True, slots=True)
class CommandRequest:
    """What a person asks for; `id` is given when the desk has promised the command before the record has it."""

    idempotency_key: str
    kind: str
    requested_by: str
    created_at: datetime
    params: Mapping[str, Any] = field(default_factory=dict)
    id: UUID = field(default_factory=uuid4)


class CommandRepository(Repository):
    """Commands of people: the same idempotency key gives the same command and one effect."""

    def create(self, request: CommandRequest) -> tuple[Command, bool]:
        """The command of this key, and True when this call made it.

        Raises:
            CallerMistake: the key was used for another command before.
        """
        params = plain(request.params)
        values = {
            **asdict(request),
            "params": params,
            "state": CommandState.PENDING,
            "changed_at": request.created_at,
            "result": {},
        }
        created = self._count(insert(CommandRow).values(values).on_conflict_do_nothing()) == 1
        query = select(CommandRow).where(CommandRow.idempotency_key == request.idempotency_key)
        row = self._session.scalars(query, execution_options={"populate_existing": True}).one()
        if (row.kind, row.params) != (request.kind, params):
            raise CallerMistake(
                f"idempotency key {request.idempotency_key!r} was used for another {row.kind}: use a new key"
            )
        return _to_command(row), created

    def get(self, command_id: UUID) -> Command | None:
        """One command."""
        return self._first(select(CommandRow).where(CommandRow.id == command_id), _to_command)

    def of_key(self, idempotency_key: str) -> Command | None:
        """The command of a key."""
        return self._first(select(CommandRow).where(CommandRow.idempotency_key == idempotency_key), _to_command)

    def open(self, kind: str | None = None) -> list[Command]:
        """Commands that are not finished, oldest first; those of one market instant by their keys."""
        query = select(CommandRow).where(CommandRow.state.in_((CommandState.PENDING, CommandState.RUNNING)))
        if kind is not None:
            query = query.where(CommandRow.kind == kind)
        return self._all(query.order_by(CommandRow.created_at, CommandRow.idempotency_key), _to_command)

    def naming(self, kind: str, refs: Collection[str]) -> list[Command]:
        """Commands of a kind, ended ones too, that name one of these references, oldest first."""
        query = select(CommandRow).where(CommandRow.kind == kind, CommandRow.params["ref"].astext.in_(refs))
        return self._all(query.order_by(CommandRow.created_at, CommandRow.idempotency_key), _to_command)

    def work_waits(self) -> bool:
        """Whether there is something for the desk to do: an open command, or an intent that nobody has claimed."""
        return bool(self._session.scalar(_WORK_WAITS))

    def advance(
        self,
        command_id: UUID,
        from_state: CommandState,
        to_state: CommandState,
        at: datetime,
        result: Mapping[str, Any] | None = None,
    ) -> bool:
        """Move a command; False when it has left `from_state`."""
        values: dict[str, Any] = {"state": to_state, "changed_at": at}
        if result is not None:
            values["result"] = plain(result)
        statement = update(CommandRow).where(CommandRow.id == command_id, CommandRow.state == from_state)
        return self._count(statement.values(**values)) == 1


def _to_command(row: CommandRow) -> Command:
    return Command(
        id=row.id,
        idempotency_key=row.idempotency_key,
        kind=row.kind,
        params=row.params,
        requested_by=row.requested_by,
        created_at=row.created_at,
        state=row.state,
        changed_at=row.changed_at,
        result=row.result,
    )
