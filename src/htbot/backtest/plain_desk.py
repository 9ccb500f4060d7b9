"""The desk of a backtest on shares: stops and targets at the exchange, exits, and what was decided, sent.

The same decisions as the desk's own, from the same pure functions (`protective_steps`, `exit_decision`, `exit_intent`),
in the same order within an instant; what lies around them there - sessions, journal, doubt - has no place in memory.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from htbot.backtest.live_orders import LiveOrder, LiveOrders
from htbot.backtest.plain_feed import PlainFeed
from htbot.backtest.plain_request import PlainSignal
from htbot.backtest.spread_account import SpreadAccount, net_by_contract
from htbot.backtest.spread_exchange import SpreadExchange
from htbot.backtest.trade_book import GUARDED, LIVE, HeldTrade, TradeBook
from htbot.domain.fills import Fill
from htbot.domain.orders import ExitReason, OrderIntent, Purpose
from htbot.domain.sessions import Session
from htbot.domain.trades import Trade, TradeState
from htbot.engine.observation import Fired, LevelSale
from htbot.execution.exits import ExitDecision, exit_decision
from htbot.execution.fills import whole_spreads
from htbot.execution.intents import ProtectivePlace, closable_quantity, exit_intent, protective_intent
from htbot.execution.protective import Place, Standing, protective_steps

_AT_THE_BROKER = frozenset({ExitReason.STOP_LOSS, ExitReason.PROFIT_TARGET})


@dataclass(frozen=True, slots=True)
class PlainTools:
    """What the desk works with."""

    feed: PlainFeed
    exchange: SpreadExchange
    book: TradeBook[PlainSignal]
    account: SpreadAccount


class PlainDesk:
    """One account, any number of strategies; every method is called at the instant of the feed.

    What answers with True has sent something to the exchange.
    """

    def __init__(self, tools: PlainTools) -> None:
        self._tools = tools
        self._live = LiveOrders(tools.exchange)
        self._waiting: list[OrderIntent] = []
        self._flattening = False
        self.halted_by: str | None = None

    # --- news of orders ---------------------------------------------------------------------------------------------

    def hear(self, fills: list[Fill], session: Session) -> bool:
        """Take executions, each with the end of its order, then the ends that followed; what stands follows at once.

        A fill is told before its group hears of it: nothing is placed in place of what it has ended.
        """
        exchange, sent = self._tools.exchange, False
        self._live.hear()
        for ref in dict.fromkeys([*(fill.ref for fill in fills), *(live.intent.ref for live in self._live)]):
            live = self._live[ref]
            held = self._tools.book.of(live.intent.trade_id)
            for fill in (one for one in fills if one.ref == ref):
                self._tools.account.book(fill)
                self._tools.book.filled((fill,), held.trade.id)
                held.fold(self._tools.feed.now)
                sent = self._protect(held, session) or sent
            if exchange.ended(ref):
                self._ended(live, held)
                sent = self._protect(held, session) or sent
            elif live.told:
                live.size = exchange.size(ref)
        return sent

    def _ended(self, live: LiveOrder, held: HeldTrade) -> None:
        self._live.end(live)
        if live.is_entry:
            held.entry_over = True
        elif live.protective:
            held.standing -= 1
        elif live.in_part:
            held.drop_part()
        else:
            held.exit_live = False
        held.fold(self._tools.feed.now)

    # --- what stands at the exchange --------------------------------------------------------------------------------

    def protect(self, session: Session) -> bool:
        """Bring what stands up to what is held."""
        return sum(self._protect(held, session) for held in self._tools.book.guarded) > 0

    def _protect(self, held: HeldTrade, session: Session) -> bool:
        now, own = self._tools.feed.now, self._live.of_trade(held.trade.id)
        leaving = held.wanted is not None or any(_closes(live) for live in own)
        if held.part_waits and (leaving or held.trade.state not in GUARDED or _sells_all(held)):
            held.drop_part()
        if held.trade.state not in GUARDED or leaving or not session.contains(now):
            return False
        standing = {live.intent.style: _standing(live, held) for live in own if live.protective}
        kept = self._kept(held)
        steps = protective_steps(held.trade, kept, standing, held.attempts, now)
        for step in steps:
            if isinstance(step, Place):
                self._place_protective(held, step)
            else:
                held.attempts.changed_at[step.ref] = now
                live = self._live[step.ref]
                live.limit, live.size = step.limit, step.size
                self._live.send(live, now)
        if held.part is None or not held.part_waits or not self._has_room(held, kept):
            return bool(steps)
        held.part_waits = False
        self._live.place(held.part, held.part.limit, now)
        return True

    def _kept(self, held: HeldTrade) -> int:
        """Units that stay when the part that is being sold is gone: for these its stop and target stand."""
        units, part = held.units, held.part
        under_way = [live for live in self._live.of_trade(held.trade.id) if live.in_part]
        if part is None or not (held.part_waits or under_way):
            return units
        return max(0, units - part.quantity + _booked(part, held))

    def _has_room(self, held: HeldTrade, kept: int) -> bool:
        """Whether what stands at the exchange leaves room for a part."""
        standing = (live for live in self._live.of_trade(held.trade.id) if live.protective)
        exchange = self._tools.exchange
        return all(
            live.told and exchange.size(live.intent.ref) == live.size and live.size - _booked(live.intent, held) <= kept
            for live in standing
        )

    def _place_protective(self, held: HeldTrade, step: Place) -> None:
        trade, own, now = held.trade, self._live.of_trade(held.trade.id), self._tools.feed.now
        number = self._tools.book.next_exit(trade.strategy, trade.session)
        group = next((live.intent.group for live in own if live.protective), None) or f"{trade.id}-X{number}"
        coming = max((live.intent.quantity for live in own if live.is_entry), default=0)
        place = ProtectivePlace(number, group, max(step.units, held.units, coming))
        intent = protective_intent(trade, step.style, step.price, now, place)
        held.attempts.note_place(step.style, now)
        held.standing += 1
        self._begin_exit(held, intent)
        self._live.place(intent, intent.limit, now, step.units)

    def _begin_exit(self, held: HeldTrade, intent: OrderIntent) -> None:
        self._tools.book.intents.append(intent)
        if intent.exit_reason is not None:
            held.reasons[intent.ref] = intent.exit_reason

    # --- guarding ---------------------------------------------------------------------------------------------------

    def guard(self, session: Session) -> bool:
        """Look at every trade that holds something."""
        return sum(self._guard(held, session) for held in self._tools.book.guarded) > 0

    def _guard(self, held: HeldTrade, session: Session) -> bool:
        now, marks = self._tools.feed.now, self._tools.feed.marks(held.trade.legs)
        held.see(marks)
        decision, held.watch = exit_decision(held.trade, marks, held.watch, now)
        if decision is not None and self._stands(held, decision.reason):
            decision = None  # the exchange closes it by itself, at this very price
        if decision is None and held.wanted is not None:
            decision = _asked_for(held.wanted, now)
        return decision is not None and self._close(held, decision, session)

    def _stands(self, held: HeldTrade, reason: ExitReason) -> bool:
        standing = (live for live in self._live.of_trade(held.trade.id) if live.told and live.protective)
        return any(live.intent.exit_reason is reason for live in standing)

    def _close(self, held: HeldTrade, decision: ExitDecision, session: Session) -> bool:
        """What else works for the trade ends first: its entry, its stop and its target."""
        working, asked = self._live.of_trade(held.trade.id), False
        if held.part_waits:
            held.drop_part()
        for live in working:
            if live.protective:
                held.wanted = decision.reason
            if live.is_entry or live.protective:
                asked = self._live.cancel(live, self._tools.feed.now) or asked
        return asked if working else self._exit(held, decision, session)

    def _exit(self, held: HeldTrade, decision: ExitDecision, session: Session) -> bool:
        now = decision.as_of
        if not held.may_leave(now):
            return False
        held.asked_at, held.exits = now, held.exits + 1
        quantity = self._closable(held)
        if not quantity or not session.contains(now):
            return False
        number = self._tools.book.next_exit(held.trade.strategy, held.trade.session)
        intent = exit_intent(held.trade, decision.reason, decision.marks, now, quantity, number)
        held.raise_gain(held.watch.max_gain_usd)
        self._begin_exit(held, intent)
        self._leave_with(held, intent)
        return True

    def _leave_with(self, held: HeldTrade, intent: OrderIntent) -> None:
        held.exit_live, held.exit_reason, held.wanted = True, intent.exit_reason, None
        self._live.place(intent, intent.limit, self._tools.feed.now)
        held.fold(self._tools.feed.now)

    def _closable(self, held: HeldTrade) -> int:
        return closable_quantity(held.trade.legs, held.held, net_by_contract(self._tools.account.held))

    # --- what tasks ask for -----------------------------------------------------------------------------------------

    def mark(self, session: Session) -> None:
        """The best result of each trade at a grid instant, as `mark_pnl` keeps it, and the exits that it asks for."""
        for held in self._tools.book.guarded:
            marks, before = self._tools.feed.marks(held.trade.legs), replace(held.marked, pending=None, since=None)
            decision, held.marked = exit_decision(held.trade, marks, before, self._tools.feed.now)
            held.raise_gain(held.marked.max_gain_usd)
            wanted = decision is not None and held.trade.state is TradeState.OPEN and session.contains(decision.as_of)
            if decision is not None and wanted and decision.reason not in _AT_THE_BROKER:
                self._request_exit(held, decision)

    def leave(self, strategy: str, ended_at: datetime, fired: Fired, why: str) -> bool | None:
        """A strategy wants out of what it held when its bar ended, or of a part; False when that is nothing.

        None while an entry of that may still fill, or a part of it is being sold: nothing can be asked for yet.
        """
        meant = [
            held
            for held in self._tools.book.trades
            if held.trade.strategy == strategy and held.trade.state in LIVE and held.trade.opened_at < ended_at
        ]
        if any(held.trade.state is TradeState.OPENING or not held.entry_over or held.part for held in meant):
            return None
        for held in meant:
            decision = ExitDecision(fired.exit_reason, self._tools.feed.now, "", "", why, None, None)
            self._request_exit(held, decision, fired.sale)
        return bool(meant)

    def enter(self, trade: Trade, intent: OrderIntent) -> None:
        """An approved entry: it is sent when the instant's decisions are done."""
        self._tools.book.begin(trade, intent)
        self._waiting.append(intent)

    def _request_exit(self, held: HeldTrade, decision: ExitDecision, sale: LevelSale | None = None) -> None:
        """One exit waits to be sent, when none is under way and the entry is over."""
        left = held.units
        quantity = left if sale is None else sale.units(held.sold_level, held.trade.quantity, left)
        under_way = held.exit_live or held.part is not None
        if held.trade.state not in GUARDED or under_way or not held.entry_over or not quantity:
            return
        number = self._tools.book.next_exit(held.trade.strategy, held.trade.session)
        intent = exit_intent(held.trade, decision.reason, decision.marks, decision.as_of, quantity, number)
        if sale is not None and quantity < left:
            intent = replace(intent, level=sale.reached)
            held.part, held.sold_level = intent, sale.reached
        else:
            held.exit_live = True
        self._begin_exit(held, intent)
        self._waiting.append(intent)
        held.fold(decision.as_of)

    # --- sending ----------------------------------------------------------------------------------------------------

    def cancel_entries(self) -> bool:
        """Cancel every entry that works."""
        return self._live.cancel_entries(self._tools.feed.now)

    def flatten(self) -> None:
        """The breaker wants everything closed: from now on until it is."""
        self._flattening = True

    def act(self, session: Session) -> bool:
        """Close what is to be closed, then send what waits: exits first, then the oldest."""
        sent = self._flattening and self._drive(session)
        if self.halted_by is not None:
            sent = self.cancel_entries() or sent
        waiting, self._waiting = sorted(self._waiting, key=_urgency), []
        return sum(self._send(intent, session) for intent in waiting) > 0 or sent

    def _drive(self, session: Session) -> bool:
        sent, decision = self.cancel_entries(), _asked_for(ExitReason.BREAKER, self._tools.feed.now)
        for held in self._tools.book.guarded:
            sent = self._close(held, decision, session) or sent
        self._flattening = bool(self._tools.book.guarded or self._live)
        return sent

    def _send(self, intent: OrderIntent, session: Session) -> bool:
        held = self._tools.book.of(intent.trade_id)
        if intent.in_part:
            return self._begin_part(held, intent, session)
        if intent.purpose is Purpose.ENTRY:
            if self.halted_by is None:
                self._live.place(intent, intent.limit, self._tools.feed.now)
                return True
            held.entry_over = True
            held.fold(self._tools.feed.now)
            return False
        working = [live for live in self._live.of_trade(held.trade.id) if not live.is_entry]
        rests = held.trade.rules.overnight and not session.contains(self._tools.feed.now)
        if rests or working or self._closable(held) < intent.quantity:
            if rests or (working and all(live.protective for live in working)):
                held.wanted = intent.exit_reason  # what stands is cancelled first, and a market that is closed opens
            held.exit_live = any(not live.protective for live in working)
            held.fold(self._tools.feed.now)
            return False
        self._leave_with(held, intent)
        return True

    def _begin_part(self, held: HeldTrade, intent: OrderIntent, session: Session) -> bool:
        """A part leaves when what stands at the exchange leaves room for it, and the account holds so many."""
        if self._closable(held) < intent.quantity:
            held.drop_part()
            return False
        held.part_waits = True
        return self._protect(held, session)


def _closes(live: LiveOrder) -> bool:
    """Whether an order closes all of its trade."""
    return not (live.is_entry or live.protective or live.in_part)


def _sells_all(held: HeldTrade) -> bool:
    """Whether a part comes to all that is held by now: that would be a close."""
    return held.part is not None and held.part.quantity >= held.units


def _booked(intent: OrderIntent, held: HeldTrade) -> int:
    """Units of an order whose executions have come."""
    return whole_spreads(intent.legs, (fill for fill in held.fills if fill.ref == intent.ref))


def _standing(live: LiveOrder, held: HeldTrade) -> Standing:
    intent, changeable = live.intent, live.told and not live.cancel_asked
    return Standing(intent.ref, live.limit, live.size, intent.quantity, _booked(intent, held), changeable)


def _asked_for(reason: ExitReason, now: datetime) -> ExitDecision:
    return ExitDecision(reason, now, "", "", "asked for before, and not done yet", None, None)


def _urgency(intent: OrderIntent) -> tuple[bool, datetime, str]:
    return intent.purpose is Purpose.ENTRY, intent.created_at, intent.ref
