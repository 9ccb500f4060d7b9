"""Stop and target of a trade on a plain instrument, kept at the broker: they close it also when this desk is dead.

They are placed at the first fill of the entry, follow what is held while it fills further, and exclude each other there
(OCA type 2: a fill of one reduces the other); they stand for no more than the broker shows of what is held. Each is
promised in the journal under a reference of its own before it leaves, so that a desk that comes after finds it again.
Whoever closes the trade for another reason cancels them first and waits for their end (decision 0024).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from htbot.alerts.wording import error_alert
from htbot.desk.last_look import LastLook
from htbot.desk.ledger import Ledger
from htbot.desk.level_sales import LevelSales
from htbot.desk.live_order import LiveOrder
from htbot.desk.open_book import GUARDED, OpenBook, OpenTrade
from htbot.desk.order_numbers import OrderNumbers
from htbot.desk.orders import OrderDesk
from htbot.desk.record import Close
from htbot.domain.orders import OrderIntent, PriceStyle
from htbot.execution.intents import ProtectivePlace, protective_intent
from htbot.execution.protective import Attempts, Change, Place, Standing, protective_steps
from htbot.services.outbox import tell_seldom

# The broker may show a position later than it tells the execution that made it.
SHOWN_WITHIN = timedelta(seconds=5)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ProtectingParts:
    """What it works with. `send` promises an order and has it leave; `ready`: orders get through, the market is open.

    `sales` are the parts that leave once stop and target have made room for them.
    """

    orders: OrderDesk
    last_look: LastLook
    book: OpenBook
    sales: LevelSales
    numbers: OrderNumbers
    ledger: Ledger
    ready: Callable[[datetime], bool]
    send: Callable[[LiveOrder, Close, datetime], None]


@dataclass(slots=True)
class _Shown:
    """What the broker shows of a trade: units of our fills that are `missing`, since when there is nothing of it."""

    missing: int = 0
    gone_since: datetime | None = None


class Protecting:
    """Brings what stands at the broker up to what is held. Nothing here waits."""

    def __init__(self, parts: ProtectingParts) -> None:
        self._parts = parts
        self._attempts: dict[str, Attempts] = {}
        self._shown: dict[str, _Shown] = {}
        self._looking: set[str] = set()

    def look(self, now: datetime) -> None:
        """Look at every plain trade, and at what stands for trades that are over."""
        for held in self._parts.book.guarded:
            self.look_at(held, now)
        for live in self._parts.orders.live:
            owner = self._parts.book.get(live.intent.trade_id) if live.protective else None
            if owner is not None and owner.trade.state not in GUARDED and not owner.units:
                self._parts.orders.cancel(live)  # its other half has closed the trade and the broker left it standing

    def look_at(self, held: OpenTrade, now: datetime) -> None:
        """Place what is missing, change what does not fit; called on every change of a trade.

        They stand for what stays when a part is sold; the part leaves once the broker has shown them so. An order that
        leaves here changes its trade: that is no other look.
        """
        if held.trade.id in self._looking:
            return
        self._looking.add(held.trade.id)
        try:
            self._look_at(held, now)
        finally:
            self._looking.discard(held.trade.id)

    def _look_at(self, held: OpenTrade, now: datetime) -> None:
        ready, shown = self._parts.ready(now), self._shown.setdefault(held.trade.id, _Shown())
        self._parts.sales.review(held, now, ready=ready)
        stands = held.trade.plain is not None and held.trade.state in GUARDED and not held.leaving
        if not (ready and stands) or held.awaits_exits:  # what is held is known when the executions have come
            shown.gone_since = None
            return
        attempts = self._attempts.setdefault(held.trade.id, Attempts())
        standing = {live.intent.style: live for live in held.protective}
        told = {style: _standing(held, live) for style, live in standing.items()}
        covered = self._covered(held, shown, now)
        if self._is_gone(held, shown, covered, now):
            for live in standing.values():
                self._parts.orders.cancel(live)  # what it would close is not there: it would open something
        if held.part is not None and covered < min(held.units, held.selling + bool(standing)):
            self._parts.orders.cancel(held.part)  # what it sells, or what would stay beside it, was sold elsewhere
        for step in protective_steps(held.trade, max(0, covered - held.selling), told, attempts, now):
            if isinstance(step, Place):
                self._place(held, step, standing, attempts, now)
            else:
                self._change(held, step, attempts, now)
        self._parts.sales.look(held, covered, now)

    def _covered(self, held: OpenTrade, shown: _Shown, now: datetime) -> int:
        """Units of our fills that the broker shows, too, once it has had time to show them.

        What it did not show before a fill it does not show after it either.
        """
        near = (held, *self._parts.book.sharing(held.trade))
        newest = max((fill.executed_at for one in near for fill in one.fills.values()), default=now)
        if now - newest < SHOWN_WITHIN:
            return max(0, held.units - shown.missing)
        covered = min(held.units, self._parts.last_look.share(held.trade))
        shown.missing = held.units - covered
        return covered

    def _is_gone(self, held: OpenTrade, shown: _Shown, covered: int, now: datetime) -> bool:
        """Whether nothing of a trade has been shown for longer than a broker may take; at once where others hold it."""
        shown.gone_since = None if covered else shown.gone_since or now
        if shown.gone_since is None:
            return False
        return now - shown.gone_since >= SHOWN_WITHIN or self._parts.last_look.others_hold(held.trade)

    def _change(self, held: OpenTrade, step: Change, attempts: Attempts, now: datetime) -> None:
        attempts.changed_at[step.ref] = now
        self._parts.orders.modify(held.orders[step.ref], step.limit, step.size)
        _log.info("%s follows its trade: %s units at %s", step.ref, step.size, step.limit)

    def _place(
        self,
        held: OpenTrade,
        step: Place,
        standing: dict[PriceStyle, LiveOrder],
        attempts: Attempts,
        now: datetime,
    ) -> None:
        """One order, in the group of what stands already."""
        trade, number = held.trade, self._parts.numbers.next_exit(held.trade)
        group = next((live.intent.group for live in standing.values()), None) or f"{trade.id}-X{number}"
        place = ProtectivePlace(number, group, max(step.units, held.units, held.entry_quantity))
        intent = protective_intent(trade, step.style, step.price, now, place)
        order_id = self._parts.numbers.next_id()
        live = self._parts.orders.adopt(intent, order_id, intent.limit, now)
        live.size = step.units
        standing[step.style] = live
        attempts.note_place(step.style, now)
        if attempts.placed[step.style] > 1:
            self._tell(intent, now)
        evidence = {"price": str(step.price), "units": step.units, "detail": "stands at the broker"}
        self._parts.send(live, Close(intent, order_id, evidence), now)

    def _tell(self, intent: OrderIntent, now: datetime) -> None:
        text = f"the {intent.ref} replaces one that has ended at the broker while its trade is open"
        alert = error_alert("protective order", text, now, trade_id=intent.trade_id, account=intent.account)
        self._parts.ledger.post(lambda session: tell_seldom(session, alert))


def _standing(held: OpenTrade, live: LiveOrder) -> Standing:
    changeable = live.working and not live.cancel_asked
    return Standing(live.intent.ref, live.limit, live.size, live.intent.quantity, held.booked(live), changeable)
