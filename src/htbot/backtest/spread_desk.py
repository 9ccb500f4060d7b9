"""The desk of a backtest: guards what is held, walks limits, sends what was decided.

The same decisions as the desk's own, from the same pure functions (`exit_decision`, `exit_intent`, `limit_at`), in the
same order within an instant; what lies around them there - sessions, journal, doubt - has no place in memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from htbot.backtest.live_orders import LiveOrder, LiveOrders
from htbot.backtest.spread_account import SpreadAccount, net_by_contract
from htbot.backtest.spread_book import SpreadBook
from htbot.backtest.spread_exchange import SpreadExchange
from htbot.backtest.spread_feed import SpreadFeed
from htbot.backtest.trade_book import HeldTrade
from htbot.domain.fills import Fill
from htbot.domain.orders import ExitReason, OrderIntent, PriceStyle
from htbot.domain.sessions import Session
from htbot.domain.trades import Trade
from htbot.execution.exits import ExitDecision, exit_decision
from htbot.execution.expiry import Expired, ExpiryCase, NeedsPerson, Settlement, intrinsic, settle_expired
from htbot.execution.intents import EXIT_STYLES, closable_quantity, exit_intent
from htbot.execution.ladder import limit_at, next_change_s
from htbot.market.ports import Market


@dataclass(frozen=True, slots=True)
class DeskTools:
    """What the desk works with."""

    market: Market
    feed: SpreadFeed
    exchange: SpreadExchange
    book: SpreadBook
    account: SpreadAccount


class SpreadDesk:
    """One account; every method is called at the instant of the feed."""

    def __init__(self, tools: DeskTools) -> None:
        self._tools = tools
        self._live = LiveOrders(tools.exchange)
        self._waiting: list[OrderIntent] = []
        self._flattening = False
        self.halted_by: str | None = None

    @property
    def legs(self) -> set[int]:
        """Contracts that are held or worked on."""
        held = {leg.con_id for one in self._tools.book.guarded for leg in one.trade.legs}
        return held | {leg.con_id for live in self._live for leg in live.intent.legs}

    # --- news of orders ---------------------------------------------------------------------------------------------

    def hear(self, fills: list[Fill], now: datetime) -> None:
        """Take the executions and the ends of orders."""
        book, exchange = self._tools.book, self._tools.exchange
        for fill in fills:
            self._tools.account.book(fill)
            book.filled((fill,), self._live[fill.ref].intent.trade_id)
        self._live.hear()
        for live in self._live:
            held = book.of(live.intent.trade_id)
            if exchange.ended(live.intent.ref):
                self._live.end(live)
                if live.is_entry:
                    held.entry_over = True
                else:
                    held.exit_live = False
            held.fold(now)

    # --- guarding ---------------------------------------------------------------------------------------------------

    def guard(self, session: Session) -> bool:
        """Look at every trade that holds something; True when an order was sent or cancelled."""
        return sum(self._guard(held, session) for held in self._tools.book.guarded) > 0

    def _guard(self, held: HeldTrade, session: Session) -> bool:
        now = self._tools.feed.now
        marks = self._tools.feed.marks(held.trade.legs)
        held.see(marks)
        decision, held.watch = exit_decision(held.trade, marks, held.watch, now)
        return decision is not None and self._close(held, decision, session)

    def _close(self, held: HeldTrade, decision: ExitDecision, session: Session) -> bool:
        working, asked = self._live.of_trade(held.trade.id), False
        for live in working:
            if live.is_entry:
                asked = self._live.cancel(live, self._tools.feed.now) or asked
            elif EXIT_STYLES[decision.reason] is PriceStyle.URGENT:
                _hurry(live, decision.as_of)
        return asked if working else self._exit(held, decision, session)

    def _exit(self, held: HeldTrade, decision: ExitDecision, session: Session) -> bool:
        now = decision.as_of
        if not held.may_leave(now):
            return False
        held.asked_at, held.exits = now, held.exits + 1
        if not session.contains(now):
            return False
        shown = net_by_contract(self._tools.account.held)
        quantity = closable_quantity(held.trade.legs, held.held, shown)
        if not quantity:
            return False
        number = self._tools.book.next_exit(held.trade.strategy, held.trade.session)
        intent = exit_intent(held.trade, decision.reason, decision.marks, now, quantity, number)
        limit = limit_at(intent, self._tools.feed.marks(intent.legs), 0.0, None)
        self._tools.book.intents.append(intent)
        held.exit_live, held.exit_reason = True, decision.reason
        held.raise_gain(held.watch.max_gain_usd)
        self._live.place(intent, intent.limit if limit is None else limit, now)
        held.fold(now)
        return True

    def mark(self) -> None:
        """The best result of each trade at a grid instant, as the record keeps it."""
        for held in self._tools.book.guarded:
            marks = self._tools.feed.marks(held.trade.legs)
            _decision, held.marked = exit_decision(held.trade, marks, held.marked, self._tools.feed.now)
            held.raise_gain(held.marked.max_gain_usd)

    # --- sending ----------------------------------------------------------------------------------------------------

    def enter(self, trade: Trade, intent: OrderIntent) -> None:
        """An approved entry: it is sent when the instant's decisions are done."""
        self._tools.book.begin(trade, intent)
        self._waiting.append(intent)

    def flatten(self) -> None:
        """The breaker wants everything closed: from now on until it is."""
        self._flattening = True

    def _drive(self, session: Session) -> bool:
        """Cancel entries, hurry exits, close what has none."""
        now = self._tools.feed.now
        asked = self.cancel_entries()
        for live in self._live:
            if not live.is_entry:
                _hurry(live, now)
        working = {live.intent.trade_id for live in self._live}
        decision = ExitDecision(ExitReason.BREAKER, now, "", "", "the breaker has tripped", None, None)
        for held in self._tools.book.guarded:
            if held.trade.id not in working:
                asked = self._exit(held, decision, session) or asked
        self._flattening = bool(self._tools.book.guarded or working)
        return asked

    def act(self, session: Session) -> bool:
        """Close what is to be closed, walk what works, then send what waits; True when anything was sent."""
        driven = self._flattening and self._drive(session)
        walked = sum(self._walk(live) for live in self._live)
        waiting, self._waiting = self._waiting, []
        return driven + walked + sum(self._send(intent) for intent in waiting) > 0

    def _send(self, intent: OrderIntent) -> bool:
        limit = limit_at(intent, self._tools.feed.marks(intent.legs), 0.0, None)
        if self.halted_by is not None or limit is None:
            held = self._tools.book.of(intent.trade_id)
            held.entry_over = True
            held.fold(self._tools.feed.now)
            return False
        self._live.place(intent, limit, self._tools.feed.now)
        return True

    def _walk(self, live: LiveOrder) -> bool:
        now = self._tools.feed.now
        halted = live.is_entry and self.halted_by is not None and self._live.cancel(live, now)
        elapsed_s = (now - live.walks_since).total_seconds()
        due = live.next_walk_s is not None and elapsed_s >= live.next_walk_s
        if not live.told or live.cancel_asked or not due:
            return halted
        live.next_walk_s = next_change_s(live.intent, elapsed_s, style=live.style)
        marks = self._tools.feed.marks(live.intent.legs)
        wanted = limit_at(live.intent, marks, elapsed_s, live.limit, style=live.style)
        if wanted is None or wanted == live.limit:
            return False
        live.limit = wanted
        self._live.send(live, now)
        return True

    def cancel_entries(self) -> bool:
        """Cancel every entry that works; True when one was asked for."""
        return self._live.cancel_entries(self._tools.feed.now)

    # --- the end of a session ---------------------------------------------------------------------------------------

    def expire(self, session: Session, *, deliveries: bool = True) -> None:
        """What is still held when its options expire ends by the rules of the desk, `settle_expired`.

        Shares that are delivered are for a person, who is taken to sell them at the settlement: their options end at
        what they are in the money by. Without `deliveries` there is no such person, and they stay open.
        """
        for held in self._tools.book.guarded:
            self._expire(held, session, deliveries=deliveries)

    def _expire(self, held: HeldTrade, session: Session, *, deliveries: bool) -> None:
        book, trade, now = self._tools.book, held.trade, session.closes
        settled = self._tools.market.settlement(trade.spread_legs[0].con_id)
        if settled is None:
            return
        quantity = max(1, held.units)
        number = book.next_exit(trade.strategy, trade.session)
        intent = exit_intent(trade, ExitReason.EXPIRY, None, now, quantity, number)
        case = ExpiryCase(trade, held.fills, {})
        ended = settle_expired(case, Settlement(now, settled), intent.ref, now)
        if isinstance(ended, NeedsPerson) and deliveries:
            worth = {leg.con_id: intrinsic(leg, settled) for leg in trade.spread_legs}
            ended = settle_expired(case, Settlement(now, None, legs=worth), intent.ref, now)
        if not isinstance(ended, Expired):
            return
        book.intents.append(intent)
        held.exit_reason = ExitReason.EXPIRY
        for fill in ended.fills:
            self._tools.account.book(fill)
        book.filled(ended.fills, trade.id)
        held.fold(now)


def _hurry(live: LiveOrder, now: datetime) -> None:
    """From now on an exit walks like a stop."""
    if live.style is not PriceStyle.URGENT and live.intent.style is not PriceStyle.URGENT:
        live.style, live.walks_since, live.next_walk_s = PriceStyle.URGENT, now, 0.0
