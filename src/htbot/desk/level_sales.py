"""Sales of a part at a profit level: a wish until what stands at the broker leaves room for it, an order from then on.

What waits stays PENDING in the record, so that nothing about it is ever in doubt, and a desk that dies leaves it to the
next one. It leaves like a close, promised in the journal under an order id of that moment (decision 0044).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from htbot.desk.ledger import Ledger
from htbot.desk.live_order import LiveOrder
from htbot.desk.open_book import GUARDED, OpenBook, OpenTrade, Wish
from htbot.desk.order_numbers import OrderNumbers
from htbot.desk.orders import OrderDesk
from htbot.desk.record import Close, DeskRecord
from htbot.desk.threads import DatabaseThread
from htbot.domain.orders import OrderIntent
from htbot.persistence.repositories import IntentRepository
from htbot.services.trade_record import GIVES_WAY

# Longer than the broker may take to answer a change, and to be asked once more.
ROOM_WITHIN = timedelta(seconds=30)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SalesParts:
    """What it works with. `send` promises an order and has it leave."""

    database: DatabaseThread
    ledger: Ledger
    record: DeskRecord
    orders: OrderDesk
    book: OpenBook
    numbers: OrderNumbers
    send: Callable[[LiveOrder, Close, datetime], None]


class LevelSales:
    """The parts of this desk's trades that are to be sold. Looking never waits."""

    def __init__(self, parts: SalesParts) -> None:
        self._parts = parts
        self._given_up: set[str] = set()

    async def hear(self, now: datetime) -> None:
        """Take what has been asked for: from here on stop and target make room for it."""
        for intent in await self._parts.database.run(lambda session: IntentRepository(session).waiting_parts()):
            if intent.ref in self._given_up or self._parts.orders.has_met(intent.ref):
                continue
            self._parts.numbers.used_exit(intent.ref)
            held = self._parts.book.get(intent.trade_id)
            if held is None or held.leaving:
                self._give_up(intent, now, GIVES_WAY)
            elif not held.selling:
                held.wish = Wish(intent)
                self._parts.orders.settle(intent.trade_id, now, in_record=False)

    def review(self, held: OpenTrade, now: datetime, *, ready: bool) -> None:
        """Give up what cannot leave any more. A sale of everything that is held would be a close.

        What is `ready` could leave if there were room; the time of others does not run.
        """
        if held.wish is None:
            return
        if not ready:
            held.wish.blocked_since = None
        if held.leaving or held.trade.state not in GUARDED:
            self.cancel(held, now, GIVES_WAY)
        elif held.wish.intent.quantity >= held.units:
            self.cancel(held, now, f"sells {held.wish.intent.quantity}, but only {held.units} are held by now")

    def look(self, held: OpenTrade, covered: int, now: datetime) -> None:
        """Sell when there is room: with stop and target no more than the `covered` units can be closed then."""
        wish = held.wish
        if wish is None:
            return
        stays = covered - wish.intent.quantity
        if stays >= 0 and all(_stands_for_most(live, stays) for live in held.protective):
            self._sell(held, wish.intent, now)
        elif wish.blocked_since is None:
            wish.blocked_since = now
        elif now - wish.blocked_since > ROOM_WITHIN:
            self.cancel(held, now, f"stop and target have not made room for it within {ROOM_WITHIN.seconds} s")

    def cancel(self, held: OpenTrade, now: datetime, why: str) -> None:
        """What has not left does not leave any more."""
        if held.wish is not None:
            wish, held.wish = held.wish, None
            self._give_up(wish.intent, now, why)

    def cancel_named(self, ref: str | None, now: datetime) -> None:
        """The same for one by its reference, or for all, by a person's word."""
        for held in self._parts.book.guarded:
            if held.wish is not None and ref in {None, held.wish.intent.ref}:
                self.cancel(held, now, "cancelled")

    def _sell(self, held: OpenTrade, intent: OrderIntent, now: datetime) -> None:
        held.wish = None
        order_id = self._parts.numbers.next_id()
        limit = self._parts.orders.first_limit(intent) or intent.limit
        live = self._parts.orders.adopt(intent, order_id, limit, now)
        self._parts.send(live, Close(intent, order_id, {}), now)

    def _give_up(self, intent: OrderIntent, now: datetime, why: str) -> None:
        _log.warning("not sent: %s: %s", intent.ref, why)
        self._given_up.add(intent.ref)
        self._parts.ledger.post(lambda session: self._parts.record.give_up(session, intent, now, why))


def _stands_for_most(live: LiveOrder, most: int) -> bool:
    """Whether the broker has shown an order to work for no more than so many; of one that changes it is not known."""
    return live.working and live.stands is not None and live.stands - live.filled <= most
