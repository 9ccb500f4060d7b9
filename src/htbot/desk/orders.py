"""The single sender: claims intents, sends each as one order, walks its limit, and keeps its state.

An order's state comes from the broker's messages only. Whatever leaves doubt - no answer, a lost socket, an error that
proves nothing - makes it UNKNOWN, and an UNKNOWN order is looked up by its reference before anything else is done about
it (ARCHITECTURE section 7).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy.orm import Session

from htbot.desk.last_word import rests, why_it_stays, would_open
from htbot.desk.live_order import LiveOrder
from htbot.desk.open_book import GUARDED
from htbot.desk.order_parts import OrderParts
from htbot.desk.record import Claim
from htbot.desk.settling import settle_due
from htbot.domain.errors import Retryable, StopTrading
from htbot.domain.fills import Fill
from htbot.domain.orders import WALKING, OrderIntent, OrderState, PriceStyle
from htbot.domain.signals import Leg
from htbot.domain.trades import Trade
from htbot.execution.broker_events import Asked
from htbot.execution.ladder import limit_at, next_change_s
from htbot.execution.states import OrderEvent, next_order_state
from htbot.execution.trade_fold import net_by_contract
from htbot.persistence.records import StoredIntent, ToldOrder
from htbot.portfolio.marks import Marks
from htbot.portfolio.positions import latest
from htbot.telemetry.failpoints import reach

# Quotes of a decision may be as old as those that a decision may read (RULINGS 6).
PRICES_STAND = timedelta(seconds=5)
DUPLICATE_ID = 103
# Intents that share a transaction; each has an order id of its own, and its own last look before the socket.
MOST_CLAIMED = 32
_WALKING = frozenset({OrderState.SUBMITTED, OrderState.PARTIAL})
_log = logging.getLogger(__name__)


class OrderDesk:
    """Live orders by reference, and everything that is done about them."""

    def __init__(self, parts: OrderParts) -> None:
        self._parts = parts
        self._live: dict[str, LiveOrder] = {}
        self._ref_of: dict[int, str] = {}
        self._met: set[str] = set()  # every reference of this process, ended ones too: the record may be behind
        self._ended: dict[str, tuple[tuple[Leg, ...], int, float]] = {}

    @property
    def host_s(self) -> float:
        """Host seconds, for measuring silence."""
        return self._parts.monotonic()

    def silent_for_good(self, live: LiveOrder, asked_s: float) -> bool:
        """True when what the broker did not show, asked at `asked_s`, has never reached it."""
        return asked_s - live.asked_at_s >= self._parts.silence.settle_s

    @property
    def live(self) -> tuple[LiveOrder, ...]:
        """Orders that are not over."""
        return tuple(self._live.values())

    def live_of_trade(self, trade_id: str) -> list[LiveOrder]:
        """Orders of one trade that are not over."""
        return [live for live in self._live.values() if live.intent.trade_id == trade_id]

    @property
    def legs(self) -> dict[int, str]:
        """Contracts of orders that are not over, each with its symbol: their limits walk on these quotes."""
        return {leg.con_id: live.intent.symbol for live in self._live.values() for leg in live.intent.legs}

    def of_ref(self, ref: str) -> LiveOrder | None:
        """The live order of a reference."""
        return self._live.get(ref)

    def has_met(self, ref: str) -> bool:
        """True for a reference that this process has sent or taken over, ended ones too."""
        return ref in self._met

    def filled_since(self, ref: str, executions: Iterable[Fill]) -> bool:
        """True for a reference that ended here and of which the broker shows more executions than were known then."""
        if ref not in self._met or ref in self._live:
            return False
        executed = net_by_contract(latest(executions))
        if ref not in self._ended:
            return bool(executed)
        legs, filled, _at_s = self._ended[ref]
        return any(abs(executed.get(leg.con_id, 0)) > filled * abs(leg.ratio) for leg in legs)

    def ended_since(self, ref: str, asked_s: float) -> bool:
        """True for a reference whose end was heard after the broker was asked: what it showed then is old."""
        return ref in self._ended and self._ended[ref][2] > asked_s

    def of_id(self, order_id: int, client_id: int) -> LiveOrder | None:
        """The live order of an id of this client."""
        if client_id != self._parts.record.client_id:
            return None
        live = self._live.get(self._ref_of.get(order_id, ""))
        return live if live is not None and live.order_id == order_id else None

    def restore(self, stored: Iterable[StoredIntent], errors: Mapping[str, int] | None = None) -> None:
        """What the record has as sent and nobody here knows of is in doubt until it has been looked up.

        The record follows behind: what has ended here does not come back because the record has not heard of it.
        """
        for item in stored:
            ref = item.intent.ref
            if item.order_id is None or ref in self._met:
                continue
            live = self.adopt(item.intent, item.order_id, item.intent.limit, item.changed_at)
            live.state, live.last_error = OrderState.UNKNOWN, (errors or {}).get(ref)

    def revive(self, stored: Iterable[StoredIntent]) -> None:
        """What has ended for us and is shown by the broker all the same is in doubt again."""
        kept = [item for item in stored if item.intent.ref not in self._live]
        self._met -= {item.intent.ref for item in kept}
        self.restore(kept)

    def adopt(self, intent: OrderIntent, order_id: int, limit: Decimal, now: datetime) -> LiveOrder:
        """From now on this order is followed; it is about to be sent."""
        live = LiveOrder(
            intent=intent,
            order_id=order_id,
            client_id=self._parts.record.client_id,
            state=OrderState.SENDING,
            walks_since=now,
            limit=limit,
            asked_at_s=self._parts.monotonic(),
            size=intent.quantity,
        )
        self._live[intent.ref] = live
        self._met.add(intent.ref)
        self._ref_of[order_id] = intent.ref
        self._parts.book.ordered(live)
        self._parts.numbers.used_id(order_id)
        self._parts.numbers.used_exit(intent.ref)
        return live

    # --- sending ---------------------------------------------------------------------------------------------------

    async def pump(self) -> int:
        """Claim and send what waits, some at a time; returns how many orders went to the socket."""
        sent = 0
        while self._parts.session.connected:
            order_ids = self._parts.numbers.claim_ids(MOST_CLAIMED)
            began_s = self._parts.monotonic()
            reach("before_claim")
            try:
                claims = await self._parts.database.run(self._claim(order_ids))
            except Retryable:  # the claim may have been committed without our hearing of it
                self._parts.numbers.used_id(order_ids[-1])
                self.restore(await self._parts.ledger.write(self._parts.record.sent))
                raise
            self._parts.numbers.keep(claim.order_id for claim in claims if claim.order_id is not None)
            if not claims:
                break
            unsent = list(claims)
            try:
                while unsent:
                    reach("after_claim")
                    await self._parts.closes_left()  # their ids are lower, and what closes comes first
                    sent += self._send(unsent.pop(0), began_s)
                    await asyncio.sleep(0)  # a close does not wait for a heap of entries
            except BaseException:  # the socket is gone, or the loop was cancelled
                self._doubt(unsent)
                raise
        return sent

    def _claim(self, order_ids: list[int]) -> Callable[[Session], list[Claim]]:
        now, enabled, halted = self._parts.clock(), self._parts.last_look.enabled(), self._parts.last_look.halted()
        return lambda session: self._parts.record.claim(session, now, order_ids, enabled=enabled, halted=halted)

    def _doubt(self, claims: Sequence[Claim]) -> None:
        """Claimed and not sent: in doubt until they have been looked up."""
        for claim in claims:
            if claim.trade is not None:
                self._parts.book.begin(claim.trade, claim.stored.intent)
        self.restore([replace(claim.stored, order_id=claim.order_id) for claim in claims])

    def _send(self, claim: Claim, began_s: float) -> int:
        intent, now = claim.stored.intent, self._parts.clock()
        in_time = claim.order_id is not None and self._parts.numbers.pass_id(claim.order_id)
        if intent.ref in self._met:  # the guard was faster with the same close, or its number is a stop's or target's
            live = self._live.get(intent.ref)
            if live is not None and not live.intent.serves(intent) and intent.exit_reason is not None:
                self._parts.book.want_out(intent.trade_id, intent.exit_reason)
            return 0
        self._met.add(intent.ref)
        self._parts.numbers.used_exit(intent.ref)
        if claim.order_id is None:
            _log.warning("not sent: %s: %s", intent.ref, claim.why_not)
            return 0
        if not in_time:
            self._withdraw(intent, now, f"order id {claim.order_id} would be refused: a higher one has left before it")
            return 0
        if claim.trade is not None:
            self._parts.book.begin(claim.trade, intent)
        why_not = why_it_stays(self._parts, self.live_of_trade(intent.trade_id), intent, now)
        if why_not is not None:
            self._withdraw(intent, now, why_not)
            return 0
        limit = self.first_limit(intent)
        if limit is None:
            self._withdraw(intent, now, "its legs have no price now")
            return 0
        live = self.adopt(intent, claim.order_id, limit, now)
        live.asked_at_s = began_s
        return self.place_promised(live)

    def would_open(self, live: LiveOrder) -> str | None:
        """Why a close that was never seen may not go out again; None: it may."""
        return would_open(self._parts, live)

    def rests(self, trade_id: str, now: datetime) -> bool:
        """True of a trade that is held over night, while the market is closed."""
        return rests(self._parts, trade_id, now)

    def first_limit(self, intent: OrderIntent, marks: Marks | None = None) -> Decimal | None:
        """The limit that an order leaves with, on the quotes of now, else the one of a decision that is fresh.

        `marks` are those quotes where the caller has just read them. None for an entry whose prices are gone.
        """
        limit = limit_at(intent, marks or self._parts.marks_of(intent), 0.0, None)
        fresh = self._parts.clock() - intent.created_at <= PRICES_STAND
        return intent.limit if limit is None and fresh else limit

    def _withdraw(self, intent: OrderIntent, now: datetime, why: str) -> None:
        """It does not leave. Whoever wanted the trade closed still does: the guard closes it as soon as it can."""
        _log.warning("not sent: %s: %s", intent.ref, why)
        if intent.exit_reason is not None:
            self._parts.book.want_out(intent.trade_id, intent.exit_reason)
        self._parts.ledger.post(lambda session: self._parts.record.withdraw(session, intent.ref, now, why))
        self.settle(intent.trade_id, now)

    def place(self, live: LiveOrder) -> None:
        """To the socket. Raises ConnectionError when it is gone: the order is in doubt then."""
        reach("before_send")
        self._parts.session.place(live.intent, live.order_id, live.limit, live.size)
        reach("after_send")
        _log.info("sent %s as order %s at %s", live.intent.ref, live.order_id, live.limit)

    def place_promised(self, live: LiveOrder) -> int:
        """To the socket, unless the session has ended since, or the lease: then it is in doubt and looked up."""
        if live.state is not OrderState.SENDING or self.silent_s(live) > self._parts.silence.lease_s:
            if live.state is OrderState.SENDING:
                live.state = OrderState.UNKNOWN
            _log.warning("not sent: %s was promised %.1f s ago", live.intent.ref, self.silent_s(live))
            return 0
        live.asked_at_s = self._parts.monotonic()
        self.place(live)
        return 1

    def send_again(self, live: LiveOrder, now: datetime) -> None:
        """A close that is proved absent goes out again under its own order id."""
        live.asked_at_s = self._parts.monotonic()
        live.limit = limit_at(live.intent, self._parts.marks_of(live.intent), 0.0, live.limit) or live.limit
        live.walks_since, live.next_walk_s = now, 0.0
        live.asked = Asked.PLACE
        self._parts.session.place(live.intent, live.order_id, live.limit, live.size)
        _log.warning("sent %s again as order %s: the broker has never seen it", live.intent.ref, live.order_id)

    # --- working ---------------------------------------------------------------------------------------------------

    def work(self, now: datetime) -> int:
        """Walk the limits that are due; returns how many orders were modified. Entries do not walk while halted."""
        modified, halted = 0, self._parts.last_look.halted_by
        for live in self.live:
            if live.is_entry and halted(live.intent.account) is not None:
                self.cancel(live)
            if live.state not in _WALKING or live.cancel_asked or not live.walk_due(now):
                continue
            elapsed_s = live.elapsed_s(now)
            live.next_walk_s = next_change_s(live.intent, elapsed_s, style=live.style)
            wanted = limit_at(live.intent, self._parts.marks_of(live.intent), elapsed_s, live.limit, style=live.style)
            if wanted is not None and wanted != live.limit:
                self.modify(live, wanted, live.size)
                modified += 1
        return modified

    def modify(self, live: LiveOrder, limit: Decimal, size: int) -> None:
        """Change the limit or the quantity of a working order."""
        live.limit, live.size, live.stands, live.asked = limit, size, None, Asked.MODIFY
        live.asked_at_s = self._parts.monotonic()
        reach("before_change")
        self._parts.session.place(live.intent, live.order_id, limit, size)
        reach("after_change")

    def hurry(self, live: LiveOrder, now: datetime) -> None:
        """From now on an exit that walks does so like a stop."""
        if live.style is not PriceStyle.URGENT and live.intent.style in WALKING - {PriceStyle.URGENT}:
            live.style, live.walks_since, live.next_walk_s = PriceStyle.URGENT, now, 0.0

    def cancel(self, live: LiveOrder) -> None:
        """Ask the broker to cancel, once; what has not left yet does not leave."""
        if not live.cancel_asked:
            live.cancel_asked = True
            if not live.promised:
                return  # it does not leave any more (`Closing`)
            live.asked, live.asked_at_s = Asked.CANCEL, self._parts.monotonic()
            self._parts.session.cancel(live.order_id)

    # --- what becomes of them --------------------------------------------------------------------------------------

    def happened(self, live: LiveOrder, event: OrderEvent, now: datetime, why: str) -> None:
        """An event of an order: its state, its record, its trade."""
        doubted, live.state = live.state is OrderState.UNKNOWN, next_order_state(live.state, event)
        if doubted and live.working:
            live.cancel_asked = False  # a cancel that was lost, refused or too early may be asked again
        intent, order, perm_ids = live.intent, live.as_order(), dict(live.perm_ids)
        if live.recorded == (order, perm_ids):  # the broker repeats itself
            return
        live.recorded = (order, perm_ids)
        _log.info("%s: %s, filled %s of %s", intent.ref, live.state, live.filled, intent.quantity)
        told = ToldOrder(order, now, perm_ids, why)
        self._parts.ledger.post_together(self._parts.record.save_orders, told, key=("order", intent.ref))
        if live.over:
            self._forget(live)
        if live.over or live.filled:  # nothing else about an order changes its trade
            self.settle(intent.trade_id, now)

    def forgo(self, live: LiveOrder, now: datetime, why: str) -> None:
        """What was promised does not leave any more: it is withdrawn, for the broker has never seen it."""
        live.state = next_order_state(live.state, OrderEvent.CANCEL)
        self._forget(live)
        self._parts.ledger.post(lambda session: self._parts.record.withdraw(session, live.intent.ref, now, why))
        self.settle(live.intent.trade_id, now)

    def _forget(self, live: LiveOrder) -> None:
        self._live.pop(live.intent.ref, None)
        self._ref_of.pop(live.order_id, None)
        self._ended[live.intent.ref] = live.intent.legs, live.filled, self.host_s
        self._parts.ended()

    def settle(self, trade_id: str, now: datetime, *, in_record: bool = True) -> None:
        """Bring a trade up to its orders and fills: in memory at once, in the record unless a close takes it along."""
        held = self._parts.book.get(trade_id)
        if held is not None:
            try:
                held.fold(now)
                self._parts.changed(held, now)
            except StopTrading as error:
                self._parts.broken(error)
        if in_record:
            due, key = (trade_id, now), ("trade", trade_id)
            self._parts.ledger.post_together(settle_due, due, self.settled, key=key, late=True)

    def settled(self, trade: Trade | None) -> None:
        """The record has brought a trade up to date; None for one that is not ours."""
        if trade is not None and trade.state in GUARDED and self._parts.book.get(trade.id) is None:
            self._parts.book.miss(trade.id)

    # --- doubt -----------------------------------------------------------------------------------------------------

    @property
    def doubtful(self) -> list[LiveOrder]:
        """Orders whose state is unknown."""
        return [live for live in self._live.values() if live.state is OrderState.UNKNOWN]

    def silent_s(self, live: LiveOrder) -> float:
        """Host seconds since the broker was last asked something about this order."""
        return self._parts.monotonic() - live.asked_at_s

    def doubt_all(self, why: str) -> None:
        """The session is gone: nothing is known of any order until it has been looked up.

        The settle time begins anew: a broker that has just come back may not show yet what it holds.
        """
        for live in self._live.values():
            if not live.over:
                live.state = OrderState.UNKNOWN
                live.error_text = why
                live.asked_at_s = self._parts.monotonic()

    def doubt_silent(self, now: datetime) -> None:
        """Orders that the broker has not answered in time are UNKNOWN, as are those whose change it has not."""
        most_s = self._parts.silence.answer_within_s
        for live in self.live:
            unanswered = live.state is OrderState.SENDING or live.cancel_asked or live.changing
            if unanswered and live.state is not OrderState.UNKNOWN and self.silent_s(live) > most_s:
                self.happened(live, OrderEvent.DOUBT, now, f"no answer within {most_s:g} s")

    def doubt_missing(self, working: Collection[str], now: datetime) -> None:
        """Orders that worked and are not among the broker's open ones have ended without our hearing of it."""
        for live in self.live:
            missing = live.intent.ref not in working and live.state not in {OrderState.SENDING, OrderState.UNKNOWN}
            if missing and self.silent_s(live) > self._parts.silence.answer_within_s:
                live.asked_at_s = self._parts.monotonic()  # silence has to last before it proves absence
                self.happened(live, OrderEvent.DOUBT, now, "not open at the broker")
