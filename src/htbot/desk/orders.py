"""The single sender: claims intents, sends each as one order, walks its limit, and follows what the broker says of it.

An order's state comes from the broker's messages only. Whatever leaves doubt - no answer, a lost socket, an error that
proves nothing - makes it UNKNOWN, and an UNKNOWN order is looked up by its reference before anything else is done about
it (ARCHITECTURE section 7).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from sqlalchemy.orm import Session

from htbot.desk.halts import HaltWatch
from htbot.desk.live_order import LiveOrder
from htbot.desk.record import Claim, ClaimTerms, DeskRecord, check_executions
from htbot.desk.threads import DatabaseThread
from htbot.domain.errors import Retryable
from htbot.domain.orders import OrderIntent, OrderState, PriceStyle
from htbot.domain.trades import Trade
from htbot.execution.broker_events import Asked, OrderReport, event_of_error, event_of_status
from htbot.execution.ladder import limit_at, next_change_s
from htbot.execution.messages import (
    BagExecutionMessage,
    CommissionMessage,
    ErrorMessage,
    LegExecutionMessage,
    OpenOrderMessage,
    OrderMessage,
    OrderStatusMessage,
)
from htbot.execution.reconciliation import REF_PREFIX, Outcome
from htbot.execution.states import OrderEvent, next_order_state
from htbot.persistence.records import StoredIntent
from htbot.portfolio.marks import Marks

ANSWER_WITHIN_S = 10.0
_WALKING = frozenset({OrderState.SUBMITTED, OrderState.PARTIAL})
_LOOKED_UP = {
    Outcome.WORKING: OrderEvent.ACKNOWLEDGE,
    Outcome.FILLED: OrderEvent.FULL_FILL,
    Outcome.CANCELLED: OrderEvent.CANCEL,
    Outcome.REJECTED: OrderEvent.REJECT,
}
_ENDS = frozenset({OrderEvent.CANCEL, OrderEvent.EXPIRE, OrderEvent.REJECT})
_log = logging.getLogger(__name__)


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

    def place(self, intent: OrderIntent, order_id: int, limit: Decimal) -> None:
        """Send or modify an order."""
        ...

    def cancel(self, order_id: int) -> None:
        """Ask for a cancel."""
        ...


@dataclass(frozen=True, slots=True)
class OrderParts:
    """What the sender works with. `marks_of` prices the legs of an intent now; `monotonic` times IO.

    While `enabled` is False entries wait, and expire if that takes too long; exits leave.
    """

    session: OrderSession
    database: DatabaseThread
    record: DeskRecord
    halts: HaltWatch
    marks_of: Callable[[OrderIntent], Marks]
    on_trade: Callable[[Trade], None]
    enabled: Callable[[], bool]
    holdings: Callable[[str], Mapping[int, int]]
    monotonic: Callable[[], float] = time.monotonic


class OrderDesk:
    """Live orders by reference, and everything that happens to them."""

    def __init__(self, parts: OrderParts) -> None:
        self._parts = parts
        self._live: dict[str, LiveOrder] = {}

    @property
    def live(self) -> Iterable[LiveOrder]:
        """Orders that are not over."""
        return tuple(self._live.values())

    def live_of_trade(self, trade_id: str) -> list[LiveOrder]:
        """Orders of one trade that are not over."""
        return [live for live in self._live.values() if live.intent.trade_id == trade_id]

    def restore(self, stored: Iterable[StoredIntent]) -> None:
        """What the record has as sent and nobody here knows of is in doubt until it has been looked up."""
        for item in stored:
            if item.order_id is None or item.intent.ref in self._live:
                continue
            self._live[item.intent.ref] = LiveOrder(
                intent=item.intent,
                order_id=item.order_id,
                client_id=self._parts.record.client_id,
                state=OrderState.UNKNOWN,
                walks_since=item.changed_at,
                limit=item.intent.limit,
                asked_at_s=self._parts.monotonic(),
            )

    def doubt_all(self, why: str) -> None:
        """The session is gone: nothing is known of any order until it has been looked up.

        The settle time begins anew: a broker that has just come back may not show yet what it holds.
        """
        for live in self._live.values():
            if not live.over:
                live.state = OrderState.UNKNOWN
                live.error_text = why
                live.asked_at_s = self._parts.monotonic()

    @property
    def doubtful(self) -> list[LiveOrder]:
        """Orders whose state is unknown."""
        return [live for live in self._live.values() if live.state is OrderState.UNKNOWN]

    # --- sending ---------------------------------------------------------------------------------------------------

    async def pump(self, now: datetime) -> int:
        """Claim and send what waits; returns how many orders went to the socket."""
        sent = 0
        while self._parts.session.connected:
            try:
                claim = await self._parts.database.run(self._claim_at(now))
            except Retryable:  # the claim may have been committed without our hearing of it
                self.restore(await self._parts.database.insist(self._parts.record.sent))
                raise
            if claim is None:
                break
            sent += await self._send(claim, now)
        return sent

    def _claim_at(self, now: datetime) -> Callable[[Session], Claim | None]:
        terms = ClaimTerms(self._parts.enabled(), self._parts.halts.entries_halted_by(), self._parts.holdings)
        next_id = self._parts.session.next_valid_id
        return lambda session: self._parts.record.claim(session, now, next_id, terms)

    async def _send(self, claim: Claim, now: datetime) -> int:
        intent = claim.stored.intent
        if claim.order_id is None:
            _log.warning("not sent: %s: %s", intent.ref, claim.why_not)
            return 0
        limit = limit_at(intent, self._parts.marks_of(intent), 0.0, None) or intent.limit
        live = LiveOrder(
            intent=intent,
            order_id=claim.order_id,
            client_id=self._parts.record.client_id,
            state=OrderState.SENDING,
            walks_since=now,
            limit=limit,
            asked_at_s=self._parts.monotonic(),
        )
        # The last look at the kill switch, between the commit and the socket.
        halted = self._parts.halts.entries_halted_by() if live.is_entry else None
        if halted is not None:
            await self._parts.database.insist(lambda session: self._parts.record.withdraw(session, live, now, halted))
            return 0
        self._live[intent.ref] = live
        self._parts.session.place(intent, claim.order_id, limit)
        _log.info("sent %s as order %s at %s", intent.ref, claim.order_id, limit)
        return 1

    async def send_again(self, live: LiveOrder, now: datetime) -> None:
        """A close that is proved absent goes out again, under the order id that it reserved and no other."""
        live.asked_at_s = self._parts.monotonic()
        live.limit = limit_at(live.intent, self._parts.marks_of(live.intent), 0.0, live.limit) or live.limit
        live.walks_since, live.next_walk_s = now, 0.0
        live.asked = Asked.PLACE
        self._parts.session.place(live.intent, live.order_id, live.limit)
        _log.warning("sent %s again as order %s: the broker has never seen it", live.intent.ref, live.order_id)

    # --- working ---------------------------------------------------------------------------------------------------

    def work(self, now: datetime) -> int:
        """Walk the limits that are due; returns how many orders were modified."""
        modified = 0
        for live in self._live.values():
            if live.state not in _WALKING or live.cancel_asked or not live.walk_due(now):
                continue
            elapsed_s = live.elapsed_s(now)
            live.next_walk_s = next_change_s(live.intent, elapsed_s, style=live.style)
            wanted = limit_at(live.intent, self._parts.marks_of(live.intent), elapsed_s, live.limit, style=live.style)
            if wanted is not None and wanted != live.limit:
                live.limit, live.asked = wanted, Asked.MODIFY
                live.asked_at_s = self._parts.monotonic()
                self._parts.session.place(live.intent, live.order_id, wanted)
                modified += 1
        return modified

    def hurry(self, live: LiveOrder, now: datetime) -> None:
        """From now on an exit walks like a stop."""
        if live.style is not PriceStyle.URGENT and live.intent.style is not PriceStyle.URGENT:
            live.style, live.walks_since, live.next_walk_s = PriceStyle.URGENT, now, 0.0

    def cancel(self, live: LiveOrder) -> None:
        """Ask the broker to cancel, once."""
        if not live.cancel_asked:
            live.cancel_asked, live.asked = True, Asked.CANCEL
            live.asked_at_s = self._parts.monotonic()
            self._parts.session.cancel(live.order_id)

    async def doubt_silent(self, now: datetime) -> None:
        """Orders that the broker has not answered in time are UNKNOWN."""
        for live in tuple(self._live.values()):
            waiting = live.state is OrderState.SENDING or (live.cancel_asked and live.state is not OrderState.UNKNOWN)
            if waiting and self.silent_s(live) > ANSWER_WITHIN_S:
                await self._happened(live, OrderEvent.DOUBT, now, f"no answer within {ANSWER_WITHIN_S:.0f} s")

    async def doubt_missing(self, working: Collection[str], now: datetime) -> None:
        """Orders that worked and are not among the broker's open ones have ended without our hearing of it."""
        for live in self.live:
            missing = live.intent.ref not in working and live.state not in {OrderState.SENDING, OrderState.UNKNOWN}
            if missing and self.silent_s(live) > ANSWER_WITHIN_S:
                live.asked_at_s = self._parts.monotonic()  # silence has to last before it proves absence
                await self._happened(live, OrderEvent.DOUBT, now, "not open at the broker")

    # --- the broker's messages -------------------------------------------------------------------------------------

    async def on_message(self, message: OrderMessage, now: datetime) -> None:
        """One message, in order of arrival."""
        match message:
            case OrderStatusMessage():
                await self._on_status(message, now)
            case OpenOrderMessage():
                await self._on_open_order(message, now)
            case LegExecutionMessage():
                await self._on_leg(message, now)
            case BagExecutionMessage():
                self._on_bag(message)
            case CommissionMessage():
                await self._book(
                    lambda session: self._parts.record.book_commission(
                        session, message.exec_id, message.commission_usd, now
                    )
                )
            case ErrorMessage():
                await self._on_error(message, now)

    def _by_order_id(self, order_id: int, client_id: int) -> LiveOrder | None:
        if client_id != self._parts.record.client_id:
            return None
        return next((live for live in self._live.values() if live.order_id == order_id), None)

    async def _on_status(self, message: OrderStatusMessage, now: datetime) -> None:
        live = self._by_order_id(message.order_id, message.client_id)
        if live is None:
            return
        live.filled = max(live.filled, message.filled)
        if message.filled:
            live.average_price = message.average_price
        if message.perm_id:
            live.perm_ids.add(message.perm_id)
        report = OrderReport(message.status, message.filled, message.remaining, live.last_error, live.expired(now))
        await self._reported(live, report, now, message.why_held)

    async def _on_open_order(self, message: OpenOrderMessage, now: datetime) -> None:
        live = self._live.get(message.ref)
        if live is None:
            return
        if message.perm_id:
            live.perm_ids.add(message.perm_id)
        if message.completed:
            live.filled = max(live.filled, message.filled)
        remaining = live.intent.quantity - live.filled
        report = OrderReport(message.status, live.filled, remaining, live.last_error, live.expired(now))
        await self._reported(live, report, now, "")

    async def _reported(self, live: LiveOrder, report: OrderReport, now: datetime, why: str) -> None:
        event = event_of_status(report)
        if event in _ENDS and len(live.perm_ids) > 1:
            event = OrderEvent.DOUBT  # another permId of the reference may still work (ARCHITECTURE section 7.5)
        if event is not None:
            await self._happened(live, event, now, why)

    async def _on_leg(self, message: LegExecutionMessage, now: datetime) -> None:
        fill = message.fill
        if not fill.ref.startswith(REF_PREFIX):
            _log.warning("execution %s is not ours: ref %r", fill.exec_id, fill.ref)
            return
        # Booked first, judged after: what the broker did stands, however strange it is.
        await self._parts.database.insist(lambda session: self._parts.record.book_fill(session, fill, now))
        await self._book(lambda session: self._parts.record.settle_fill(session, fill, now))
        bag_price = self._bag_price(fill.ref)
        await self._parts.database.insist(lambda session: check_executions(session, fill.ref, bag_price))

    def _bag_price(self, ref: str) -> Decimal | None:
        """The combination's price once all of it is executed, None before and for a changing average."""
        live = self._live.get(ref)
        return live.average_price if live is not None and live.filled == live.intent.quantity == 1 else None

    def _on_bag(self, message: BagExecutionMessage) -> None:
        live = self._live.get(message.ref)
        if live is not None:
            live.filled = max(live.filled, message.cumulative)
            live.average_price = message.price

    async def _on_error(self, message: ErrorMessage, now: datetime) -> None:
        live = self._by_order_id(message.request_id, self._parts.record.client_id)
        if live is None:
            return
        live.last_error, live.error_text = message.code, message.text
        event = event_of_error(message.code, live.asked)
        if event is OrderEvent.CANCEL and live.expired(now):
            event = OrderEvent.EXPIRE
        if event is not None:
            await self._happened(live, event, now, f"{message.code} {message.text}")

    async def _happened(self, live: LiveOrder, event: OrderEvent, now: datetime, why: str) -> None:
        live.state = next_order_state(live.state, event)
        _log.info("%s: %s, filled %s of %s", live.intent.ref, live.state, live.filled, live.intent.quantity)
        await self._book(lambda session: self._parts.record.save_order(session, live, now, why))
        if live.over:
            self._live.pop(live.intent.ref, None)

    async def _book(self, work: Callable[..., Trade | None]) -> None:
        trade = await self._parts.database.insist(work)
        if trade is not None:
            self._parts.on_trade(trade)

    # --- doubt -----------------------------------------------------------------------------------------------------

    def silent_s(self, live: LiveOrder) -> float:
        """Host seconds since the broker was last asked something about this order."""
        return self._parts.monotonic() - live.asked_at_s

    async def resolved(self, live: LiveOrder, outcome: Outcome, now: datetime) -> None:
        """The look-up has told what became of an order in doubt."""
        if outcome is Outcome.WORKING:
            live.cancel_asked = False  # a cancel that was lost or refused may be asked again
        await self._happened(live, _LOOKED_UP[outcome], now, "looked up")

    async def resolve_absent(self, live: LiveOrder, now: datetime) -> None:
        """The broker has never seen it, and its settle time is over: an entry expires, a close goes out again."""
        if live.is_entry:
            await self._happened(live, OrderEvent.EXPIRE, now, "the broker has never seen it")
        else:
            await self.send_again(live, now)
