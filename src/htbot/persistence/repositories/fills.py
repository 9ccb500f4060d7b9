"""Fills: append-only, one per execution of a leg, a correction in place of its original."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, cast

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Executable,
    Row,
    Select,
    Table,
    TableValuedAlias,
    Text,
    Update,
    bindparam,
    exists,
    select,
    update,
)

from htbot.domain.errors import StopTrading
from htbot.domain.fills import Fill
from htbot.persistence.columns import Money
from htbot.persistence.executions import in_force
from htbot.persistence.repositories.base import Repository, insert_told, told_columns, told_rows
from htbot.persistence.rows.intents import IntentRow
from htbot.persistence.rows.orders import FillRow

_FILLS, _INTENTS = cast(Table, FillRow.__table__), cast(Table, IntentRow.__table__)


class FillRepository(Repository):
    """Leg executions (RULINGS 3). Readers see the last correction of each execution only."""

    def add(self, fill: Fill, known_at: datetime) -> bool:
        """Store a fill; False when its execution id is there already.

        Raises:
            StopTrading: no intent has the fill's reference; such an execution is not ours to book.
        """
        return bool(self.add_all([(fill, known_at)]))

    def add_all(self, told: Sequence[tuple[Fill, datetime]]) -> set[str]:
        """Store fills, each with the time that it was known at; the execution ids of those that were not there.

        Raises:
            StopTrading: as of `add`.
        """
        if not told:
            return set()
        added = set(self._session.scalars(_ADD, told_columns([_columns(*each) for each in told])))
        if len(added) < len(told):
            self._require_ours([fill for fill, _known_at in told if fill.exec_id not in added])
        return added

    def _require_ours(self, fills: Sequence[Fill]) -> None:
        ours = set(self._session.scalars(_OURS, {"refs": [fill.ref for fill in fills]})) if fills else set()
        for fill in fills:
            if fill.ref not in ours:
                raise StopTrading(
                    f"execution {fill.exec_id} carries order_ref {fill.ref!r}, which no intent of the record has"
                )

    def set_commissions(self, told: Mapping[str, Decimal]) -> int:
        """Write the commissions that the broker reported, by execution; how many of the executions there are."""
        rows = [{"exec_id": exec_id, "commission": amount} for exec_id, amount in told.items()]
        return self._count(_CHARGE, told_columns(rows)) if rows else 0

    def get(self, exec_id: str) -> Fill | None:
        """One execution as reported, corrected or not."""
        return self.of_ids([exec_id]).get(exec_id)

    def of_ids(self, exec_ids: Collection[str]) -> dict[str, Fill]:
        """Executions as reported, corrected or not, by id; one that there is not is absent."""
        found = self._read(_OF_IDS, _to_fill, {"ids": list(exec_ids)}) if exec_ids else ()
        return {fill.exec_id: fill for fill in found}

    def of_ref(self, ref: str) -> list[Fill]:
        """Fills of one order in order of time."""
        return self.of_refs([ref])

    def of_refs(self, refs: Collection[str]) -> list[Fill]:
        """Fills of several orders in order of time."""
        return self._read(_OF_REFS, _to_fill, {"refs": list(refs)}) if refs else []

    def of_trade(self, trade_id: str) -> list[Fill]:
        """Fills of a trade's entry and exits in order of time."""
        return self._where(_FILLS.c.ref.in_(select(IntentRow.ref).where(IntentRow.trade_id == trade_id)))

    def of_trades(self, trade_ids: Collection[str]) -> dict[str, list[Fill]]:
        """The same for several trades, by trade."""
        found: dict[str, list[Fill]] = {trade_id: [] for trade_id in trade_ids}
        rows = self._session.execute(_OF_TRADES, {"trade_ids": list(found)}) if found else ()
        for row in rows:
            found[row.trade_id].append(_to_fill(row))
        return found

    def of_session(self, session: date, account: str | None = None) -> list[Fill]:
        """Fills of the orders of one session in order of time."""
        conditions: list[ColumnElement[bool]] = [
            _FILLS.c.ref.in_(select(IntentRow.ref).where(IntentRow.session == session))
        ]
        if account is not None:
            conditions.append(_FILLS.c.account == account)
        return self._where(*conditions)

    def of_account(self, account: str) -> list[Fill]:
        """Every fill of an account in order of time: what positions are folded from."""
        return self._where(_FILLS.c.account == account)

    def as_told(self) -> list[Fill]:
        """Every execution of every account as the broker told it, corrected or not, in order of time."""
        return self._read(select(_FILLS).order_by(_FILLS.c.executed_at, _FILLS.c.exec_id), _to_fill)

    def of_keys(self, keys: Collection[str]) -> list[Fill]:
        """Fills by the key that an execution shares with its corrections, in order of time."""
        return self._read(_OF_KEYS, _to_fill, {"keys": list(keys)}) if keys else []

    def of_contracts(self, contracts: Collection[tuple[str, int]]) -> list[Fill]:
        """Every fill of some contracts, each of an account, in order of time."""
        rows = [{"account": account, "con_id": con_id} for account, con_id in contracts]
        return self._read(_OF_CONTRACTS, _to_fill, told_columns(rows)) if rows else []

    def _where(self, *conditions: ColumnElement[bool]) -> list[Fill]:
        return self._read(_STANDING.where(*conditions), _to_fill)


def _columns(fill: Fill, known_at: datetime) -> dict[str, Any]:
    return {
        "exec_id": fill.exec_id,
        "execution_key": fill.execution_key,
        "ref": fill.ref,
        "account": fill.account,
        "con_id": fill.con_id,
        "symbol": fill.symbol,
        "expiry": fill.expiry,
        "strike": fill.strike,
        "right": fill.right,
        "side": fill.side,
        "quantity": fill.quantity,
        "price": fill.price,
        "multiplier": fill.multiplier,
        "executed_at": fill.executed_at,
        "perm_id": fill.perm_id,
        "commission": fill.commission,
        "modelled": fill.modelled,
        "known_at": known_at,
    }


def _add() -> Executable:
    def ours(told: TableValuedAlias) -> ColumnElement[bool]:
        return exists().where(_INTENTS.c.ref == told.c.ref)

    return insert_told(_FILLS, ours).on_conflict_do_nothing().returning(_FILLS.c.exec_id)


def _charge() -> Update:
    told = told_rows({"exec_id": Text(), "commission": Money()})
    return update(_FILLS).where(_FILLS.c.exec_id == told.c.exec_id).values(commission=told.c.commission)


def _of_contracts() -> Select[Any]:
    told = told_rows({"account": Text(), "con_id": BigInteger()})
    return _STANDING.join(told, (_FILLS.c.account == told.c.account) & (_FILLS.c.con_id == told.c.con_id))


# Written and read with each fill, so they are built once.
_ADD, _CHARGE = _add(), _charge()
_STANDING = select(_FILLS).where(in_force()).order_by(_FILLS.c.executed_at, _FILLS.c.exec_id)
_OURS = select(_INTENTS.c.ref).where(_INTENTS.c.ref.in_(bindparam("refs", expanding=True)))
_OF_IDS = select(_FILLS).where(_FILLS.c.exec_id.in_(bindparam("ids", expanding=True)))
_OF_KEYS = _STANDING.where(_FILLS.c.execution_key.in_(bindparam("keys", expanding=True)))
_OF_REFS = _STANDING.where(_FILLS.c.ref.in_(bindparam("refs", expanding=True)))
_OF_TRADES = (
    _STANDING.add_columns(_INTENTS.c.trade_id)
    .join(_INTENTS, _INTENTS.c.ref == _FILLS.c.ref)
    .where(_INTENTS.c.trade_id.in_(bindparam("trade_ids", expanding=True)))
)
_OF_CONTRACTS = _of_contracts()


def _to_fill(row: Row[Any]) -> Fill:
    return Fill(
        exec_id=row.exec_id,
        ref=row.ref,
        account=row.account,
        con_id=row.con_id,
        symbol=row.symbol,
        expiry=row.expiry,
        strike=row.strike,
        right=row.right,
        side=row.side,
        quantity=row.quantity,
        price=row.price,
        multiplier=row.multiplier,
        executed_at=row.executed_at,
        perm_id=row.perm_id,
        commission=row.commission,
        modelled=row.modelled,
    )
