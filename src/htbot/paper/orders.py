"""Orders and executions in the gateway's books."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from htbot.domain.orders import Action
from htbot.paper.contracts import Tradable


class Status(StrEnum):
    """Order status as orderStatus carries it (TWS_PROTOCOL section 6)."""

    PRE_SUBMITTED = "PreSubmitted"
    SUBMITTED = "Submitted"
    FILLED = "Filled"
    CANCELLED = "Cancelled"
    INACTIVE = "Inactive"


WORKING = frozenset({Status.PRE_SUBMITTED, Status.SUBMITTED})


@dataclass(frozen=True, slots=True)
class Ticket:
    """What an order asks for: the part that a modification replaces. Prices are signed as IB signs them."""

    action: Action
    quantity: int
    order_type: str
    limit: Decimal | None
    tif: str
    good_till: datetime | None
    ref: str
    what_if: bool


@dataclass(slots=True)
class PaperOrder:
    """One order of one client. `frame` is the client's own placeOrder, from which the order is read again at start."""

    client_id: int
    order_id: int
    perm_id: int
    account: str
    frame: tuple[str, ...]
    version: int
    created_at: datetime
    tradable: Tradable
    ticket: Ticket
    echo: dict[str, Any] = field(default_factory=dict)
    status: Status = Status.SUBMITTED
    filled: int = 0
    filled_value: Decimal = Decimal(0)
    last_price: Decimal = Decimal(0)
    due: bool = False
    completed_at: datetime | None = None
    reason: str = ""

    @property
    def working(self) -> bool:
        """True while the order may still fill."""
        return self.status in WORKING

    @property
    def remaining(self) -> int:
        """Units not filled yet."""
        return self.ticket.quantity - self.filled

    @property
    def average_price(self) -> Decimal:
        """Average fill price per unit, 0 before the first fill."""
        return self.filled_value / self.filled if self.filled else Decimal(0)

    @property
    def key(self) -> tuple[int, int]:
        """Client id and order id."""
        return self.client_id, self.order_id


@dataclass(frozen=True, slots=True)
class Execution:
    """One execution. A combination has one for itself (no commission) and one for each leg (RULINGS 3).

    `modelled` tells that the price is from a modelled quote (RULINGS 24).
    """

    exec_id: str
    order_id: int
    client_id: int
    perm_id: int
    account: str
    ref: str
    contract: dict[str, Any]
    at: datetime
    side: Action
    quantity: int
    price: Decimal
    cumulative: int
    average_price: Decimal
    commission: Decimal | None = None
    realized_usd: Decimal | None = None
    modelled: bool = False
