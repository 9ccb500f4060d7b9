"""What the desk writes about orders: each function is one transaction of its database thread.

Every write after the claim is conditional on the desk's epoch (ARCHITECTURE section 7.4).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy.orm import Session

from htbot.alerts.wording import error_alert
from htbot.desk.live_order import LiveOrder
from htbot.domain.fills import Fill
from htbot.domain.orders import IntentState, Purpose
from htbot.domain.trades import Trade
from htbot.execution.fills import check_fills, whole_spreads
from htbot.execution.intents import closable_quantity
from htbot.execution.states import IntentEvent, intent_event_for, next_intent_state
from htbot.persistence.records import StoredIntent
from htbot.persistence.repositories import (
    AlertRepository,
    DeskStateRepository,
    FillRepository,
    HaltRepository,
    HaltRequest,
    IntentRepository,
    OrderRepository,
    TradeRepository,
)
from htbot.portfolio.pnl import assert_net_price
from htbot.services.trade_record import held_by_trade, refold_positions, settle_trade

# An approval older than this (market time) buys nothing any more (RULINGS 17).
APPROVAL_AGE = timedelta(seconds=30)
HALT_SOURCE = "desk"


@dataclass(frozen=True, slots=True)
class Claim:
    """One intent taken for sending, its order id durably reserved; or withdrawn, with `order_id` None."""

    stored: StoredIntent
    order_id: int | None
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class ClaimTerms:
    """What stands at the moment of a claim; `holdings` tells what the broker shows of an account, by contract id."""

    enabled: bool
    entries_halted_by: str | None
    holdings: Callable[[str], Mapping[int, int]]


def _too_much(session: Session, stored: StoredIntent, broker: Mapping[int, int]) -> str | None:
    """Why an exit would open something, None when both books hold what it closes."""
    fills = FillRepository(session).of_trade(stored.intent.trade_id)
    held = closable_quantity(stored.intent.legs, held_by_trade(fills), broker)
    if held >= stored.intent.quantity:
        return None
    return f"closes {stored.intent.quantity}, but only {held} are held by us and shown by the broker"


@dataclass(frozen=True, slots=True)
class DeskRecord:
    """The desk's writes of one epoch under one API client id."""

    epoch: int
    client_id: int

    def claim(
        self,
        session: Session,
        now: datetime,
        next_valid_id: int,
        terms: ClaimTerms,
    ) -> Claim | None:
        """Take the next waiting intent and reserve its order id.

        Exits come first, and only they while entries are not enabled. Entries that are halted or too old end here, and
        so does an exit of more than both books hold (RULINGS 10): whoever asked for it asks again.
        """
        intents = IntentRepository(session)
        stored = intents.claim_next(self.epoch, now, purpose=None if terms.enabled else Purpose.EXIT)
        if stored is None:
            return None
        # Held until the commit: a desk that begins meanwhile waits, and finds this intent as sent.
        DeskStateRepository(session).require_epoch(self.epoch)
        if stored.intent.purpose is Purpose.ENTRY:
            late, why_not = self._stale(stored, now), terms.entries_halted_by
        else:
            late, why_not = None, _too_much(session, stored, terms.holdings(stored.intent.account))
        if late is not None or why_not is not None:
            event = IntentEvent.WITHDRAW if late is None else IntentEvent.EXPIRE
            why_not = late or why_not or ""
            self._move(session, stored.intent.ref, IntentState.CLAIMED, event, now, why_not)
            settle_trade(session, stored.intent.trade_id, now)
            return Claim(stored, None, why_not)
        order_id = stored.order_id or intents.reserve_order_id(self.client_id, next_valid_id)
        intents.begin_sending(stored.intent.ref, self.client_id, order_id, epoch=self.epoch, at=now)
        return Claim(stored, order_id)

    def sent(self, session: Session) -> list[StoredIntent]:
        """What this desk has claimed for sending and what has not ended, as the record has it."""
        live = IntentRepository(session).live()
        return [stored for stored in live if stored.order_id is not None and stored.claim_epoch == self.epoch]

    @staticmethod
    def _stale(stored: StoredIntent, now: datetime) -> str | None:
        intent = stored.intent
        if intent.purpose is not Purpose.ENTRY:
            return None
        if intent.good_till is not None and now >= intent.good_till:
            return f"good till {intent.good_till.isoformat()}, which has passed"
        if now - intent.created_at > APPROVAL_AGE:
            return f"approved at {intent.created_at.isoformat()}, more than {APPROVAL_AGE.seconds} s ago"
        return None

    def withdraw(self, session: Session, live: LiveOrder, now: datetime, why: str) -> None:
        """A halt came between the commit and the socket: nothing was sent."""
        self._move(session, live.intent.ref, IntentState.SENDING, IntentEvent.WITHDRAW, now, why)
        settle_trade(session, live.intent.trade_id, now)

    def save_order(self, session: Session, live: LiveOrder, now: datetime, reason: str = "") -> Trade | None:
        """Store an order as the broker told it, move its intent, and bring its trade up to date."""
        DeskStateRepository(session).require_epoch(self.epoch)
        OrderRepository(session).upsert(live.as_order(), now)
        stored = IntentRepository(session).get(live.intent.ref)
        event = intent_event_for(live.state)
        if stored is None or event is None:
            return None
        if next_intent_state(stored.state, event) is not stored.state:
            self._move(session, live.intent.ref, stored.state, event, now, reason)
        return settle_trade(session, live.intent.trade_id, now)

    def book_fill(self, session: Session, fill: Fill, now: datetime) -> bool:
        """Book one leg execution once. What follows from it is another transaction: what the broker did stands."""
        DeskStateRepository(session).require_epoch(self.epoch)
        if not FillRepository(session).add(fill, now):
            return False
        refold_positions(session, fill.account, now)
        return True

    def settle_fill(self, session: Session, fill: Fill, now: datetime) -> Trade | None:
        """Bring the trade of a booked fill up to date, also when the fill was booked before."""
        DeskStateRepository(session).require_epoch(self.epoch)
        return self._settle_ref(session, fill.ref, now)

    def book_commission(self, session: Session, exec_id: str, commission: Decimal, now: datetime) -> Trade | None:
        """Attach a commission; None when the execution is not ours."""
        fills = FillRepository(session)
        fill = fills.get(exec_id)
        if fill is None or fill.commission == commission:
            return None
        fills.set_commission(exec_id, commission)
        refold_positions(session, fill.account, now)
        return self._settle_ref(session, fill.ref, now)

    def _settle_ref(self, session: Session, ref: str, now: datetime) -> Trade | None:
        stored = IntentRepository(session).get(ref)
        return None if stored is None else settle_trade(session, stored.intent.trade_id, now)

    def _move(
        self, session: Session, ref: str, state: IntentState, event: IntentEvent, now: datetime, reason: str
    ) -> bool:
        following = next_intent_state(state, event)
        return IntentRepository(session).move(ref, state, following, epoch=self.epoch, at=now, reason=reason)


def begin_epoch(session: Session) -> int:
    """Start a desk's epoch: from now on the writes of any desk before it are refused."""
    return DeskStateRepository(session).begin_epoch()


def take_over(session: Session, epoch: int, now: datetime) -> list[StoredIntent]:
    """Every sent intent that has not ended, now this desk's; what was claimed but never sent waits again."""
    intents = IntentRepository(session)
    sent = []
    for stored in intents.take_over(epoch):
        if stored.state is IntentState.CLAIMED:
            waiting = next_intent_state(stored.state, IntentEvent.RELEASE)
            intents.move(stored.intent.ref, stored.state, waiting, epoch=epoch, at=now, reason="claimant died")
        else:
            sent.append(stored)
    return sent


def check_executions(session: Session, ref: str, bag_price: Decimal | None) -> None:
    """Judge what was executed under a reference: never more than asked for, legs that sum to the combination's price.

    Raises:
        StopTrading: the broker did something else (RULINGS 3, 15).
    """
    stored = IntentRepository(session).get(ref)
    if stored is None:
        return
    intent, fills = stored.intent, FillRepository(session).of_ref(ref)
    check_fills(intent, fills)
    if bag_price is not None and whole_spreads(intent.legs, fills) == intent.quantity:
        assert_net_price(intent.legs, fills, bag_price)


def halt_trading(session: Session, reason: str, now: datetime) -> None:
    """Halt entries and tell a person, once per reason: the broker repeats itself, and a halt once lifted stays so."""
    halts = HaltRepository(session)
    if not any(halt.source == HALT_SOURCE and halt.reason == reason for halt in halts.recent()):
        halts.set(HaltRequest(HALT_SOURCE, reason, set_by=HALT_SOURCE, set_at=now))
        AlertRepository(session).add(error_alert(HALT_SOURCE, reason, now))


def open_trades(session: Session, account: str) -> list[Trade]:
    """Trades that are not over."""
    return TradeRepository(session).live(account=account)
