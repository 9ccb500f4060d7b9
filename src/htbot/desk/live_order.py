"""One order in the desk's memory, from its reserved id to its end."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from htbot.domain.orders import Order, OrderIntent, OrderState, PriceStyle, Purpose
from htbot.execution.broker_events import Asked
from htbot.execution.messages import OpenOrderMessage
from htbot.execution.states import ORDER_OVER


@dataclass(slots=True)
class LiveOrder:
    """An intent that has an order id. Market times but for `asked_at_s`, which is monotonic (RULINGS 17).

    `size` is the quantity that stands at the broker: less than the intent's where a protective order covers what is
    held by now; `stands` is what the broker has shown of it, None while a change has not been answered. One that is
    not `promised` is on its way to journal or record, and does not leave before. `perm_ids` is every permanent id of
    the reference with the state that it was last seen in (RULINGS 15). `recorded` is what the record was last told.
    """

    intent: OrderIntent
    order_id: int
    client_id: int
    state: OrderState
    walks_since: datetime
    limit: Decimal
    asked_at_s: float
    size: int
    promised: bool = True
    stands: int | None = None
    asked: Asked = Asked.PLACE
    filled: int = 0
    average_price: Decimal | None = None
    perm_ids: dict[int, OrderState] = field(default_factory=dict)
    last_error: int | None = None
    error_text: str = ""
    style: PriceStyle | None = None
    next_walk_s: float | None = 0.0
    cancel_asked: bool = False
    recorded: tuple[Order, dict[int, OrderState]] | None = None

    @property
    def over(self) -> bool:
        """True when the broker has nothing of it working any more."""
        return self.state in ORDER_OVER

    @property
    def is_entry(self) -> bool:
        """True for an order that opens."""
        return self.intent.purpose is Purpose.ENTRY

    @property
    def protective(self) -> bool:
        """True for a stop or target that stands at the broker."""
        return self.intent.protective

    @property
    def in_part(self) -> bool:
        """True for a sale at a profit level."""
        return self.intent.in_part

    @property
    def working(self) -> bool:
        """True while the broker has confirmed that it works."""
        return self.state in {OrderState.SUBMITTED, OrderState.PARTIAL}

    @property
    def changing(self) -> bool:
        """True of a protective order from its change to the broker's answer."""
        return self.protective and self.asked is Asked.MODIFY and self.stands is None

    def follow(self, message: OpenOrderMessage, *, looked_up: bool = False) -> None:
        """A protective order stands as the broker shows it: it is reduced there, and changed by us.

        What the broker wrote before it saw a change is no answer to that; what it shows when it is `looked_up` is.
        """
        if not self.protective or message.completed:
            return
        if self.changing and not looked_up and message.quantity != self.size:
            return
        self.size = self.stands = message.quantity
        if message.limit is not None:
            self.limit = self.intent.in_books(message.limit)

    def elapsed_s(self, now: datetime) -> float:
        """Market seconds since the first limit of its present walk."""
        return (now - self.walks_since).total_seconds()

    def walk_due(self, now: datetime) -> bool:
        """True when the limit is to be looked at again."""
        return self.next_walk_s is not None and self.elapsed_s(now) >= self.next_walk_s

    def expired(self, now: datetime) -> bool:
        """True when it was good till a time that has passed and nobody asked for its cancel."""
        good_till = self.intent.good_till
        return good_till is not None and now >= good_till and not self.cancel_asked

    def as_order(self) -> Order:
        """The order as it is recorded."""
        return Order(
            ref=self.intent.ref,
            order_id=self.order_id,
            client_id=self.client_id,
            account=self.intent.account,
            purpose=self.intent.purpose,
            action=self.intent.action,
            quantity=self.size,
            limit=self.limit,
            state=self.state,
            filled=self.filled,
            average_price=self.average_price,
            perm_id=max(self.perm_ids, default=None),
            error_code=self.last_error,
            error_text=self.error_text,
        )
