"""The book's rows in the store: orders, executions, and the counters that ids are made of.

Changes gather during a turn and are written once at its end (`flush`), each order and counter one time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, fields
from datetime import datetime
from decimal import Decimal
from typing import Any

from htbot.domain.orders import Action
from htbot.matching.fees import bill_document, bill_from
from htbot.matching.terms import Progress, Seen
from htbot.paper.book.entry import Entry, ticket_from
from htbot.paper.book.orders import Execution, PaperOrder, Portion, Status
from htbot.paper.contracts import ContractDesk
from htbot.paper.store import Store
from htbot.paper.wire.order_fields import PLACE_ORDER
from htbot.paper.wire.tables import decode

_PERM_SPAN = 1_000_000
_PERM_IDS, _EXECUTION_IDS = "perm_ids", "execution_ids"
_EXECUTION_NUMBERS = frozenset({"quantity", "price", "cumulative", "average_price", "commission", "realized_usd"})
_PROGRESS_NUMBERS = frozenset({"filled", "trail_stop", "best", "working_limit"})


class Records:
    """Reads and writes the book's part of the store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._next_ids = store.next_order_ids()
        self._counters = {name: int(store.meta(name) or 0) for name in (_PERM_IDS, _EXECUTION_IDS)}
        self._changed: dict[int, PaperOrder] = {}
        self._used: set[int] = set()
        self._counted: set[str] = set()

    def flush(self) -> None:
        """Write what changed since the last time; the caller commits."""
        for perm_id in sorted(self._changed):
            order = self._changed[perm_id]
            self._store.put_order(_order_document(order), working=order.live)
        for client_id in sorted(self._used):
            self._store.put_next_order_id(client_id, self._next_ids[client_id])
        for name in sorted(self._counted):
            self._store.put_meta(name, str(self._counters[name]))
        self._changed.clear()
        self._used.clear()
        self._counted.clear()

    def next_order_id(self, client_id: int) -> int:
        """The lowest order id that the client may use next."""
        return self._next_ids.get(client_id, 1)

    def use_order_id(self, client_id: int, order_id: int) -> None:
        """Remember that the client used an order id."""
        self._next_ids[client_id] = max(order_id + 1, self.next_order_id(client_id))
        self._used.add(client_id)

    def new_perm_id(self, world: int) -> int:
        """A permanent id: never used before, its first digits taken from the world."""
        return (1 + world % 2000) * _PERM_SPAN + self._count(_PERM_IDS)

    def new_execution_id(self, world: int, part: int) -> str:
        """An execution id as IB writes them; the last part counts corrections."""
        return f"{world:08x}.{self._count(_EXECUTION_IDS):08x}.{part:02d}.01"

    def _count(self, name: str) -> int:
        self._counters[name] += 1
        self._counted.add(name)
        return self._counters[name]

    def save_order(self, order: PaperOrder) -> None:
        """Have an order written with the next `flush`."""
        self._changed[order.perm_id] = order

    def forget_order(self, order: PaperOrder) -> None:
        """Drop an order; its ids stay used."""
        self._changed.pop(order.perm_id, None)
        self._store.forget_order(order.perm_id)

    def forget_executions(self, before: datetime) -> None:
        """Drop executions from before an instant."""
        self._store.forget_executions(before)

    def orders(self, contracts: ContractDesk) -> Iterator[PaperOrder]:
        """Every order; what it asks for is read again from the client's own message."""
        for document in self._store.orders():
            values = decode(PLACE_ORDER, document["frame"], document["version"])
            echo = dict(values)
            if values["cashQty"]:  # what the money bought was settled when the order came in
                values.update(totalQuantity=Decimal(document["asked"]), cashQty=None)
            since = datetime.fromisoformat(document["since"])
            tradable = contracts.tradable(values, datetime.fromisoformat(document["created_at"]))
            entry = Entry(since, document["version"], contracts.exists, _no_touch)
            completed_at = document["completed_at"]
            yield PaperOrder(
                client_id=document["client_id"],
                order_id=document["order_id"],
                perm_id=document["perm_id"],
                account=document["account"],
                frame=tuple(document["frame"]),
                version=document["version"],
                created_at=datetime.fromisoformat(document["created_at"]),
                since=since,
                tradable=tradable,
                ticket=ticket_from(values, tradable, entry),
                quantity=Decimal(document["quantity"]),
                echo=echo,
                status=Status(document["status"]),
                progress=_progress_from(document["progress"]),
                portions=tuple(_portion_from(row) for row in document["portions"]),
                leg_values=tuple(map(Decimal, document["leg_values"])),
                filled_value=Decimal(document["filled_value"]),
                last_price=Decimal(document["last_price"]),
                parent_perm_id=document["parent_perm_id"],
                oca_group=document["oca_group"],
                reduced=Decimal(document["reduced"]),
                why_held=document["why_held"],
                released=document["released"],
                due=document["due"],
                completed_at=datetime.fromisoformat(completed_at) if completed_at else None,
                reason=document["reason"],
            )

    def save_execution(self, execution: Execution) -> None:
        """Append an execution."""
        document = {key: _plain(value) for key, value in asdict(execution).items()}
        document["contract"] = {key: _plain(value) for key, value in execution.contract.items()}
        self._store.put_execution(document)

    def executions(self) -> Iterator[Execution]:
        """Every execution, oldest first; a correction comes after what it corrects."""
        for document in self._store.executions():
            document["side"] = Action(document["side"])
            document["at"] = datetime.fromisoformat(document["at"])
            for key in _EXECUTION_NUMBERS:
                if document[key] is not None:
                    document[key] = Decimal(document[key])
            document["contract"]["strike"] = Decimal(document["contract"]["strike"])
            yield Execution(**document)


def _no_touch(_con_id: int, _side: Action) -> None:
    """An order that is read again needs no price."""


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return str(value)
    return value.isoformat() if isinstance(value, datetime) else value


def _order_document(order: PaperOrder) -> dict[str, Any]:
    return {
        "perm_id": order.perm_id,
        "client_id": order.client_id,
        "order_id": order.order_id,
        "account": order.account,
        "frame": order.frame,
        "version": order.version,
        "created_at": order.created_at.isoformat(),
        "since": order.since.isoformat(),
        "asked": str(order.ticket.quantity),
        "quantity": str(order.quantity),
        "status": order.status.value,
        "progress": _progress_document(order.progress),
        "portions": [(row.account, str(row.share), str(row.filled), bill_document(row.bill)) for row in order.portions],
        "leg_values": [str(value) for value in order.leg_values],
        "filled_value": str(order.filled_value),
        "last_price": str(order.last_price),
        "parent_perm_id": order.parent_perm_id,
        "oca_group": order.oca_group,
        "reduced": str(order.reduced),
        "why_held": order.why_held,
        "released": order.released,
        "due": order.due,
        "completed_at": order.completed_at.isoformat() if order.completed_at else None,
        "reason": order.reason,
    }


def _portion_from(row: list[Any]) -> Portion:
    account, share, filled, bill = row
    return Portion(account, Decimal(share), Decimal(filled), bill_from(bill))


def _progress_document(progress: Progress) -> dict[str, Any]:
    """What differs from a new order's progress: most orders have nothing to write."""
    document = {
        item.name: _plain(getattr(progress, item.name))
        for item in fields(Progress)
        if item.name != "seen" and getattr(progress, item.name) != item.default
    }
    if progress.seen is not None:
        document["seen"] = [str(progress.seen.price), str(progress.seen.size)]
    return document


def _progress_from(document: dict[str, Any]) -> Progress:
    values: dict[str, Any] = {
        key: Decimal(value) if key in _PROGRESS_NUMBERS else value for key, value in document.items()
    }
    if "seen" in values:
        values["seen"] = Seen(*map(Decimal, values["seen"]))
    return Progress(**values)
