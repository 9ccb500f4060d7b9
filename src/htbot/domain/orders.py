"""Intents and orders: what was decided to be sent, and what the broker made of it (ARCHITECTURE section 7)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from htbot.domain.decisions import Approved
from htbot.domain.signals import Leg, PlainLeg, SpreadLeg


class Purpose(StrEnum):
    """Why an order exists. Closes are never blocked, entries fail closed."""

    ENTRY = "entry"
    EXIT = "exit"


class Action(StrEnum):
    """Side of an order as IB writes it; a combination is opened with BUY and closed with SELL (spec 02 section 3).

    So is a single leg in our books; at the wire a short sale is a SELL.
    """

    BUY = "BUY"
    SELL = "SELL"


class ExitReason(StrEnum):
    """Why a trade was closed (INTERFACE, JSON shapes); `SIGNAL`: its strategy wanted out."""

    PROFIT_TARGET = "profit_target"
    STOP_LOSS = "stop_loss"
    TIME = "time"
    MARKET_CLOSE = "market_close"
    MANUAL = "manual"
    BREAKER = "breaker"
    EXPIRY = "expiry"
    SIGNAL = "signal"
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
    """How the limit of a combination walks (RULINGS 11), or what kind of order a single leg is (decision 0024)."""

    LADDER = "ladder"
    TIME = "time"
    URGENT = "urgent"
    MARKETABLE = "marketable"
    MARKET = "market"
    STOP = "stop"
    TARGET = "target"


WALKING = frozenset({PriceStyle.LADDER, PriceStyle.TIME, PriceStyle.URGENT})
"""Styles whose limit is looked at again; the others stand as they were sent."""
PROTECTIVE = frozenset({PriceStyle.STOP, PriceStyle.TARGET})
"""Styles of orders that stand at the broker and wait for their price."""


def order_reference(strategy: str, account: str, session: date, purpose: Purpose, sequence: int) -> str:
    """The deterministic `orderRef` of an intent: the one durable key at the broker (ARCHITECTURE section 7.1)."""
    mark = "E" if purpose is Purpose.ENTRY else "X"
    return f"htbot-{strategy}-{account}-{session:%Y%m%d}-{mark}{sequence}"


@dataclass(frozen=True, slots=True)
class OrderIntent:
    """A committed decision to send one order. Prices are per unit and signed as IB: negative = receive (RULINGS 32).

    `limit` is the first limit, `worst_limit` the bound that no later modification passes; of an order at the market the
    price that it was decided on, of a stop the price that sets it off. An entry carries the approval it was built from
    and `good_till`, an exit the trade that it closes. Protective orders of one `group` exclude each other at the
    broker. An exit with a `level` sells a part of its trade at that profit level: a trade has one of each level.
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
    legs: tuple[Leg, ...]
    limit: Decimal
    worst_limit: Decimal
    tick: Decimal
    style: PriceStyle
    created_at: datetime
    good_till: datetime | None = None
    decision_id: UUID | None = None
    exit_reason: ExitReason | None = None
    group: str | None = None
    level: int | None = None

    @property
    def plain(self) -> PlainLeg | None:
        """The stock or fund of an order of one leg, None for a combination."""
        leg = self.legs[0]
        return leg if isinstance(leg, PlainLeg) else None

    @property
    def spread_legs(self) -> tuple[SpreadLeg, ...]:
        """The legs that are options: all or none."""
        return tuple(leg for leg in self.legs if isinstance(leg, SpreadLeg))

    @property
    def alone(self) -> Leg | None:
        """The leg of an order that is no combination: of a stock or fund, or of one option."""
        return self.legs[0] if len(self.legs) == 1 else None

    @property
    def protective(self) -> bool:
        """True for a stop or target that stands at the broker."""
        return self.style in PROTECTIVE

    @property
    def in_part(self) -> bool:
        """True for a sale at a profit level, after which the trade goes on."""
        return self.level is not None

    def serves(self, wish: OrderIntent) -> bool:
        """Whether it is what a wish under the same reference asks for: a close of that trade, not a stop of it."""
        return self.trade_id == wish.trade_id and not (self.protective and not wish.protective)

    def in_books(self, broker_price: Decimal) -> Decimal:
        """A price of the broker's, signed as our books sign it: a short sale is bought at a negative price."""
        leg = self.plain
        return broker_price if leg is None else broker_price * leg.ratio

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
