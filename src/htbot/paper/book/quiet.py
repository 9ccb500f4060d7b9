"""Which resting limit orders the market of an instant cannot reach: they are not looked at one by one.

A gateway may hold thousands of them, and a look costs as much as thirty comparisons of prices.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from htbot.domain.orders import Action
from htbot.matching.fills import price_of
from htbot.matching.terms import OrderKind
from htbot.paper.book.orders import PaperOrder, Status
from htbot.paper.book.views import BookViews
from htbot.paper.prices import Prices

_NEVER = Decimal("Infinity")


@dataclass(frozen=True, slots=True)
class _Reach:
    """The lowest price that sellers and the highest that buyers gave at an instant; `everyone`: all must look."""

    low: Decimal = _NEVER
    high: Decimal = -_NEVER
    everyone: bool = False


class Quiet:
    """Answers for the instant of `prices`; what it knows of a contract is asked once an instant."""

    def __init__(self, prices: Prices, views: BookViews) -> None:
        self._prices = prices
        self._views = views
        self._key: tuple[datetime, datetime] | None = None
        self._reaches: dict[tuple[int, bool], _Reach] = {}

    def holds(self, order: PaperOrder, since: datetime) -> bool:
        """True for an order that no trade or quote after `since` can fill, and that nothing else concerns now."""
        ticket, limit = order.ticket, order.ticket.limit
        if (
            limit is None
            or ticket.kind is not OrderKind.LIMIT
            or order.due
            or order.status is not Status.SUBMITTED
            or not order.progress.resting
            or order.tradable.is_combination
            or ticket.conditions.cancel
            or (ticket.good_till is not None and ticket.good_till <= self._prices.at)
        ):
            return False
        reach = self._reach(order, since)
        if reach.everyone:
            return False
        return limit <= reach.low if ticket.action is Action.BUY else limit >= reach.high

    def _reach(self, order: PaperOrder, since: datetime) -> _Reach:
        if self._key != (self._prices.at, since):
            self._key = (self._prices.at, since)
            self._reaches.clear()
        key = (order.tradable.legs[0].con_id, order.ticket.outside_rth)
        found = self._reaches.get(key)
        if found is None:
            found = self._reaches[key] = self._ask(order, since)
        return found

    def _ask(self, order: PaperOrder, since: datetime) -> _Reach:
        if self._views.opened_since(order, since):
            return _Reach(everyone=True)
        if not self._views.trades(order) or self._views.halted(order):
            return _Reach()
        con_id = order.tradable.legs[0].con_id
        quote = self._prices.quote(con_id)
        trades = self._prices.prints(con_id, since) if since < self._prices.at else ()
        printed = [trade.price for trade in trades]
        lows = [*printed, *([quote.ask] if quote is not None and quote.ask is not None else ())]
        highs = [*printed, *([quote.bid] if quote is not None and quote.bid is not None else ())]
        low = price_of(min(lows)) if lows else _NEVER
        return _Reach(low, price_of(max(highs)) if highs else -_NEVER)
