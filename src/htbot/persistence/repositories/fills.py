"""Fills: append-only, one per execution of a leg, a correction in place of its original."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import ColumnElement, bindparam, select, update
from sqlalchemy.dialects.postgresql import insert

from htbot.domain.errors import StopTrading
from htbot.domain.fills import Fill
from htbot.persistence.executions import in_force
from htbot.persistence.repositories.base import Repository
from htbot.persistence.rows.intents import IntentRow
from htbot.persistence.rows.orders import FillRow


class FillRepository(Repository):
    """Leg executions (RULINGS 3). Readers see the last correction of each execution only."""

    def add(self, fill: Fill, known_at: datetime) -> bool:
        """Store a fill; False when its execution id is there already.

        Raises:
            StopTrading: no intent has the fill's reference; such an execution is not ours to book.
        """
        if self._session.scalar(select(IntentRow.ref).where(IntentRow.ref == fill.ref)) is None:
            raise StopTrading(
                f"execution {fill.exec_id} carries order_ref {fill.ref!r}, which no intent of the record has"
            )
        values = {
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
        return self._count(insert(FillRow).values(values).on_conflict_do_nothing()) == 1

    def set_commission(self, exec_id: str, commission: Decimal) -> bool:
        """Write the commission that the broker reported for an execution; False when the execution is unknown."""
        return self._count(update(FillRow).where(FillRow.exec_id == exec_id).values(commission=commission)) == 1

    def get(self, exec_id: str) -> Fill | None:
        """One execution as reported, corrected or not."""
        return self._first(select(FillRow).where(FillRow.exec_id == exec_id), _to_fill)

    def of_ref(self, ref: str) -> list[Fill]:
        """Fills of one order in order of time."""
        return self.of_refs([ref])

    def of_refs(self, refs: Collection[str]) -> list[Fill]:
        """Fills of several orders in order of time."""
        return self._all(_OF_REFS, _to_fill, {"refs": list(refs)}) if refs else []

    def of_trade(self, trade_id: str) -> list[Fill]:
        """Fills of a trade's entry and exits in order of time."""
        return self._where(FillRow.ref.in_(select(IntentRow.ref).where(IntentRow.trade_id == trade_id)))

    def of_trades(self, trade_ids: Collection[str]) -> dict[str, list[Fill]]:
        """The same for several trades, by trade."""
        found: dict[str, list[Fill]] = {trade_id: [] for trade_id in trade_ids}
        rows = self._session.execute(_OF_TRADES, {"trade_ids": list(found)}) if found else ()
        for row, trade_id in rows:
            found[trade_id].append(_to_fill(row))
        return found

    def of_session(self, session: date, account: str | None = None) -> list[Fill]:
        """Fills of the orders of one session in order of time."""
        conditions: list[ColumnElement[bool]] = [
            FillRow.ref.in_(select(IntentRow.ref).where(IntentRow.session == session))
        ]
        if account is not None:
            conditions.append(FillRow.account == account)
        return self._where(*conditions)

    def of_account(self, account: str) -> list[Fill]:
        """Every fill of an account in order of time: what positions are folded from."""
        return self._where(FillRow.account == account)

    def as_told(self) -> list[Fill]:
        """Every execution of every account as the broker told it, corrected or not, in order of time."""
        return self._all(select(FillRow).order_by(FillRow.executed_at, FillRow.exec_id), _to_fill)

    def of_contract(self, account: str, con_id: int) -> list[Fill]:
        """Every fill of one contract in an account in order of time."""
        return self._all(_OF_CONTRACT, _to_fill, {"of_account": account, "of_con_id": con_id})

    def _where(self, *conditions: ColumnElement[bool]) -> list[Fill]:
        return self._all(_STANDING.where(*conditions), _to_fill)


# Read with each fill, so they are built once.
_STANDING = select(FillRow).where(in_force()).order_by(FillRow.executed_at, FillRow.exec_id)
_OF_REFS = _STANDING.where(FillRow.ref.in_(bindparam("refs", expanding=True)))
_OF_TRADES = (
    _STANDING.add_columns(IntentRow.trade_id)
    .join(IntentRow, IntentRow.ref == FillRow.ref)
    .where(IntentRow.trade_id.in_(bindparam("trade_ids", expanding=True)))
)
_OF_CONTRACT = _STANDING.where(FillRow.account == bindparam("of_account"), FillRow.con_id == bindparam("of_con_id"))


def _to_fill(row: FillRow) -> Fill:
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
