"""Orders of a backtest that are under way or work, as its desk knows them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from htbot.backtest.spread_exchange import SpreadExchange
from htbot.domain.orders import OrderIntent, PriceStyle, Purpose


@dataclass(slots=True)
class LiveOrder:
    """An order that is under way or works; `told` once the exchange has answered it, `size` as the desk knows it.

    Its limit walks from `walks_since` on and is looked at again `next_walk_s` later, None no more; `style` is that of
    one that has been hurried.
    """

    intent: OrderIntent
    limit: Decimal
    size: int
    walks_since: datetime
    next_walk_s: float | None = 0.0
    style: PriceStyle | None = None
    cancel_asked: bool = False
    told: bool = False

    @property
    def is_entry(self) -> bool:
        """True for an order that opens."""
        return self.intent.purpose is Purpose.ENTRY

    @property
    def protective(self) -> bool:
        """True for a stop or target that stands at the exchange."""
        return self.intent.protective

    @property
    def in_part(self) -> bool:
        """True for a sale at a profit level."""
        return self.intent.in_part


class LiveOrders:
    """By reference, in the order in which they were sent."""

    def __init__(self, exchange: SpreadExchange) -> None:
        self._exchange = exchange
        self._live: dict[str, LiveOrder] = {}

    def __iter__(self) -> Iterator[LiveOrder]:
        return iter(tuple(self._live.values()))

    def __bool__(self) -> bool:
        return bool(self._live)

    def __getitem__(self, ref: str) -> LiveOrder:
        return self._live[ref]

    def of_trade(self, trade_id: str) -> list[LiveOrder]:
        """Those of one trade."""
        return [live for live in self._live.values() if live.intent.trade_id == trade_id]

    def hear(self) -> None:
        """What the exchange works on has been answered."""
        for ref, live in self._live.items():
            live.told = live.told or self._exchange.works(ref)

    def place(self, intent: OrderIntent, limit: Decimal, now: datetime, size: int | None = None) -> None:
        """Send an order; without a size it is the intent's."""
        live = LiveOrder(intent, limit, intent.quantity if size is None else size, now)
        self._live[intent.ref] = live
        self.send(live, now)

    def send(self, live: LiveOrder, now: datetime) -> None:
        """Tell the exchange limit and size of an order as they are by now."""
        self._exchange.place(live.intent, live.limit, now, live.size)

    def cancel(self, live: LiveOrder, now: datetime) -> bool:
        """Ask for the end of an order, once; True when this has asked."""
        if live.cancel_asked:
            return False
        live.cancel_asked = True
        self._exchange.cancel(live.intent.ref, now)
        return True

    def cancel_entries(self, now: datetime) -> bool:
        """Ask for the end of every entry; True when one was asked for."""
        return sum(self.cancel(live, now) for live in self._live.values() if live.is_entry) > 0

    def end(self, live: LiveOrder) -> None:
        """An order is over."""
        del self._live[live.intent.ref]
