"""The way of a close: decided from memory, promised in the journal, sent, and told to the record behind it.

No close waits for PostgreSQL (RULINGS 1). The journal is on the disk before the socket is written, under the reference
and order id that the record will show: whatever dies in between, the close is found again and sent at most once.
"""

from __future__ import annotations

import logging
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from htbot.desk.journal import CLOSE, Entry, Journal, Promise
from htbot.desk.last_look import LastLook
from htbot.desk.ledger import Ledger
from htbot.desk.live_order import LiveOrder
from htbot.desk.open_book import OpenTrade
from htbot.desk.order_numbers import OrderNumbers
from htbot.desk.orders import OrderDesk
from htbot.desk.record import Close, DeskRecord
from htbot.domain.alerts import Alert
from htbot.execution.exits import ExitDecision
from htbot.execution.intents import exit_intent
from htbot.persistence.codecs import intent_from_json, intent_to_json, plain
from htbot.services.trade_record import exit_evidence
from htbot.telemetry.failpoints import reach

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ClosingParts:
    """What closes are made with."""

    orders: OrderDesk
    last_look: LastLook
    numbers: OrderNumbers
    journal: Journal
    ledger: Ledger
    record: DeskRecord


class Closing:
    """Makes closes leave, once each."""

    def __init__(self, parts: ClosingParts) -> None:
        self._parts = parts

    def prepare(self, held: OpenTrade, decision: ExitDecision) -> LiveOrder | None:
        """The close of a trade, in memory: from here on nobody else closes it. None when there is nothing to close."""
        trade = held.trade
        number = self._parts.numbers.next_exit(trade)
        whole = exit_intent(trade, decision.reason, decision.marks, decision.as_of, trade.quantity, number)
        quantity = self._parts.last_look.closable(whole)
        if quantity == 0:
            return None
        intent = whole
        if quantity != trade.quantity:
            intent = exit_intent(trade, decision.reason, decision.marks, decision.as_of, quantity, number)
        order_id = self._parts.numbers.next_id()
        limit = self._parts.orders.first_limit(intent, decision.marks) or intent.limit
        return self._parts.orders.adopt(intent, order_id, limit, decision.as_of)

    def begin(self, live: LiveOrder, close: Close, now: datetime) -> Coroutine[None, None, None] | None:
        """Promise, send, tell the record: done when None is returned, else what is left is to be awaited.

        A quick disk takes the promise on the spot, and nothing else has its turn before the order is at the socket.

        With the journal stuck the record has to promise instead; with both away the close is in doubt at once, is
        looked up, and goes out when one of them is back.
        """
        reach("before_journal")
        live.promised = False
        promise = self._parts.journal.begin(CLOSE, _to_json(close))
        if promise.kept is None:
            return self._when_kept(promise, live, close, now)
        if not promise.kept:
            return self._send_by_record(live, close, now)
        self._leave(promise, live, close, now)
        return None

    async def _when_kept(self, promise: Promise, live: LiveOrder, close: Close, now: datetime) -> None:
        if await self._parts.journal.kept(promise):
            self._leave(promise, live, close, now)
        else:
            await self._send_by_record(live, close, now)

    def _leave(self, promise: Promise, live: LiveOrder, close: Close, now: datetime) -> None:
        reach("after_journal")
        try:
            self._place(live)
        finally:
            self.record(close, promise.number)
            self._end_unsent(live, now)
            self._parts.orders.settle(live.intent.trade_id, now, in_record=False)

    async def _send_by_record(self, live: LiveOrder, close: Close, now: datetime) -> None:
        _log.critical("the close %s is promised by the record", live.intent.ref)
        await self._parts.ledger.write(lambda session: self._parts.record.store_close(session, close))
        self._parts.orders.settle(live.intent.trade_id, now, in_record=False)
        try:
            self._place(live)
        finally:
            self._end_unsent(live, now)

    def _place(self, live: LiveOrder) -> None:
        """What somebody has cancelled on its way to the disk does not leave."""
        live.promised = True
        if not live.cancel_asked:
            self._parts.orders.place_promised(live)

    def _end_unsent(self, live: LiveOrder, now: datetime) -> None:
        if live.cancel_asked:
            self._parts.orders.forgo(live, now, "cancelled before it left")

    def record(self, close: Close, number: int) -> None:
        """Tell the record of a close that the journal holds under a number."""
        self._parts.ledger.post(
            lambda session: self._parts.record.store_close(session, close),
            lambda _none: self._parts.journal.taken(number),
        )

    def replay(self, entry: Entry) -> None:
        """A close that the journal has and the record may not have."""
        close = _from_json(entry.body)
        self._parts.numbers.used_id(close.order_id)
        self._parts.numbers.used_exit(close.intent.ref)
        self.record(close, entry.number)


def as_close(live: LiveOrder, decision: ExitDecision, gain_usd: Decimal | None, alerts: tuple[Alert, ...]) -> Close:
    """What is promised about an order that closes a trade."""
    return Close(live.intent, live.order_id, plain(exit_evidence(decision)), gain_usd, alerts)


def _to_json(close: Close) -> dict[str, Any]:
    gain = close.max_gain_usd
    return {
        "intent": intent_to_json(close.intent),
        "order_id": close.order_id,
        "evidence": dict(close.evidence),
        "max_gain_usd": None if gain is None else str(gain),
    }


def _from_json(body: Mapping[str, Any]) -> Close:
    gain = body["max_gain_usd"]
    intent = intent_from_json(body["intent"])
    return Close(intent, int(body["order_id"]), body["evidence"], None if gain is None else Decimal(gain))
