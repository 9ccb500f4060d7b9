"""What the single sender works with."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from htbot.desk.last_look import LastLook
from htbot.desk.ledger import Ledger
from htbot.desk.open_book import OpenBook, OpenTrade
from htbot.desk.order_numbers import OrderNumbers
from htbot.desk.record import DeskRecord
from htbot.desk.threads import DatabaseThread
from htbot.domain.errors import StopTrading
from htbot.domain.orders import OrderIntent
from htbot.execution.silence import DEFAULT_SILENCE, Silence
from htbot.portfolio.marks import Marks


class OrderSession(Protocol):
    """What sending needs of the broker's session."""

    @property
    def connected(self) -> bool:
        """True while the socket is up."""
        ...

    @property
    def next_valid_id(self) -> int:
        """Lower bound for new order ids, as the broker told it."""
        ...

    def place(self, intent: OrderIntent, order_id: int, limit: Decimal, quantity: int | None = None) -> None:
        """Send or modify an order; `quantity` None is all of the intent."""
        ...

    def cancel(self, order_id: int) -> None:
        """Ask for a cancel."""
        ...


@dataclass(frozen=True, slots=True)
class OrderParts:
    """What the sender works with. `marks_of` prices the legs of an intent now; `monotonic` times IO.

    `broken` and `ended` are told of a broken invariant and of the end of an order, `changed` of a trade that has been
    brought up to its orders and fills. `market_open` tells whether anything can be traded then, `closes_left` waits
    until every close that was begun is at the socket, or cannot be.
    """

    session: OrderSession
    database: DatabaseThread
    ledger: Ledger
    record: DeskRecord
    book: OpenBook
    numbers: OrderNumbers
    last_look: LastLook
    marks_of: Callable[[OrderIntent], Marks]
    broken: Callable[[StopTrading], None]
    ended: Callable[[], None]
    changed: Callable[[OpenTrade, datetime], None]
    clock: Callable[[], datetime]
    market_open: Callable[[datetime], bool]
    closes_left: Callable[[], Awaitable[None]]
    monotonic: Callable[[], float] = time.monotonic
    silence: Silence = DEFAULT_SILENCE
