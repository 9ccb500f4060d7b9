"""An order under way, seen by its callbacks."""

from __future__ import annotations

from typing import Any

from .client import PATIENCE_S, Client, Event

DEAD = {"Filled", "Cancelled", "ApiCancelled", "Inactive"}
LIVE = {"Submitted", "PreSubmitted"}


class Ticket:
    """What a client has been told about one order id since it was placed."""

    def __init__(self, client: Client, order_id: int, contract: Any, order: Any) -> None:
        self.client, self.id, self.contract, self.order = client, order_id, contract, order
        self.position = len(client.events)

    def place(self) -> Ticket:
        """Send it, or send it again as it is now."""
        self.client.call("placeOrder", self.id, self.contract, self.order)
        return self

    def events(self, *names: str) -> list[Event]:
        return [event for event in self.client.since(self.position, *names) if _order_of(event) == self.id]

    def statuses(self) -> list[str]:
        return [event.args[1] for event in self.events("orderStatus")]

    def errors(self) -> list[int]:
        """Codes with the order's id, 399 (a note about hours) apart."""
        return [code for code in self.client.errors(self.position, self.id) if code not in {399, 2109}]

    def until(self, *statuses: str, timeout: float = PATIENCE_S) -> Ticket:
        def reached() -> bool:
            told = self.statuses()
            if set(self.errors()) - {202} and not set(statuses) & {"Cancelled", "Inactive"}:
                raise AssertionError(f"{self.order.orderType} is refused: {self._told()}")
            return bool(told) and told[-1] in statuses

        self.client.until(reached, f"status {' or '.join(statuses)} of {self.order.orderType}, {self._told()}", timeout)
        return self

    def until_live(self) -> Ticket:
        return self.until(*LIVE)

    def refused(self) -> int:
        """The code that it is refused with."""
        self.client.until(self.errors, "error of the order")
        self.client.settle()
        assert not set(self.statuses()) & {"Submitted", "Filled"}, self.statuses()
        return self.errors()[0]

    def fill(self) -> Ticket:
        """Until it is filled and all commissions have come."""
        self.until("Filled")
        client = self.client

        def charged() -> bool:
            wanted = {row.execId for contract, row in self.executions() if contract.secType != "BAG"}
            return wanted <= {event.args[0].execId for event in client.since(self.position, "commissionReport")}

        client.until(charged, "commissionReport")
        return self

    def cancel(self) -> Ticket:
        self.client.call("cancelOrder", self.id, "")
        return self.until("Cancelled", "ApiCancelled")

    def executions(self) -> list[tuple[Any, Any]]:
        return [(event.args[1], event.args[2]) for event in self.events("execDetails")]

    def commissions(self) -> list[Any]:
        ids = {row.execId for _, row in self.executions()}
        rows = [event.args[0] for event in self.client.since(self.position, "commissionReport")]
        return [row for row in rows if row.execId in ids]

    @property
    def opened(self) -> tuple[Any, Any, Any]:
        """Contract, order and state of the last openOrder."""
        event = self.events("openOrder")[-1]
        return event.args[1], event.args[2], event.args[3]

    @property
    def perm_id(self) -> int:
        return int(self.events("orderStatus")[-1].args[5])

    def last_status(self) -> dict[str, Any]:
        names = ("id", "status", "filled", "remaining", "average", "perm_id", "parent_id", "last_price", "client_id")
        return dict(zip(names, self.events("orderStatus")[-1].args, strict=False))

    def _told(self) -> str:
        return f"told so far {self.statuses()} {self.errors()}"


def _order_of(event: Event) -> int | None:
    if event.name == "execDetails":
        return int(event.args[2].orderId)
    if event.name in {"openOrder", "orderStatus", "error"}:
        return int(event.args[0])
    return None


def place(client: Client, contract: Any, order: Any, order_id: int | None = None) -> Ticket:
    return Ticket(client, client.order_id() if order_id is None else order_id, contract, order).place()
