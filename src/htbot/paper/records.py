"""The book's rows in the store: orders, executions, and the counters that ids are made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from typing import Any

from htbot.domain.orders import Action
from htbot.paper.contracts import ContractDesk
from htbot.paper.order_entry import ticket_from
from htbot.paper.orders import Execution, PaperOrder, Status
from htbot.paper.store import Store
from htbot.paper.wire.order_fields import PLACE_ORDER
from htbot.paper.wire.tables import decode

_PERM_SPAN = 1_000_000
_MONEY = frozenset({"price", "average_price", "commission", "realized_usd"})


class Records:
    """Reads and writes the book's part of the store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._next_ids = store.next_order_ids()
        self._perm_ids = int(store.meta("perm_ids") or 0)
        self._execution_ids = int(store.meta("execution_ids") or 0)

    def next_order_id(self, client_id: int) -> int:
        """The lowest order id that the client may use next."""
        return self._next_ids.get(client_id, 1)

    def use_order_id(self, client_id: int, order_id: int) -> None:
        """Remember that the client used an order id."""
        following = max(order_id + 1, self.next_order_id(client_id))
        self._next_ids[client_id] = following
        self._store.put_next_order_id(client_id, following)

    def new_perm_id(self, world: int) -> int:
        """A permanent id: never used before, its first digits taken from the world."""
        self._perm_ids += 1
        self._store.put_meta("perm_ids", str(self._perm_ids))
        return (1 + world % 2000) * _PERM_SPAN + self._perm_ids

    def new_execution_id(self, world: int, part: int) -> str:
        """An execution id as IB writes them; the last part counts corrections."""
        self._execution_ids += 1
        self._store.put_meta("execution_ids", str(self._execution_ids))
        return f"{world:08x}.{self._execution_ids:08x}.{part:02d}.01"

    def save_order(self, order: PaperOrder) -> None:
        """Write an order."""
        document = {
            "perm_id": order.perm_id,
            "client_id": order.client_id,
            "order_id": order.order_id,
            "account": order.account,
            "frame": list(order.frame),
            "version": order.version,
            "created_at": order.created_at.isoformat(),
            "status": order.status.value,
            "filled": order.filled,
            "filled_value": str(order.filled_value),
            "last_price": str(order.last_price),
            "due": order.due,
            "completed_at": order.completed_at.isoformat() if order.completed_at else None,
            "reason": order.reason,
        }
        self._store.put_order(document, working=order.working)

    def orders(self, contracts: ContractDesk) -> Iterator[PaperOrder]:
        """Every order; what it asks for is read again from the client's own message."""
        for document in self._store.orders():
            values = decode(PLACE_ORDER, document["frame"], document["version"])
            created_at = datetime.fromisoformat(document["created_at"])
            tradable = contracts.tradable(values, created_at)
            completed_at = document["completed_at"]
            yield PaperOrder(
                client_id=document["client_id"],
                order_id=document["order_id"],
                perm_id=document["perm_id"],
                account=document["account"],
                frame=tuple(document["frame"]),
                version=document["version"],
                created_at=created_at,
                tradable=tradable,
                ticket=ticket_from(values, tradable),
                echo=values,
                status=Status(document["status"]),
                filled=document["filled"],
                filled_value=Decimal(document["filled_value"]),
                last_price=Decimal(document["last_price"]),
                due=document["due"],
                completed_at=datetime.fromisoformat(completed_at) if completed_at else None,
                reason=document["reason"],
            )

    def save_execution(self, execution: Execution) -> None:
        """Append an execution."""
        document: dict[str, Any] = {}
        for key, value in asdict(execution).items():
            if isinstance(value, Decimal):
                document[key] = str(value)
            elif isinstance(value, datetime):
                document[key] = value.isoformat()
            else:
                document[key] = value
        document["contract"] = {
            key: str(value) if isinstance(value, Decimal) else value for key, value in execution.contract.items()
        }
        self._store.put_execution(document)

    def executions(self) -> Iterator[Execution]:
        """Every execution, oldest first."""
        for document in self._store.executions():
            document["side"] = Action(document["side"])
            document["at"] = datetime.fromisoformat(document["at"])
            for key in _MONEY:
                if document[key] is not None:
                    document[key] = Decimal(document[key])
            document["contract"]["strike"] = Decimal(document["contract"]["strike"])
            yield Execution(**document)
