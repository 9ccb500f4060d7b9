"""What the desk writes about orders: each function runs in one transaction of its database thread.

Every write after the claim is conditional on the desk's epoch (ARCHITECTURE section 7.4).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy.orm import Session

from htbot.desk.open_book import StoredTrade
from htbot.desk.settling import settle_executions, settle_refs
from htbot.domain.alerts import Alert
from htbot.domain.errors import StopTrading
from htbot.domain.fills import Fill
from htbot.domain.orders import IntentState, OrderIntent, Purpose, order_reference
from htbot.domain.trades import Trade
from htbot.execution.intents import closable_quantity
from htbot.execution.messages import LegExecutionMessage, OrderMessage
from htbot.execution.states import IntentEvent, intent_event_for, next_intent_state
from htbot.execution.trade_fold import net_by_contract
from htbot.persistence.records import Command, IntentMove, SentAs, StoredIntent, ToldOrder
from htbot.persistence.repositories import (
    CommandRepository,
    DeskStateRepository,
    FillRepository,
    IntentRepository,
    OrderRepository,
    TradeRepository,
)
from htbot.persistence.repositories.intents import sequence_of
from htbot.persistence.states import LIVE_TRADE_STATES, TERMINAL_INTENT_STATES, CommandState
from htbot.portfolio.positions import latest
from htbot.services.bookings import Booking, PositionFolds
from htbot.services.command_kinds import CANCEL, EVERY_ACCOUNT
from htbot.services.outbox import tell_seldom
from htbot.services.trade_record import TradeRows, closing, rows_of, settle_trade, settle_trades

# An approval older than this (market time) buys nothing any more (RULINGS 17).
APPROVAL_AGE = timedelta(seconds=30)
_UNDONE = frozenset({IntentState.REJECTED, IntentState.EXPIRED})
_OPEN = frozenset({CommandState.PENDING, CommandState.RUNNING})


@dataclass(frozen=True, slots=True)
class Claim:
    """One intent taken for sending, its order id durably reserved; or ended here, with `order_id` None.

    `trade` is the trade that an entry opens.
    """

    stored: StoredIntent
    order_id: int | None
    why_not: str = ""
    trade: Trade | None = None


@dataclass(frozen=True, slots=True)
class Close:
    """A close that the desk has decided, and made durable in its journal, before it went to the socket."""

    intent: OrderIntent
    order_id: int
    evidence: Mapping[str, Any]
    max_gain_usd: Decimal | None = None
    alerts: tuple[Alert, ...] = ()


def stale_entry(intent: OrderIntent, now: datetime) -> str | None:
    """Why an approved entry is too old to be sent, None while it is fresh."""
    if intent.good_till is not None and now >= intent.good_till:
        return f"good till {intent.good_till.isoformat()}, which has passed"
    if now - intent.created_at > APPROVAL_AGE:
        return f"approved at {intent.created_at.isoformat()}, more than {APPROVAL_AGE.seconds} s ago"
    return None


@dataclass(frozen=True, slots=True)
class DeskRecord:
    """The desk's writes of one epoch under one API client id."""

    epoch: int
    client_id: int
    folds: PositionFolds = field(default_factory=PositionFolds, compare=False)

    def claim(
        self, session: Session, now: datetime, order_ids: Sequence[int], *, enabled: bool, halted: Mapping[str, str]
    ) -> list[Claim]:
        """Take the next waiting intents, each under a reserved order id of its own, which are durable at the commit.

        Exits come first, and only they while entries are not enabled. Entries that are too old end here, and those of
        accounts that are `halted`, which says why.
        """
        purpose = None if enabled else Purpose.EXIT
        waiting = IntentRepository(session).claim_some(self.epoch, now, len(order_ids), purpose=purpose)
        if not waiting:
            return []
        # Held until the commit: a desk that begins meanwhile waits, and finds these intents as sent.
        DeskStateRepository(session).require_epoch(self.epoch)
        ended = self._end_unsent(session, [stored.intent for stored in waiting], now, halted)
        ids = {
            stored.intent.ref: stored.order_id or order_id
            for stored, order_id in zip(waiting, order_ids, strict=False)
            if stored.intent.ref not in ended
        }
        entered = [item.intent.trade_id for item in waiting if item.intent.purpose is Purpose.ENTRY]
        trades = TradeRepository(session).of_ids(entered) if ids and entered else {}
        if ids:
            DeskStateRepository(session).use_order_id(self.client_id, max(ids.values()))
            IntentRepository(session).begin_sending(ids, self.client_id, epoch=self.epoch, at=now)
        return [
            Claim(item, ids.get(ref), ended.get(ref, ""), trades.get(item.intent.trade_id) if ref in ids else None)
            for item in waiting
            if (ref := item.intent.ref)
        ]

    def _end_unsent(
        self, session: Session, intents: Sequence[OrderIntent], now: datetime, halted: Mapping[str, str]
    ) -> dict[str, str]:
        """End the claimed entries that are halted or too old; by reference why they do not leave."""
        moves = []
        entries = [intent for intent in intents if intent.purpose is Purpose.ENTRY]
        for intent in entries:
            late, halted_by = stale_entry(intent, now), halted.get(intent.account)
            if late is None and halted_by is None:
                continue
            event = IntentEvent.WITHDRAW if late is None else IntentEvent.EXPIRE
            following = next_intent_state(IntentState.CLAIMED, event)
            moves.append(IntentMove(intent.ref, IntentState.CLAIMED, following, now, late or halted_by or ""))
        ended = {move.ref: move.reason for move in moves}
        IntentRepository(session).move_all(moves, self.epoch)
        settle_trades(session, {intent.trade_id: now for intent in entries if intent.ref in ended})
        return ended

    def sent(self, session: Session) -> list[StoredIntent]:
        """What this desk has claimed for sending and what has not ended, as the record has it.

        Raises:
            Superseded: another desk has taken it over.
        """
        DeskStateRepository(session).require_epoch(self.epoch)
        live = IntentRepository(session).live()
        return [stored for stored in live if stored.order_id is not None and stored.claim_epoch == self.epoch]

    def withdraw(self, session: Session, ref: str, now: datetime, why: str) -> None:
        """Something came between the commit and the socket: nothing was sent."""
        self._move(session, ref, IntentState.SENDING, IntentEvent.WITHDRAW, now, why)

    def give_up(self, session: Session, part: OrderIntent, now: datetime, why: str) -> None:
        """A part that was to be sold does not leave any more."""
        DeskStateRepository(session).require_epoch(self.epoch)
        IntentRepository(session).withdraw(part.ref, now, why)
        settle_trade(session, part.trade_id, now)

    def store_close(self, session: Session, close: Close) -> None:
        """Take over a close from the journal: it is sent, or was about to be when the desk died.

        A waiting exit of the same reference is this close. An earlier one has ended, else this one would not have left:
        what was never sent is withdrawn, what was sent has been cancelled or refused while the record was away. Under
        the number of a protective order, or of a close of another trade, it is another wish, which waits again under a
        number of its own; one that has ended without an order id has left its number to this one.
        A close that is told again after its end (its mark in the journal was lost) stands in nobody's way any more. A
        protective order stands beside others and closes nothing yet.

        Raises:
            StopTrading: the record has no such trade, or knows another close under this reference.
        """
        intent, at = close.intent, close.intent.created_at
        DeskStateRepository(session).require_epoch(self.epoch)
        trade = TradeRepository(session).get(intent.trade_id, lock=True)
        if trade is None:
            raise StopTrading(f"{intent.ref} closes {intent.trade_id}, which is not in the record: restore it")
        intents = IntentRepository(session)
        ours = intents.of_trade(intent.trade_id)
        known = next((one for one in ours if one.intent.ref == intent.ref), None)
        if known is not None and _told_again(known, close):
            return
        for other in ours if not intent.protective else ():
            earlier = other.intent.purpose is Purpose.EXIT and other.sequence < sequence_of(intent.ref)
            if earlier and not other.intent.protective:
                self._pass_over(session, other, intent.ref, at)
        DeskStateRepository(session).use_order_id(self.client_id, close.order_id)
        sent = SentAs(self.epoch, self.client_id, close.order_id)
        taken = known is None and intents.add_sent(intent, close.evidence, sent, at)
        if known is None and not taken and (known := intents.get(intent.ref)) is None:
            raise StopTrading(
                f"{intent.ref} left as order {close.order_id}, and a later close of {trade.id} keeps it out"
            )
        if known is not None and not _told_again(known, close):
            taken = intents.take_as_sent(intent.ref, sent, at)
            if taken and known.intent != intent:
                _rewrite(intents, known, close)
        leaves = taken and not (intent.protective or intent.in_part)
        _save(session, trade, closing(trade, intent) if leaves else trade, close)
        for alert in close.alerts:
            tell_seldom(session, alert)

    def _pass_over(self, session: Session, other: StoredIntent, instead: str, at: datetime) -> None:
        why = f"{instead} closes it"
        if other.state is IntentState.PENDING:
            IntentRepository(session).withdraw(other.intent.ref, at, why)
        elif other.state in {IntentState.CLAIMED, IntentState.SENDING} and other.claim_epoch == self.epoch:
            self._move(session, other.intent.ref, other.state, IntentEvent.WITHDRAW, at, why)
        elif other.state not in TERMINAL_INTENT_STATES:
            IntentRepository(session).end_overtaken(other.intent.ref, self.epoch, at, why)

    def save_orders(self, session: Session, told: Sequence[ToldOrder]) -> list[None]:
        """Store orders as the broker told them, with every permanent id of each reference, and move their intents.

        Under a reference that still waits another wish stands: the close that has taken it is on its way to the disk.
        """
        DeskStateRepository(session).require_epoch(self.epoch)
        last = {each.order.ref: each for each in told}
        states = IntentRepository(session).states(last)
        known = [each for ref, each in last.items() if states.get(ref, IntentState.PENDING) is not IntentState.PENDING]
        OrderRepository(session).upsert_all(known)
        moves = []
        for each in known:
            ref, event = each.order.ref, intent_event_for(each.order.state)
            following = states[ref] if event is None else next_intent_state(states[ref], event)
            if following is not states[ref]:
                moves.append(IntentMove(ref, states[ref], following, each.as_of, each.reason))
        IntentRepository(session).move_all(moves, self.epoch)
        return [None] * len(told)

    def book(self, session: Session, bookings: Sequence[Booking]) -> list[bool]:
        """Book leg executions, each once, and their commissions; False for a commission of an execution not there.

        What follows from it is written by itself: what the broker did stands.
        """
        DeskStateRepository(session).require_epoch(self.epoch)
        return self.folds.book(session, bookings)

    def settle_executions(self, session: Session, due: Sequence[tuple[str, datetime]]) -> list[Trade | None]:
        """Bring the trades of executions up to date; None for one that is not ours."""
        DeskStateRepository(session).require_epoch(self.epoch)
        return settle_executions(session, due)

    def settle_refs(self, session: Session, due: Sequence[tuple[str, datetime]]) -> list[Trade | None]:
        """Bring the trades of references up to date; None for one that is not ours."""
        DeskStateRepository(session).require_epoch(self.epoch)
        return settle_refs(session, due)

    def _move(
        self, session: Session, ref: str, state: IntentState, event: IntentEvent, now: datetime, reason: str
    ) -> bool:
        following = next_intent_state(state, event)
        return IntentRepository(session).move(ref, state, following, epoch=self.epoch, at=now, reason=reason)


def _save(session: Session, before: Trade, after: Trade, close: Close) -> None:
    """The trade of a close, with the best gain that was seen of it; the row is held."""
    gains = [gain for gain in (before.max_gain_usd, close.max_gain_usd) if gain is not None]
    if gains and before.state in LIVE_TRADE_STATES:
        after = replace(after, max_gain_usd=max(gains))
    if after != before:
        TradeRepository(session).save(after, before.state)


def _told_again(known: StoredIntent, close: Close) -> bool:
    """Whether a close has ended in the record already.

    Raises:
        StopTrading: another order has had its reference.
    """
    if known.state not in TERMINAL_INTENT_STATES or known.order_id is None:
        return False
    if known.order_id != close.order_id:
        raise StopTrading(f"{close.intent.ref} left as order {close.order_id}, and the record has another close of it")
    return True


def _rewrite(intents: IntentRepository, known: StoredIntent, close: Close) -> None:
    """What left is not what waited under its reference.

    A task may ask for a close under a number that the journal has given to a stop or target, or to another trade of its
    strategy: its wish is its own.
    """
    wish = known.intent
    intents.rewrite(close.intent, close.evidence)
    if not close.intent.serves(wish) and known.state not in TERMINAL_INTENT_STATES:
        number = intents.next_sequence(wish.strategy, wish.account, wish.session, Purpose.EXIT)
        ref = order_reference(wish.strategy, wish.account, wish.session, Purpose.EXIT, number)
        intents.add(replace(wish, ref=ref), known.evidence)


def begin_epoch(session: Session) -> int:
    """Start a desk's epoch: from now on the writes of any desk before it are refused."""
    return DeskStateRepository(session).begin_epoch()


def take_over(session: Session, epoch: int, now: datetime) -> tuple[list[StoredIntent], dict[str, int]]:
    """Every sent intent that has not ended, now this desk's, and the last error of each by reference.

    What was claimed but never sent waits again.

    Raises:
        Superseded: another desk has begun since, and these are its.
    """
    DeskStateRepository(session).require_epoch(epoch)
    intents = IntentRepository(session)
    sent = []
    for stored in intents.take_over(epoch):
        if stored.state is IntentState.CLAIMED:
            waiting = next_intent_state(stored.state, IntentEvent.RELEASE)
            intents.move(stored.intent.ref, stored.state, waiting, epoch=epoch, at=now, reason="claimant died")
        else:
            sent.append(stored)
    told = {order.ref: order.error_code for order in OrderRepository(session).working() if order.error_code is not None}
    return sent, told


def booked_of(session: Session, told: Iterable[OrderMessage]) -> list[Fill]:
    """What the record holds of the executions that the broker has told."""
    keys = {message.fill.execution_key for message in told if isinstance(message, LegExecutionMessage)}
    return FillRepository(session).of_keys(keys)


def open_trades(session: Session, accounts: Collection[str], sent: Iterable[StoredIntent]) -> list[StoredTrade]:
    """Trades of some accounts that are not over or have an order at the broker, with their fills."""
    trades = TradeRepository(session)
    live = [trade for account in accounts for trade in trades.live(account=account)]
    known, ordered = {trade.id for trade in live}, {one.intent.trade_id for one in sent}
    over = [trade for trade in trades.of_ids(ordered - known).values() if trade.account in accounts]
    return [stored_trade(session, trade) for trade in (*live, *over)]


def stored_trade(session: Session, trade: Trade) -> StoredTrade:
    """A trade as the desk's memory takes it over."""
    rows = rows_of(session, trade)
    taken_back = _taken_back(session, rows)
    return StoredTrade(
        trade=trade,
        fills=(*rows.entry_fills, *rows.exit_fills),
        entry_ref=rows.entry.intent.ref,
        exits=rows.facts.reasons,
        entry_over=rows.entry_over,
        exit_reason=rows.facts.exit_reason,
        unmet=_unmet(trade, rows, taken_back),
        taken_back=taken_back,
        bids=DeskStateRepository(session).bids_of(trade.id),
    )


def _taken_back(session: Session, rows: TradeRows) -> frozenset[str]:
    """Closes of a trade that a person cancelled: by their reference, or with everything, then or later."""
    closes = [one for one in rows.exits if not one.intent.protective]
    refs = [one.intent.ref for one in closes]
    cancels = CommandRepository(session).naming(CANCEL, [*refs, EVERY_ACCOUNT]) if refs else []
    return frozenset(one.intent.ref for one in closes if any(_names(cancel, one) for cancel in cancels))


def _names(cancel: Command, close: StoredIntent) -> bool:
    """In doubt it does: nothing leaves against a person's word."""
    over = cancel.state not in _OPEN and cancel.changed_at < close.intent.created_at
    return cancel.params["ref"] != EVERY_ACCOUNT or not over


def _unmet(trade: Trade, rows: TradeRows, taken_back: Collection[str]) -> bool:
    """Whether somebody wanted the trade closed and no order is under way for it.

    The broker refused the close, has never seen it, ended it early, or it closed only part; or the desk itself took it
    and did not send it: for a stop or target that stands there, or for what was not shown yet. One that a person took
    back is not wanted any more.
    """
    last = rows.last_close
    if last is None or rows.live_close is not None:
        return False
    if last.state is IntentState.WITHDRAWN:
        # a claim that was given back has an epoch, and no order id
        return last.order_id is not None and last.intent.ref not in taken_back
    left = closable_quantity(trade.legs, net_by_contract(latest((*rows.entry_fills, *rows.exit_fills)))) > 0
    return last.state in _UNDONE or (left and last.intent.ref not in taken_back)


def stored_trade_of(session: Session, trade_id: str) -> StoredTrade:
    """One trade as the desk's memory takes it over.

    Raises:
        StopTrading: the record has no such trade.
    """
    trade = TradeRepository(session).get(trade_id)
    if trade is None:
        raise StopTrading(f"trade {trade_id} is not in the record")
    return stored_trade(session, trade)


def exits_of(session: Session, trades: Iterable[Trade], accounts: Iterable[str], today: date) -> list[str]:
    """References of exits that the accounts have used today, and in the sessions of trades that are not over."""
    intents = IntentRepository(session)
    days = {(today, account) for account in accounts} | {(trade.session, trade.account) for trade in trades}
    used = [stored.intent for day, account in sorted(days) for stored in intents.of_session(day, account)]
    return [intent.ref for intent in used if intent.purpose is Purpose.EXIT]
