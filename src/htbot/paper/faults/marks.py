"""What has been done to single orders and is still in force, and what is still to come; kept in the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from htbot.paper.faults.kinds import OrderFault
from htbot.paper.faults.reading import fields_of, read_fault

OrderFaultT = TypeVar("OrderFaultT", bound=OrderFault)


@dataclass(frozen=True, slots=True)
class Later:
    """Something that happens at an instant: `what` it is, and what it is about, as JSON."""

    at: datetime
    what: str
    about: dict[str, Any]


@dataclass(slots=True)
class Cut:
    """An outage in force."""

    since: datetime
    until: datetime
    data: str
    orders: str
    fills: str


@dataclass(slots=True)
class Marks:
    """Faults that an order has met by permId; silent orders with their client and the end of the silence."""

    orders: dict[int, list[OrderFault]] = field(default_factory=dict)
    silent: dict[int, tuple[int, datetime | None]] = field(default_factory=dict)
    later: list[Later] = field(default_factory=list)
    outage: Cut | None = None
    lowered: dict[int, tuple[int, int]] = field(default_factory=dict)

    def found(self, perm_id: int, kind: type[OrderFaultT]) -> OrderFaultT | None:
        """The fault of a kind that an order has met."""
        return next((fault for fault in self.orders.get(perm_id, ()) if isinstance(fault, kind)), None)

    @property
    def idle(self) -> bool:
        """Whether nothing is in force and nothing is to come."""
        return not (self.orders or self.silent or self.later or self.outage or self.lowered)

    def awaited(self, client_id: int, order_id: int) -> datetime | None:
        """When the last request about a client's order arrives that is on its way, None without one."""
        key = {"client_id": client_id, "order_id": order_id}
        times = [item.at for item in self.later if item.what == "deliver" and key.items() <= item.about.items()]
        return max(times, default=None)

    def take_due(self, now: datetime) -> list[Later]:
        """What is due, oldest first; it is not due again."""
        due = sorted((item for item in self.later if item.at <= now), key=lambda item: item.at)
        self.later = [item for item in self.later if item.at > now]
        return due

    def document(self) -> dict[str, Any]:
        """Everything, for the store."""
        outage = self.outage
        return {
            "orders": {
                str(perm_id): [[fault.name, fields_of(fault)] for fault in faults]
                for perm_id, faults in self.orders.items()
            },
            "silent": {
                str(perm_id): [client_id, until.isoformat() if until else None]
                for perm_id, (client_id, until) in self.silent.items()
            },
            "later": [[item.at.isoformat(), item.what, item.about] for item in self.later],
            "outage": None
            if outage is None
            else [outage.since.isoformat(), outage.until.isoformat(), outage.data, outage.orders, outage.fills],
            "lowered": {str(client_id): list(pair) for client_id, pair in self.lowered.items()},
        }

    @classmethod
    def restored(cls, document: Mapping[str, Any]) -> Marks:
        """What an earlier run left."""
        outage = document["outage"]
        orders: dict[int, list[OrderFault]] = {}
        for perm_id, rows in document["orders"].items():
            faults = [read_fault(name, fields) for name, fields in rows]
            orders[int(perm_id)] = [fault for fault in faults if isinstance(fault, OrderFault)]
        return cls(
            orders,
            {
                int(perm_id): (client_id, datetime.fromisoformat(until) if until else None)
                for perm_id, (client_id, until) in document["silent"].items()
            },
            [Later(datetime.fromisoformat(at), what, about) for at, what, about in document["later"]],
            None
            if outage is None
            else Cut(datetime.fromisoformat(outage[0]), datetime.fromisoformat(outage[1]), *outage[2:]),
            {int(client_id): (after, back) for client_id, (after, back) in document["lowered"].items()},
        )
