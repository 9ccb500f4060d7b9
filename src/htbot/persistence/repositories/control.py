"""Who may trade and who did what: halts, commands, audit log, accounts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from htbot.domain.errors import CallerMistake
from htbot.persistence.codecs import plain
from htbot.persistence.records import Account, AuditEntry, Command, Halt
from htbot.persistence.repositories.base import Repository
from htbot.persistence.rows.control import AccountRow, AuditRow, CommandRow, HaltRow
from htbot.persistence.states import CommandState, HaltKind


@dataclass(frozen=True, slots=True)
class HaltRequest:
    """A halt or a trip to be set: from which source, why, by whom, at which market time."""

    source: str
    reason: str
    set_by: str
    set_at: datetime
    kind: HaltKind = HaltKind.HALT
    ends_at: datetime | None = None


class HaltRepository(Repository):
    """Reasons not to originate orders (RULINGS 13)."""

    def set(self, request: HaltRequest) -> bool:
        """Put a halt in force; False when this source has one in force already.

        A trip that ended by itself before `set_at` is closed first, so that the next one is a row of its own.
        """
        over = (HaltRow.kind == request.kind, HaltRow.source == request.source, HaltRow.cleared_at.is_(None))
        ended = update(HaltRow).where(*over, HaltRow.ends_at <= request.set_at)
        self._count(ended.values(cleared_at=HaltRow.ends_at, cleared_by="end of session"))
        return self._count(insert(HaltRow).values(asdict(request)).on_conflict_do_nothing()) == 1

    def active(self, as_of: datetime) -> list[Halt]:
        """Halts in force, oldest first. One that nobody cleared is in force whatever the market time is."""
        in_force = or_(HaltRow.ends_at.is_(None), HaltRow.ends_at > as_of)
        query = select(HaltRow).where(HaltRow.cleared_at.is_(None), in_force)
        return self._all(query.order_by(HaltRow.set_at, HaltRow.id), _to_halt)

    def clear(self, cleared_by: str, at: datetime, *, kind: HaltKind | None = None, source: str | None = None) -> int:
        """Clear halts, all of them or those of one kind or source, and return how many were in force."""
        statement = update(HaltRow).where(HaltRow.cleared_at.is_(None))
        if kind is not None:
            statement = statement.where(HaltRow.kind == kind)
        if source is not None:
            statement = statement.where(HaltRow.source == source)
        return self._count(statement.values(cleared_by=cleared_by, cleared_at=at))

    def recent(self, limit: int = 100) -> list[Halt]:
        """The last halts, newest first."""
        return self._all(select(HaltRow).order_by(HaltRow.id.desc()).limit(limit), _to_halt)


@dataclass(frozen=True, slots=True)
class CommandRequest:
    """What a person asks for."""

    idempotency_key: str
    kind: str
    requested_by: str
    created_at: datetime
    params: Mapping[str, Any] = field(default_factory=dict)


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
            "id": uuid4(),
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

    def open(self, kind: str | None = None) -> list[Command]:
        """Commands that are not finished, oldest first."""
        query = select(CommandRow).where(CommandRow.state.in_((CommandState.PENDING, CommandState.RUNNING)))
        if kind is not None:
            query = query.where(CommandRow.kind == kind)
        return self._all(query.order_by(CommandRow.created_at, CommandRow.id), _to_command)

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


class AuditRepository(Repository):
    """Who did what. Append-only: the database itself refuses changes."""

    def add(self, entry: AuditEntry) -> None:
        """Append an act."""
        self._count(insert(AuditRow).values(**{**asdict(entry), "detail": plain(entry.detail)}))

    def recent(self, limit: int = 100, action: str | None = None) -> list[AuditEntry]:
        """The last acts, newest first."""
        query = select(AuditRow).order_by(AuditRow.id.desc()).limit(limit)
        return self._all(query if action is None else query.where(AuditRow.action == action), _to_entry)


class AccountRepository(Repository):
    """Broker accounts and the worlds they live in."""

    def upsert(self, account: Account) -> None:
        """Store an account; figures that are None stay as they were."""
        values = asdict(account)
        statement = insert(AccountRow).values(values)
        changed = {
            name: func.coalesce(statement.excluded[name], getattr(AccountRow, name))
            for name in values
            if name != "account"
        }
        self._count(statement.on_conflict_do_update(index_elements=["account"], set_=changed))

    def get(self, account: str) -> Account | None:
        """One account."""
        return self._first(select(AccountRow).where(AccountRow.account == account), _to_account)

    def all(self, world_id: str | None = None) -> list[Account]:
        """Accounts, of one world when given."""
        query = select(AccountRow).order_by(AccountRow.account)
        return self._all(query if world_id is None else query.where(AccountRow.world_id == world_id), _to_account)


def _to_halt(row: HaltRow) -> Halt:
    return Halt(
        id=row.id,
        kind=row.kind,
        source=row.source,
        reason=row.reason,
        set_by=row.set_by,
        set_at=row.set_at,
        ends_at=row.ends_at,
        cleared_by=row.cleared_by,
        cleared_at=row.cleared_at,
    )


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


def _to_entry(row: AuditRow) -> AuditEntry:
    return AuditEntry(row.at, row.actor, row.action, row.subject, row.detail)


def _to_account(row: AccountRow) -> Account:
    return Account(
        account=row.account,
        name=row.name,
        world_id=row.world_id,
        mode=row.mode,
        as_of=row.as_of,
        net_liquidation_usd=row.net_liquidation_usd,
        buying_power_usd=row.buying_power_usd,
        cash_usd=row.cash_usd,
    )
