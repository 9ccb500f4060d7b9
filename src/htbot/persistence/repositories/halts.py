"""Reasons not to originate orders: halts and trips of the breaker."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Update, bindparam, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from htbot.persistence.records import AuditEntry, Halt
from htbot.persistence.repositories.audit import AuditRepository
from htbot.persistence.repositories.base import Repository
from htbot.persistence.rows.control import HaltRow
from htbot.persistence.states import HaltKind

# Asked at every instant, so it is built once.
_ACTIVE = (
    select(HaltRow)
    .where(HaltRow.cleared_at.is_(None), or_(HaltRow.ends_at.is_(None), HaltRow.ends_at > bindparam("at")))
    .order_by(HaltRow.set_at, HaltRow.id)
)


@dataclass(frozen=True, slots=True)
class HaltRequest:
    """A halt or a trip to be set: from which source, why, by whom, at which market time.

    `account` is the one that it halts, None halts all.
    """

    source: str
    reason: str
    set_by: str
    set_at: datetime
    kind: HaltKind = HaltKind.HALT
    ends_at: datetime | None = None
    account: str | None = None


class HaltRepository(Repository):
    """Reasons not to originate orders (RULINGS 13). Each that is set or cleared is an act in the audit log."""

    def set(self, request: HaltRequest) -> bool:
        """Put a halt in force; False when this source has one in force for this account already.

        A trip that ended by itself before `set_at` is closed first, so that the next one is a row of its own.
        """
        over = (*_same(request), HaltRow.cleared_at.is_(None))
        ended = update(HaltRow).where(*over, HaltRow.ends_at <= request.set_at)
        self._clear(ended.values(cleared_at=HaltRow.ends_at, cleared_by="end of session"), request.set_at)
        if self._count(insert(HaltRow).values(asdict(request)).on_conflict_do_nothing()) == 0:
            return False
        facts = {"kind": request.kind, "reason": request.reason, "ends_at": request.ends_at}
        facts |= {} if request.account is None else {"account": request.account}
        self._tell(AuditEntry(request.set_at, request.set_by, "halt.set", request.source, facts))
        return True

    def known(self, request: HaltRequest) -> bool:
        """True when exactly this halt was set before, in force or not."""
        same = select(HaltRow.id).where(*_same(request), HaltRow.set_at == request.set_at)
        return self._session.scalar(same.limit(1)) is not None

    def active(self, as_of: datetime) -> list[Halt]:
        """Halts in force, oldest first. One that nobody cleared is in force whatever the market time is."""
        return self._all(_ACTIVE, halt_of, {"at": as_of})

    def clear(
        self,
        cleared_by: str,
        at: datetime,
        *,
        kind: HaltKind | None = None,
        source: str | None = None,
        account: str | None = None,
    ) -> int:
        """Clear halts, all of them or those of one kind, source or account, and return how many were in force."""
        statement = update(HaltRow).where(HaltRow.cleared_at.is_(None))
        if kind is not None:
            statement = statement.where(HaltRow.kind == kind)
        if source is not None:
            statement = statement.where(HaltRow.source == source)
        if account is not None:
            statement = statement.where(HaltRow.account == account)
        return self._clear(statement.values(cleared_by=cleared_by, cleared_at=at), at)

    def _clear(self, statement: Update, at: datetime) -> int:
        """Clear halts and tell of each in the audit log."""
        told = statement.returning(HaltRow.source, HaltRow.kind, HaltRow.reason, HaltRow.cleared_by, HaltRow.account)
        cleared = self._session.execute(told, execution_options={"synchronize_session": False}).all()
        for source, kind, reason, by, account in cleared:
            facts = {"kind": kind, "reason": reason} | ({} if account is None else {"account": account})
            self._tell(AuditEntry(at, by or "", "halt.cleared", source, facts))
        return len(cleared)

    def _tell(self, entry: AuditEntry) -> None:
        AuditRepository(self._session).add(entry)

    def recent(self, limit: int = 100) -> list[Halt]:
        """The last halts, newest first."""
        return self._all(select(HaltRow).order_by(HaltRow.id.desc()).limit(limit), halt_of)


def _same(request: HaltRequest) -> tuple[ColumnElement[bool], ...]:
    """Rows of the same source for the same account."""
    of_account = HaltRow.account.is_not_distinct_from(request.account)
    return HaltRow.kind == request.kind, HaltRow.source == request.source, of_account


def halt_of(row: HaltRow) -> Halt:
    """The halt or trip that a row is of."""
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
        account=row.account,
    )
