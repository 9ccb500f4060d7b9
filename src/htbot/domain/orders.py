"""Intents and orders: what was decided to be sent, and what the broker made of it (ARCHITECTURE section 7)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from htbot.domain.decisions import Approved
from htbot.domain.signals import SpreadLeg


class Purpose(StrEnum):
    """Why an order exists. Closes are never blocked, entries fail closed."""

    ENTRY = "entry"
    EXIT = "exit"


class Action(StrEnum):
    """Side of an order as IB writes it; a combination is opened with BUY and closed with SELL (spec 02 section 3)."""

    BUY = "BUY"
    SELL = "SELL"


class ExitReason(StrEnum):
    """Why a trade was closed (INTERFACE, JSON shapes)."""

    PROFIT_TARGET = "profit_target"
    STOP_LOSS = "stop_loss"
    TIME = "time"
    MARKET_CLOSE = "market_close"
    MANUAL = "manual"
    BREAKER = "breaker"
    EXPIRY = "expiry"
    OTHER = "other"


class IntentState(StrEnum):
    """Life of an intent; the legal moves are the table in `execution/states.py`."""

    PENDING = "PENDING"
    CLAIMED = "CLAIMED"
    SENDING = "SENDING"
    WORKING = "WORKING"
    UNKNOWN = "UNKNOWN"
    FILLED = "FILLED"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    WITHDRAWN = "WITHDRAWN"


class OrderState(StrEnum):
    """State of an order at the broker, as the broker's own messages tell it (RULINGS 4)."""

    SENDING = "SENDING"
    UNKNOWN = "UNKNOWN"
    SUBMITTED = "SUBMITTED"
    PARTIAL = "PARTIAL"
    PENDING_CANCEL = "PENDING_CANCEL"
    FILLED = "FILLED"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"


class PriceStyle(StrEnum):
    """How the limit of an order walks (RULINGS 11)."""

    LADDER = "ladder"
    TIME = "time"
    URGENT = "urgent"


def order_reference(strategy: str, account: str, session: date, purpose: Purpose, sequence: int) -> str:
    """The deterministic `orderRef` of an intent: the one durable key at the broker (ARCHITECTURE section 7.1)."""
    mark = "E" if purpose is Purpose.ENTRY else "X"
    return f"htbot-{strategy}-{account}-{session:%Y%m%d}-{mark}{sequence}"


@dataclass(frozen=True, slots=True)
class OrderIntent:
    """A committed decision to send one order. Prices are per unit and signed as IB: negative = receive (RULINGS 32).

    `limit` is the first limit, `worst_limit` the bound that no later modification passes. An entry carries the
    approval it was built from and `good_till`, an exit the trade that it closes.
    """

    ref: str
    trade_id: str
    strategy: str
    account: str
    session: date
    purpose: Purpose
    action: Action
    symbol: str
    quantity: int
    legs: tuple[SpreadLeg, ...]
    limit: Decimal
    worst_limit: Decimal
    tick: Decimal
    style: PriceStyle
    created_at: datetime
    good_till: datetime | None = None
    decision_id: UUID | None = None
    exit_reason: ExitReason | None = None

    @staticmethod
    def require_approval(decision: Approved) -> UUID:
        """The id of an approval; a refusal is another type and does not get through the type checker."""
        return decision.id


@dataclass(frozen=True, slots=True)
class Order:
    """An order at the broker. `limit` and `average_price` are signed as IB (RULINGS 32)."""

    ref: str
    order_id: int
    client_id: int
    account: str
    purpose: Purpose
    action: Action
    quantity: int
    limit: Decimal
    state: OrderState
    filled: int = 0
    average_price: Decimal | None = None
    perm_id: int | None = None
    error_code: int | None = None
    error_text: str = ""
