"""Every order of every client, by its ids, and where its changes are told and written."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Protocol

from htbot.paper.accounts.credit import Credit
from htbot.paper.book.families import Families
from htbot.paper.book.orders import Execution, PaperOrder
from htbot.paper.book.records import Records


class Reports(Protocol):
    """Where the book says what happened."""

    def order_changed(self, order: PaperOrder) -> None:
        """The order was accepted or its state, price or size changed."""
        ...

    def executed(self, executions: list[Execution], order: PaperOrder | None) -> None:
        """The order filled: executions of one moment, the combination's own first; no order = done by the broker."""
        ...

    def charged(self, executions: list[Execution], order: PaperOrder | None) -> None:
        """The commissions of executions are known."""
        ...

    def order_error(self, order: PaperOrder, code: int, text: str) -> None:
        """An error or note about an order, for its client."""
        ...


class Shelf:
    """Orders by client and order id, by permId, and the live ones with who depends on whom."""

    def __init__(self, records: Records, reports: Reports, credit: Credit) -> None:
        self.reports = reports
        self.credit = credit
        self._records = records
        self.families = Families()
        self._by_key: dict[tuple[int, int], PaperOrder] = {}
        self._by_perm_id: dict[int, PaperOrder] = {}
        self._live: dict[int, PaperOrder] = {}
        self._due: dict[int, PaperOrder] = {}

    def enter(self, order: PaperOrder) -> None:
        """Take in an order that has its permId."""
        self._by_key[order.key] = order
        self._by_perm_id[order.perm_id] = order
        if order.live:
            self._live[order.perm_id] = order
            self.families.join(order, self._by_perm_id.get(order.parent_perm_id))
        self._sort(order)

    def find(self, client_id: int, order_id: int) -> PaperOrder | None:
        """The order that a client knows under this id."""
        return self._by_key.get((client_id, order_id))

    def by_perm_id(self, perm_id: int) -> PaperOrder | None:
        """The order with a permanent id."""
        return self._by_perm_id.get(perm_id)

    def all(self) -> Iterator[PaperOrder]:
        """Every order, oldest permId first."""
        return iter(self._by_perm_id.values())

    def live(self) -> list[PaperOrder]:
        """Orders that are not over, oldest permId first; parked ones (transmit=0) included."""
        return list(self._live.values())

    def working(self) -> list[PaperOrder]:
        """Orders that may still fill, oldest permId first."""
        return [order for order in self._live.values() if order.working]

    def due(self) -> Iterator[PaperOrder]:
        """Orders that wait for their first look at the market, oldest permId first, with those that come to it."""
        last = 0
        while later := [perm_id for perm_id in self._due if perm_id > last]:
            last = min(later)
            yield self._due[last]

    @property
    def has_due(self) -> bool:
        """Whether an order waits for its first look at the market."""
        return bool(self._due)

    @property
    def busy(self) -> bool:
        """Whether any order may still fill."""
        return any(order.working for order in self._live.values())

    def tell(self, order: PaperOrder) -> None:
        """An order changed: clients hear of it unless it is parked, and it is written."""
        if not order.parked:
            self.reports.order_changed(order)
        self.save(order)

    def save(self, order: PaperOrder) -> None:
        """An order changed: it is written, and what is known of it here and of its money is brought up to it."""
        self._records.save_order(order)
        self._sort(order)

    def leave(self, order: PaperOrder, at: datetime, reason: str = "") -> None:
        """An order is over; its status says how."""
        order.due = False
        order.why_held = ""
        order.reason = reason
        order.completed_at = at
        self._live.pop(order.perm_id, None)
        self.families.leave(order)
        self.save(order)

    def forget(self, before: datetime) -> None:
        """Drop orders that ended before an instant, but for those that live ones hang on."""
        for order in list(self._by_perm_id.values()):
            if order.completed_at is None or order.completed_at >= before or self.families.children(order):
                continue
            del self._by_key[order.key], self._by_perm_id[order.perm_id]
            self.families.forget(order)
            self._records.forget_order(order)

    def _sort(self, order: PaperOrder) -> None:
        self.credit.note(order)
        if order.due and order.working:
            self._due[order.perm_id] = order
        else:
            self._due.pop(order.perm_id, None)
