"""What the broker's session tells about orders, in order of arrival: the only sources of their state (RULINGS 4)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from htbot.domain.fills import Fill


@dataclass(frozen=True, slots=True)
class OrderStatusMessage:
    """orderStatus: cumulative `filled` and `remaining`; `average_price` signed for combinations."""

    order_id: int
    client_id: int
    perm_id: int
    status: str
    filled: int
    remaining: int
    average_price: Decimal
    why_held: str = ""


@dataclass(frozen=True, slots=True)
class OpenOrderMessage:
    """openOrder or completedOrder: what the broker holds under a reference. A completed order has no order id."""

    ref: str
    order_id: int
    client_id: int
    perm_id: int
    account: str
    status: str
    limit: Decimal | None
    quantity: int
    completed: bool = False
    filled: int = 0


@dataclass(frozen=True, slots=True)
class LegExecutionMessage:
    """execDetails of one leg or of a plain contract: a fill."""

    fill: Fill
    order_id: int
    client_id: int


@dataclass(frozen=True, slots=True)
class BagExecutionMessage:
    """execDetails of the combination itself: moves the order, never a position (RULINGS 3)."""

    exec_id: str
    ref: str
    order_id: int
    perm_id: int
    quantity: int
    cumulative: int
    price: Decimal
    executed_at: datetime


@dataclass(frozen=True, slots=True)
class CommissionMessage:
    """commissionReport: arrives on its own, after the execution it belongs to."""

    exec_id: str
    commission_usd: Decimal


@dataclass(frozen=True, slots=True)
class ErrorMessage:
    """error: `request_id` is an order id, a request id, or -1 for the session itself."""

    request_id: int
    code: int
    text: str


OrderMessage = (
    OrderStatusMessage | OpenOrderMessage | LegExecutionMessage | BagExecutionMessage | CommissionMessage | ErrorMessage
)
