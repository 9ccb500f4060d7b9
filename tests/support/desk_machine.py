"""The desk, its broker and its record as one machine that is driven step by step, with faults between the steps."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from tests.support import plain, record
from tests.support.broker import HeldOrder
from tests.support.desk import Running, World
from tests.support.faltering import EvenJournal, FalteringThread
from tests.support.waiting import PATIENCE_S

from htbot.desk.clock import DeskClock
from htbot.desk.pace import COMPARE_EVERY, PacedPace
from htbot.domain.errors import Retryable
from htbot.domain.instruments import Contract, SecType
from htbot.domain.orders import ExitReason, IntentState, OrderIntent, Purpose
from htbot.domain.trades import ExitRules, Trade, TradeState
from htbot.engine.bar_parts import ExitPlan
from htbot.engine.observation import LevelSale
from htbot.marketdata.clock_state import Mode
from htbot.marketdata.messages import TimeMessage
from htbot.persistence.engine import Database
from htbot.persistence.repositories import FillRepository, IntentRepository, TradeRepository
from htbot.persistence.repositories.desk_state import Superseded
from htbot.persistence.states import TERMINAL_INTENT_STATES
from htbot.portfolio.positions import fold
from htbot.services.trade_record import manual_decision, request_exit

T = TypeVar("T")
SHARES = plain.LONG.con_id
CALM = {record.SHORT.con_id: (6.10, 6.30), record.LONG.con_id: (1.90, 2.00), SHARES: (400.00, 400.02)}
STOPPED = {record.SHORT.con_id: (9.60, 9.70), record.LONG.con_id: (2.00, 2.10), SHARES: (390.00, 390.02)}
_ENDED = frozenset({TradeState.VOID, TradeState.CLOSED})
_ROUNDS = 60


class Machine:
    """One world with one desk at a time; every method leaves it between two turns of the desk's event loop."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.loop = asyncio.new_event_loop()
        self.world = World(database, folder)
        self.intents: dict[str, OrderIntent] = {}
        self.entries = 0
        self.wanted: set[str] = set()
        self.before: list[Running] = []
        self.compared_at = self.world.now
        self.by_hand = 0
        self.journals: list[EvenJournal] = []
        self.now: Running = self._start()

    def close(self) -> None:
        self.world.close()
        for running in (*self.before, self.now):
            running.journal.close()
        self.loop.close()

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            return self.loop.run_until_complete(asyncio.wait_for(work, PATIENCE_S))
        finally:
            for journal in self.journals:
                journal.catch_up()

    # --- the desk's life -------------------------------------------------------------------------------------------

    def _start(self) -> Running:
        running = Running(self.world, DeskClock(Mode.STEPPED, None), FalteringThread, EvenJournal)
        assert isinstance(running.journal, EvenJournal)
        self.journals.append(running.journal)
        self.do(running.begin())
        self.do(running.desk.connect())
        return running

    @property
    def thread(self) -> FalteringThread:
        thread = self.now.desk.parts.orders_database
        assert isinstance(thread, FalteringThread)
        return thread

    @property
    def dark(self) -> bool:
        return self.thread.dead

    def kill(self) -> None:
        """kill -9: what only memory holds is gone; a supervisor starts another when PostgreSQL is there."""
        self.now.die()
        self.before.append(self.now)
        self.now = self._start()

    def supersede(self) -> None:
        """Another desk begins while this one lives: the broker hangs up on the old one, which does not know yet."""
        old = self.now
        old.session.connected = False
        old.postgres(dead=False)
        self.before.append(old)
        self.now = self._start()
        held = self._at_broker()
        with suppress(Superseded, ConnectionError):  # as it meets the new epoch, or its own dead socket
            self.do(self._hear(old))
            self.do(old.desk.ledger.settle())
        assert self._at_broker() == held, "a desk that was replaced has sent something"

    def _at_broker(self) -> list[tuple[str, Decimal, int, str]]:
        """What has arrived: a walk of a limit that meets a dead socket is none of it."""
        orders = self.world.broker.orders
        return [(order.intent.ref, order.limit, order.quantity, order.status) for order in orders]

    # --- a turn ----------------------------------------------------------------------------------------------------

    def hear(self) -> None:
        """The lane that never waits for PostgreSQL: messages, guard, limits."""
        self._guarded(self._hear(self.now))

    def keep(self) -> None:
        """The lane of chores: recover, act, compare, write. It does nothing while PostgreSQL is away."""
        if not self.dark:
            self._guarded(self._keep(self.now))

    def step(self) -> None:
        self.hear()
        self.keep()
        self.hear()

    def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        """As `htbot.desk.pace` catches what breaks a session."""
        try:
            self.do(work)
        except (Retryable, ConnectionError):
            if not self.now.session.connected:
                self.now.desk.connection = "lost"
                self.now.desk.orders.doubt_all("session ended")

    async def _hear(self, running: Running) -> None:
        desk, inbox = running.desk, running.desk.parts.inbox
        if running.session.connected:
            inbox.put_nowait(TimeMessage(self.world.now))
        while not inbox.empty():
            desk.fold(inbox.get_nowait())
        desk.told_time(self.world.now)
        PacedPace._look(desk, self.world.now)
        await desk.guard.settle()

    async def _keep(self, running: Running) -> None:
        desk, now = running.desk, self.world.now
        if not running.session.connected:
            return
        if desk.recovery_due and desk.connection == "connected":
            await desk.recover()
        await desk.refresh_halts(now)
        await desk.upkeep.load_missed()
        await desk.ledger.settle()
        if desk.orders.doubtful or not desk.enabled or now - self.compared_at >= COMPARE_EVERY:
            self.compared_at = now
            await desk.reconcile(now)
        await desk.act(now)
        await desk.guard.settle()
        await desk.ledger.settle()

    def reconnect(self) -> None:
        """The session after the one that broke."""
        self.now.session.broken = False
        self.now.desk.orders.doubt_all("session ended")
        self.do(self.now.desk.connect())

    # --- what people and workers do --------------------------------------------------------------------------------

    def approve(self, quantity: int, *, shares: bool = False) -> None:
        """A worker commits an approved entry of a lane of its own, of spreads or of shares."""
        self.entries += 1
        lane = f"lane{self.entries}"
        rules = ExitRules(Decimal(10_000), Decimal(200), record.at(600), record.at(660))
        trade_id = f"{lane}-{record.ACCOUNT}-{record.DAY:%Y%m%d}-1"
        now = self.world.now
        named: dict[str, Any] = {"id": trade_id, "strategy": lane, "quantity": quantity, "opened_at": now}
        if shares:
            rules = replace(plain.RULES, exit_at=record.at(600), flat_deadline=record.at(660))
            trade = plain.trade(self.entries, rules=rules, **named)
            intent = plain.entry(trade, 1, decision_id=record.decision_id(self.entries))
        else:
            trade = record.trade(self.entries, rules=rules, **named)
            intent = record.entry(trade, 1, decision_id=record.decision_id(self.entries))
        self.intents[intent.ref] = self.world.approve(trade, intent, self.entries)

    def ask_exit(self) -> None:
        """A task writes the exit of the oldest open trade."""
        with self.world.database.transaction() as session:
            for trade in TradeRepository(session).live():
                if request_exit(session, trade.id, manual_decision(ExitReason.MANUAL, self.world.now, "asked")):
                    self.wanted.add(trade.id)
                    return

    def ask_part(self, level: int) -> None:
        """A worker writes what a close has come to a profit level for: one share of each but the last, which is all."""
        plan = ExitPlan()
        plan.shares = [0.4, 0.4, 1.0]
        decision = manual_decision(ExitReason.PROFIT_TARGET, self.world.now, f"profit level {level}")
        with self.world.database.transaction() as session:
            for trade in TradeRepository(session).live():
                if trade.plain and request_exit(session, trade.id, decision, LevelSale(0, level, plan)):
                    return

    # --- the broker ------------------------------------------------------------------------------------------------

    @property
    def working(self) -> list[HeldOrder]:
        return [order for order in self.world.broker.orders if order.working]

    def broker_fills(self, number: int, quantity: int) -> None:
        """Not more than is there: what a person has sold besides, the desk is given time to see (`sell_by_hand`)."""
        order = self.working[number % len(self.working)]
        most = min(quantity, order.quantity - order.filled)
        if order.intent.plain is not None and order.intent.purpose is Purpose.EXIT:
            most = min(most, self.shares)
        if most:
            self.world.broker.fill(order.intent.ref, _price(order.intent), most)

    def broker_ends(self, number: int, status: str) -> None:
        self.world.broker.end(self.working[number % len(self.working)].intent.ref, status)

    @property
    def shares(self) -> int:
        """What the broker holds of them."""
        return self.world.broker.held.get((record.ACCOUNT, SHARES), (None, 0))[1]

    @property
    def heard(self) -> bool:
        """Nothing stands between the desk and the broker now."""
        session, thread = self.now.session, self.thread
        lost = session.deaf or session.broken or session.lost_requests > 0 or thread.failing or thread.mute
        refused = session.reject or session.refuse_modify or session.refuse_cancel
        return self.now.desk.enabled and session.connected and not (lost or refused or self.dark)

    def trade_by_hand(self, quantity: int) -> None:
        """A person trades shares of the same account; the desk sees it in the positions only."""
        contract = Contract(SHARES, plain.SYMBOL, SecType.STOCK, "SMART")
        self.world.broker.move(record.ACCOUNT, contract, quantity)
        self.by_hand += quantity

    def sell_by_hand(self) -> None:
        """One share is gone: within a minute stops, targets and parts work for no more than is there."""
        self.trade_by_hand(-1)
        for _ in range(6):
            self.world.after(market_s=10)
            self.step()
        standing, parts = Counter[str](), 0
        for order in self.working:
            left = order.quantity - order.filled
            if order.intent.protective:
                standing[order.intent.trade_id] = max(standing[order.intent.trade_id], left)
            elif order.intent.in_part:
                parts += left
        assert standing.total() + parts <= self.shares, f"{self.shares} are held: {self.working}"

    def tell_again(self) -> None:
        """What was executed is told once more, to whoever is connected."""
        self.world.broker.tell(*self.world.broker.executions_today)

    def tell_commissions(self, each: str) -> None:
        for ref in dict.fromkeys(order.intent.ref for order in self.world.broker.orders):
            self.world.broker.report_commissions(ref, each)

    def compare(self) -> None:
        self._guarded(self._compare())

    async def _compare(self) -> None:
        await self.now.desk.reconcile(self.world.now)

    # --- what must hold --------------------------------------------------------------------------------------------

    def check(self) -> None:
        """After every step: nothing twice, nothing flipped."""
        could: Counter[str] = Counter()
        for order in self.world.broker.orders:
            could[order.intent.ref] += order.intent.quantity if order.working else order.filled
            self.intents.setdefault(order.intent.ref, order.intent)
        for ref, quantity in could.items():
            assert quantity <= self.intents[ref].quantity, f"{ref} may fill {quantity}: {self.world.broker.orders}"
        opened, closing, groups = Counter[str](), Counter[str](), Counter[tuple[str, str]]()
        for order in self.world.broker.orders:
            trade, group = order.intent.trade_id, order.intent.group
            if order.intent.purpose is Purpose.ENTRY:
                opened[trade] += order.filled
                continue
            closing[trade] += order.filled
            left = order.quantity - order.filled if order.working else 0
            if group is None:
                closing[trade] += left
            else:  # of one group only one can fill
                groups[trade, group] = max(groups[trade, group], left)
        for (trade, _group), left in groups.items():
            closing[trade] += left
        for trade, quantity in closing.items():
            assert quantity <= opened[trade], f"{trade} holds {opened[trade]}, its closes may fill {quantity}"
        held = {con_id: quantity for (_a, con_id), (_c, quantity) in self.world.broker.held.items()}
        assert held.get(record.SHORT.con_id, 0) <= 0 <= held.get(record.LONG.con_id, 0), held
        assert held.get(SHARES, 0) >= 0, held

    def calm_down(self) -> None:
        """Everything is kind from here on, and every trade is stopped out; then the two books are the same."""
        self._be_kind()
        if self.by_hand:
            self.trade_by_hand(-self.by_hand)
        for _ in range(_ROUNDS):
            self.world.after(market_s=40, host_s=11)
            if not self.now.session.connected or self.now.desk.connection != "connected":
                self.reconnect()
            self.step()
            self.check()
            for order in self.working:
                if order.working:  # another one of its group may have ended it
                    self.world.broker.fill(order.intent.ref, _price(order.intent))
                    self.world.broker.report_commissions(order.intent.ref)
            self.step()
            if self._over():
                break
        self._judge()

    def _be_kind(self) -> None:
        self.now.postgres(dead=False)
        self.thread.failing = self.thread.mute = 0
        session = self.now.session
        session.deaf, session.lost_requests, session.broken = False, 0, False
        session.reject = session.refuse_modify = session.refuse_cancel = None
        self.world.stop_file.unlink(missing_ok=True)
        self.world.broker.quotes |= STOPPED

    def _over(self) -> bool:
        with self.world.database.transaction() as session:
            live = TradeRepository(session).live() or IntentRepository(session).live()
        return not live and self.now.desk.enabled

    def _judge(self) -> None:
        with self.world.database.transaction() as session:
            stored = {item.intent.ref: item for item in IntentRepository(session).of_session(record.DAY)}
            trades = {trade.id: trade for trade in TradeRepository(session).of_session(record.DAY)}
            fills = FillRepository(session).of_account(record.ACCOUNT)
        unresolved = [(ref, item.state) for ref, item in stored.items() if item.state not in TERMINAL_INTENT_STATES]
        assert not unresolved, unresolved
        open_ = {trade.id: trade.state for trade in trades.values() if trade.state not in _ENDED}
        assert not open_, f"every close was wanted: {open_}"
        ours = {key: position.quantity for key, position in fold(fills).items() if position.quantity}
        held = {key: quantity for key, (_contract, quantity) in self.world.broker.held.items()}
        assert ours == held, (ours, held)
        assert {order.intent.ref for order in self.world.broker.orders} <= set(stored)
        filled = Counter[str]()
        asked = {ref: item.intent.quantity for ref, item in stored.items()}
        for order in self.world.broker.orders:
            filled[order.intent.ref] += order.filled
            asked[order.intent.ref] = order.quantity or asked[order.intent.ref]
        for ref, item in stored.items():
            whole = item.state is IntentState.FILLED
            done = filled[ref] == asked[ref]
            # a stop or target that its group has reduced to what it has filled ends as cancelled
            agree = done or not whole if item.intent.protective else whole == done
            assert agree, (ref, item.state, filled[ref])
        self._memory_is_the_record(trades)
        assert self.now.desk.enabled, self.now.desk.reason
        halts = self.world.halts()
        assert not halts, halts
        assert self.now.journal.open() == [], "the journal holds what the record has not"

    def _memory_is_the_record(self, trades: dict[str, Trade]) -> None:
        for trade_id, stored in trades.items():
            held = self.now.desk.book.get(trade_id)
            if held is not None and stored.state is not TradeState.VOID:  # an entry that never left is nobody's concern
                ours, theirs = (replace(trade, closed_at=None, max_gain_usd=None) for trade in (held.trade, stored))
                assert ours == theirs, f"memory {ours}\nrecord {theirs}"


def _price(intent: OrderIntent) -> str | None:
    """Entries fill at one credit whatever they ask for, so that the stop is crossed when the market says so."""
    if intent.plain is not None:
        return None
    return "-4.25" if intent.purpose is Purpose.ENTRY else None
