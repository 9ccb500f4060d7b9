"""Orders and their permanent ids, as the broker tells them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, cast

from sqlalchemy import Table, func, select
from sqlalchemy.dialects.postgresql import Insert

from htbot.domain.orders import Order, OrderState
from htbot.persistence.records import ToldOrder
from htbot.persistence.repositories.base import Repository, insert_told, told_columns
from htbot.persistence.rows.intents import IntentRow
from htbot.persistence.rows.orders import OrderPermIdRow, OrderRow
from htbot.persistence.states import TERMINAL_ORDER_STATES

_TOLD = (
    "order_id",
    "client_id",
    "quantity",
    "limit_price",
    "state",
    "filled",
    "error_code",
    "error_text",
    "changed_at",
)


def _upsert() -> Insert:
    statement = insert_told(cast(Table, OrderRow.__table__))
    told = statement.excluded
    changed: dict[str, Any] = {name: told[name] for name in _TOLD}
    changed["perm_id"] = func.coalesce(told.perm_id, OrderRow.perm_id)
    changed["average_price"] = func.coalesce(told.average_price, OrderRow.average_price)
    return statement.on_conflict_do_update(index_elements=["ref"], set_=changed)


def _see_perm_id() -> Insert:
    """`changed_at` is when the state changed."""
    statement = insert_told(cast(Table, OrderPermIdRow.__table__))
    told = {"state": statement.excluded.state, "changed_at": statement.excluded.changed_at}
    moved = OrderPermIdRow.state != statement.excluded.state
    return statement.on_conflict_do_update(index_elements=["ref", "perm_id"], set_=told, where=moved)


# Written with each message of the broker, so they are built once.
_UPSERT, _SEE_PERM_ID = _upsert(), _see_perm_id()


class OrderRepository(Repository):
    """One order per reference; every permanent id that the reference was seen under."""

    def upsert(self, order: Order, as_of: datetime, perm_ids: Mapping[int, OrderState] | None = None) -> None:
        """Store what the broker told last; what it left out (permanent id, average price) stays as it was.

        `perm_ids` gives every permanent id that the reference was seen under its own state (RULINGS 15). Without it
        the order's own one is in the order's state.
        """
        if perm_ids is None:
            perm_ids = {} if order.perm_id is None else {order.perm_id: order.state}
        self.upsert_all([ToldOrder(order, as_of, perm_ids)])

    def upsert_all(self, told: Sequence[ToldOrder]) -> None:
        """The same for several orders, each of a reference of its own."""
        if told:
            self._count(_UPSERT, told_columns([_columns(each.order, each.as_of) for each in told]))
        seen = [
            {"ref": each.order.ref, "perm_id": perm_id, "state": state, "changed_at": each.as_of}
            for each in told
            for perm_id, state in sorted(each.perm_ids.items())
        ]
        if seen:
            self._count(_SEE_PERM_ID, told_columns(seen))

    def perm_ids(self, ref: str) -> dict[int, OrderState]:
        """Every permanent id of a reference with its last state."""
        query = select(OrderPermIdRow.perm_id, OrderPermIdRow.state).where(OrderPermIdRow.ref == ref)
        rows = self._session.execute(query.order_by(OrderPermIdRow.perm_id))
        return {row.perm_id: row.state for row in rows}

    def works(self, ref: str) -> bool:
        """True while any permanent id of the reference may still trade (ARCHITECTURE section 7.5).

        An order that was sent and has no permanent id yet works as long as it has not ended.
        """
        known = self.perm_ids(ref)
        if known:
            return any(state not in TERMINAL_ORDER_STATES for state in known.values())
        order = self.get(ref)
        return order is not None and order.state not in TERMINAL_ORDER_STATES

    def get(self, ref: str) -> Order | None:
        """The order of a reference."""
        return self._first(select(OrderRow).where(OrderRow.ref == ref), _to_order)

    def working(self, account: str | None = None) -> list[Order]:
        """Orders that have not ended, oldest first."""
        query = select(OrderRow).where(OrderRow.state.not_in(TERMINAL_ORDER_STATES))
        if account is not None:
            query = query.where(OrderRow.account == account)
        return self._all(query.order_by(OrderRow.submitted_at, OrderRow.ref), _to_order)

    def of_session(self, session: date, account: str | None = None) -> list[Order]:
        """Orders of one session in order of time."""
        query = select(OrderRow).join(IntentRow, IntentRow.ref == OrderRow.ref).where(IntentRow.session == session)
        if account is not None:
            query = query.where(OrderRow.account == account)
        return self._all(query.order_by(OrderRow.submitted_at, OrderRow.ref), _to_order)

    def recent(self, limit: int = 100, account: str | None = None) -> list[Order]:
        """The last orders, newest first."""
        query = select(OrderRow).order_by(OrderRow.submitted_at.desc(), OrderRow.ref.desc()).limit(limit)
        if account is not None:
            query = query.where(OrderRow.account == account)
        return self._all(query, _to_order)


def _columns(order: Order, as_of: datetime) -> dict[str, Any]:
    return {
        "ref": order.ref,
        "order_id": order.order_id,
        "client_id": order.client_id,
        "account": order.account,
        "purpose": order.purpose,
        "action": order.action,
        "quantity": order.quantity,
        "limit_price": order.limit,
        "state": order.state,
        "filled": order.filled,
        "average_price": order.average_price,
        "perm_id": order.perm_id,
        "error_code": order.error_code,
        "error_text": order.error_text,
        "submitted_at": as_of,
        "changed_at": as_of,
    }


def _to_order(row: OrderRow) -> Order:
    return Order(
        ref=row.ref,
        order_id=row.order_id,
        client_id=row.client_id,
        account=row.account,
        purpose=row.purpose,
        action=row.action,
        quantity=row.quantity,
        limit=row.limit_price,
        state=row.state,
        filled=row.filled,
        average_price=row.average_price,
        perm_id=row.perm_id,
        error_code=row.error_code,
        error_text=row.error_text,
    )
