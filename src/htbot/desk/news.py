"""What the broker says about orders, folded in order of arrival: the only sources of an order's state (RULINGS 4)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from htbot.desk.ledger import Ledger
from htbot.desk.live_order import LiveOrder
from htbot.desk.open_book import OpenBook, OpenTrade
from htbot.desk.orders import DUPLICATE_ID, OrderDesk
from htbot.desk.record import DeskRecord
from htbot.desk.settling import check_executions
from htbot.desk.told import Told
from htbot.domain.errors import StopTrading
from htbot.domain.fills import Fill
from htbot.execution.broker_events import OrderReport, event_of_error, event_of_status
from htbot.execution.fills import judge_executions
from htbot.execution.messages import (
    BagExecutionMessage,
    CommissionMessage,
    ErrorMessage,
    LegExecutionMessage,
    OpenOrderMessage,
    OrderMessage,
    OrderStatusMessage,
)
from htbot.execution.reconciliation import REF_PREFIX, state_of_status
from htbot.execution.states import OrderEvent
from htbot.portfolio.pnl import net_price
from htbot.services.bookings import Charge, Execution
from htbot.telemetry.failpoints import reach

_ENDS = frozenset({OrderEvent.CANCEL, OrderEvent.EXPIRE, OrderEvent.REJECT})
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class OrderNews:
    """Tells orders, trades and the record what has happened. Nothing here waits.

    A broker tells of executions as soon as the session stands. What comes before the desk has taken over is kept until
    `begin`: the intent that an execution belongs to may be known to the journal only. `stranger` is called for each
    execution without our reference in what a trade holds: options that have just expired are closed by such.
    """

    orders: OrderDesk
    book: OpenBook
    ledger: Ledger
    record: DeskRecord
    stranger: Callable[[], None]
    told: Told = field(default_factory=Told)
    filled: set[str] = field(default_factory=set)
    """Accounts of executions, and of their commissions, that the breaker has not judged yet."""
    _early: list[tuple[OrderMessage, datetime]] | None = field(default_factory=list)
    _foreign: dict[str, Fill] = field(default_factory=dict)

    @property
    def foreign(self) -> tuple[Fill, ...]:
        """Executions without our reference that this desk was told: a person's, or the broker's own, as at expiry."""
        return tuple(self._foreign.values())

    def begin(self, booked: Iterable[Fill], executed: Iterable[OrderMessage], now: datetime) -> None:
        """The desk has taken over: fold what came before, in order of arrival, and from now on at once.

        What the broker has `executed` comes first: what came since the session stands may close what nobody here has
        heard to be opened.

        Args:
            booked: executions that the record holds.
            executed: those of the day as the broker lists them, asked for in this session.
            now: market time.
        """
        self.told.load(booked)
        early, self._early = self._early or [], None
        for message, heard_at in (*((one, now) for one in executed), *early):
            self.on_message(message, heard_at)

    def on_message(self, message: OrderMessage, now: datetime) -> None:
        """One message."""
        if self._early is not None:
            self._early.append((message, now))
            return
        reach("after_reply")
        match message:
            case OrderStatusMessage():
                self._on_status(message, now)
            case OpenOrderMessage():
                self._on_open_order(message, now)
            case LegExecutionMessage():
                self._on_leg(message, now)
            case BagExecutionMessage():
                self._on_bag(message)
            case CommissionMessage():
                self._on_commission(message, now)
            case ErrorMessage():
                self._on_error(message, now)

    def _on_status(self, message: OrderStatusMessage, now: datetime) -> None:
        live = self.orders.of_id(message.order_id, message.client_id)
        if live is None:
            return
        live.filled = max(live.filled, message.filled)
        if message.filled:
            live.average_price = live.intent.in_books(message.average_price)
        if message.perm_id:
            live.perm_ids[message.perm_id] = state_of_status(message.status, message.filled)
        report = OrderReport(message.status, message.filled, message.remaining, live.last_error, live.expired(now))
        self._reported(live, report, now, message.why_held)

    def _on_open_order(self, message: OpenOrderMessage, now: datetime) -> None:
        live = self.orders.of_ref(message.ref)
        if live is None:
            return
        if message.perm_id:
            state = state_of_status(message.status, live.filled, completed=message.completed)
            live.perm_ids[message.perm_id] = state
        if message.completed:
            live.filled = max(live.filled, message.filled)
        live.follow(message)
        remaining = 0 if message.status == "Filled" and live.protective else live.intent.quantity - live.filled
        report = OrderReport(message.status, live.filled, remaining, live.last_error, live.expired(now))
        self._reported(live, report, now, "")

    def _reported(self, live: LiveOrder, report: OrderReport, now: datetime, why: str) -> None:
        event = event_of_status(report)
        if event in _ENDS and len(live.perm_ids) > 1:
            event = OrderEvent.DOUBT  # another permId of the reference may still work (ARCHITECTURE section 7.5)
        if event is not None:
            self.orders.happened(live, event, now, why)

    def _on_leg(self, message: LegExecutionMessage, now: datetime) -> None:
        fill = message.fill
        if not fill.ref.startswith(REF_PREFIX):
            if fill.exec_id not in self._foreign:
                _log.warning("execution %s is not ours: ref %r", fill.exec_id, fill.ref)
                if self.book.guarded_with((fill.con_id,)):
                    self.stranger()
            self._foreign[fill.exec_id] = fill
            return
        if not self.told.execution_is_news(fill):
            return
        self.filled.add(fill.account)
        if fill.exec_id not in self.told.booked:
            # Booked first, judged after: what the broker did stands, however strange it is.
            self.ledger.post_together(
                self.record.book, Execution(fill, now), lambda _booked: self.told.booked.add(fill.exec_id)
            )
        price, held = self._bag_price(fill.ref), self.book.filled(fill)
        self._average(held, fill.ref)
        self._settle(held, fill.ref, now)
        self._judge(held, fill.ref, price)

    def _judge(self, held: OpenTrade | None, ref: str, bag_price: Decimal | None) -> None:
        """What was executed is what was asked for; of an order that memory does not know the record is asked."""
        live = self.orders.of_ref(ref)
        if held is None or live is None:
            self.ledger.post_together(check_executions, (ref, bag_price), key=("check", ref), late=True)
            return
        try:
            judge_executions(live.intent, held.fills_of(ref), bag_price)
        except StopTrading as error:
            self.ledger.broken(error)

    def _settle(self, held: OpenTrade | None, ref: str, now: datetime) -> None:
        """The trade that something happened to; one that is not in memory is settled where it is known."""
        if held is not None:
            self.orders.settle(held.trade.id, now)
        else:
            self.ledger.post_together(
                self.record.settle_refs, (ref, now), self.orders.settled, key=("ref", ref), late=True
            )

    def _average(self, held: OpenTrade | None, ref: str) -> None:
        """The average of an order of one leg, which has no execution of a combination to tell it."""
        live = self.orders.of_ref(ref)
        if held is None or live is None or live.intent.alone is None:
            return
        live.average_price = net_price(live.intent.legs, held.fills_of(ref))

    def _bag_price(self, ref: str) -> Decimal | None:
        """The combination's price once all of it is executed, None before and for a changing average."""
        held = self.book.of_ref(ref)
        live = None if held is None else held.orders.get(ref)
        return live.average_price if live is not None and live.filled == live.intent.quantity == 1 else None

    def _on_bag(self, message: BagExecutionMessage) -> None:
        live = self.orders.of_ref(message.ref)
        if live is not None:
            live.filled = max(live.filled, message.cumulative)
            live.average_price = message.price

    def _on_commission(self, message: CommissionMessage, now: datetime) -> None:
        exec_id, amount = message.exec_id, message.commission_usd
        news, unbooked = self.told.commission_is_news(exec_id, amount)
        if not news:
            return
        held = self.book.charged(exec_id, amount)
        if held is not None:
            self.filled.add(held.trade.account)
        if unbooked:
            self.ledger.post_together(
                self.record.book,
                Charge(exec_id, amount, now),
                lambda ours: self.told.was_charged(exec_id, amount, ours=ours),
            )
        ref = self.told.refs.get(exec_id)
        if held is not None or ref is not None:
            self._settle(held, ref or "", now)
        else:
            self.ledger.post_together(self.record.settle_executions, (exec_id, now), self.orders.settled, late=True)

    def _on_error(self, message: ErrorMessage, now: datetime) -> None:
        live = self.orders.of_id(message.request_id, self.record.client_id)
        if live is None:
            return
        live.last_error, live.error_text = message.code, message.text
        if message.code == DUPLICATE_ID:  # what has used the id may be our own order, and not be shown yet
            live.asked_at_s = self.orders.host_s
        event = event_of_error(message.code, live.asked, worked=live.working or live.filled > 0)
        if event is OrderEvent.CANCEL and live.expired(now):
            event = OrderEvent.EXPIRE
        if event is not None:
            self.orders.happened(live, event, now, f"{message.code} {message.text}")
