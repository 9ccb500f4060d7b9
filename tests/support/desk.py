"""The real desk on a real record; broker, clock and Redis are the test's own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import TypeVar

from sqlalchemy.orm import Session as Transaction
from tests.support import record
from tests.support.broker import FakeBroker, FakeSession

from htbot.bootstrap.desk import history_days
from htbot.desk.bulletin import Bulletin
from htbot.desk.clock import DeskClock
from htbot.desk.desk import Desk, DeskParts, DeskPlan
from htbot.desk.halts import PATIENCE_S, HaltParts, HaltWatch
from htbot.desk.inbox import Inbox
from htbot.desk.journal import Journal
from htbot.desk.order_numbers import GAP
from htbot.desk.threads import DatabaseThread
from htbot.desk.upkeep import UpkeepPlan
from htbot.desk.watch import MarketWatch, WatchPlan
from htbot.domain.errors import Retryable
from htbot.domain.fills import Fill
from htbot.domain.instruments import UNDERLYINGS
from htbot.domain.orders import IntentState, Order, OrderIntent
from htbot.domain.sessions import Session
from htbot.domain.trades import Trade
from htbot.domain.windows import TradingHours
from htbot.marketdata.clock_state import ClockState, Mode
from htbot.marketdata.messages import TimeMessage
from htbot.marketdata.snapshot import Snapshot
from htbot.persistence.engine import Database
from htbot.persistence.records import Halt, StoredAlert, StoredIntent
from htbot.persistence.repositories import (
    AlertRepository,
    FillRepository,
    HaltRepository,
    IntentRepository,
    OrderRepository,
    RiskDecisionRepository,
    SessionRepository,
    SignalRepository,
    TradeRepository,
)
from htbot.risk.breaker import BreakerLimits
from htbot.risk.flood import FloodLimits
from htbot.services.anchors import AnchorFile

T = TypeVar("T")
CLIENT = 17
# Of the first entry: a close after it has the next.
FIRST_ID = GAP
HOURS = TradingHours(time(10), time(15), time(15), time(15, 45))
SESSION = Session(record.DAY, datetime(2022, 8, 26, 13, 30, tzinfo=UTC), datetime(2022, 8, 26, 20, tzinfo=UTC))
QUOTES = {record.SHORT.con_id: (6.10, 6.30), record.LONG.con_id: (1.90, 2.00)}  # mid 4.25, natural credit 4.10


class LiveRecorder:
    """Redis as the desk writes it: what was published."""

    def __init__(self) -> None:
        self.snapshots: list[Snapshot] = []
        self.others: list[Snapshot] = []
        self.clocks: list[ClockState] = []
        self.on_clock: Callable[[], None] = lambda: None
        self.tickers: list[Snapshot] = []

    async def publish_snapshots(self, told: Iterable[Snapshot], clock: ClockState) -> None:
        own, *self.others = told
        self.snapshots.append(own)
        self.clocks.append(clock)

    async def publish_clock(self, clock: ClockState) -> None:
        self.clocks.append(clock)
        self.on_clock()

    async def publish_ticker(self, ticker: Snapshot) -> None:
        self.tickers.append(ticker)


class BorrowedThread(DatabaseThread):
    """A database thread that leaves its database to the next test."""

    def close(self) -> None:
        self._executor.shutdown(wait=True)


class MortalThread(BorrowedThread):
    """A database thread whose PostgreSQL dies or hangs, and comes back, when a test says so."""

    dead = hangs = False

    async def run(self, work: Callable[[Transaction], T]) -> T:
        while self.hangs:  # noqa: ASYNC110 - it has no bell
            await asyncio.sleep(0.01)
        if self.dead:
            raise Retryable("PostgreSQL did not answer: connection refused")
        return await super().run(work)

    async def insist(self, work: Callable[[Transaction], T], *, pause_s: float = 0.005) -> T:
        return await super().insist(work, pause_s=pause_s)


class World:
    """What outlives a desk: the record, the broker, the time, the STOP file."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.stop_file = folder / "STOP"
        self.flood = FloodLimits(per_minute=1000, repeats=1000)  # tests enter the same spread again and again
        self.journal_file = folder / "desk" / "journal.jsonl"
        self.now = record.at(1, 2)
        self.host_s = 1000.0
        self.broker = FakeBroker(record.ACCOUNT, lambda: self.now, record.WORLD, quotes=dict(QUOTES))
        self.account: str | None = None  # the only one of the login
        self.more_accounts: tuple[str, ...] = ()
        self.threads: list[DatabaseThread] = []
        with database.transaction() as session:
            SessionRepository(session).upsert([SESSION])

    def after(self, *, market_s: float = 0.0, host_s: float | None = None) -> None:
        """Time goes on; host time with market time unless said otherwise."""
        self.now += timedelta(seconds=market_s)
        self.host_s += market_s if host_s is None else host_s

    async def desk(self, *, recover: bool = True, clock: DeskClock | None = None) -> Running:
        """A desk process starts, stepped unless it gets another clock."""
        running = Running(self, clock or DeskClock(Mode.STEPPED, None))
        await running.begin()
        await running.desk.connect()
        if recover:
            await running.recover()
        return running

    def close(self) -> None:
        for thread in self.threads:
            thread.close()

    # --- the record ------------------------------------------------------------------------------------------------

    def enter(self, number: int = 1, **changes: object) -> OrderIntent:
        """An approved entry waits, with its signal, decision and trade."""
        trade = record.trade(number, **changes)
        return self.approve(trade, record.entry(trade, number), number)

    def approve(self, trade: Trade, intent: OrderIntent, number: int) -> OrderIntent:
        """What a worker commits with an entry: its signal, its decision, its trade."""
        with self.database.transaction() as session:
            seen = record.signal(4160.0 + number, strategy=trade.strategy)
            stored = SignalRepository(session).add(seen, None)
            RiskDecisionRepository(session).add(record.approval(number), stored)
            assert TradeRepository(session).add(trade)
            assert IntentRepository(session).add(intent)
        return intent

    def stored(self, ref: str) -> StoredIntent:
        with self.database.transaction() as session:
            found = IntentRepository(session).get(ref)
        assert found is not None
        return found

    def state(self, ref: str) -> IntentState:
        return self.stored(ref).state

    def exits(self, trade_id: str) -> list[StoredIntent]:
        with self.database.transaction() as session:
            return [item for item in IntentRepository(session).of_trade(trade_id) if item.intent.exit_reason]

    def trade(self, trade_id: str) -> Trade:
        with self.database.transaction() as session:
            found = TradeRepository(session).get(trade_id)
        assert found is not None
        return found

    def order(self, ref: str) -> Order | None:
        with self.database.transaction() as session:
            return OrderRepository(session).get(ref)

    def fills(self, ref: str) -> list[Fill]:
        with self.database.transaction() as session:
            return FillRepository(session).of_ref(ref)

    def alerts(self) -> list[StoredAlert]:
        with self.database.transaction() as session:
            return AlertRepository(session).recent()

    def mails(self, kind: str) -> int:
        return sum(stored.alert.kind == kind for stored in self.alerts())

    def halts(self) -> list[Halt]:
        with self.database.transaction() as session:
            return HaltRepository(session).active(self.now)


class Running:
    """One desk process, driven by hand."""

    def __init__(
        self,
        world: World,
        clock: DeskClock,
        thread: type[MortalThread] = MortalThread,
        journal: type[Journal] = Journal,
    ) -> None:
        self.world = world
        inbox = Inbox()
        self.session = FakeSession(world.broker, CLIENT, inbox.tell)
        self.live = LiveRecorder()
        self.journal = journal(world.journal_file)
        orders = thread("orders", world.database)
        market = thread("market", world.database)
        world.threads += [orders, market]
        upkeep = UpkeepPlan(BreakerLimits(), True, AnchorFile(world.stop_file.parent / "audit.head"), {})
        self.desk = Desk(
            DeskParts(
                plan=DeskPlan(
                    account=world.account,
                    client_id=CLIENT,
                    hours=HOURS,
                    world_required=True,
                    upkeep=upkeep,
                    flood=world.flood,
                    more_accounts=world.more_accounts,
                ),
                clock=clock,
                session=self.session,
                inbox=inbox,
                bulletin=Bulletin(self.live, orders),
                orders_database=orders,
                market_database=market,
                journal=self.journal,
                halts=HaltWatch(world.stop_file, orders, HaltParts(patience_s=None if clock.stepped else PATIENCE_S)),
                watch=MarketWatch(
                    WatchPlan(UNDERLYINGS["SPX"], 5, 3, 7, history_days),
                    exact=clock.stepped,
                    monotonic=lambda: world.host_s,
                ),
            )
        )

    async def begin(self) -> None:
        await self.desk.begin()
        orders = self.desk.orders
        orders._parts = replace(orders._parts, monotonic=lambda: self.world.host_s)

    async def recover(self) -> None:
        await self.desk.recover()
        await self.hear()

    async def hear(self) -> None:
        """Everything that the broker has told so far."""
        inbox = self.desk.parts.inbox
        inbox.put_nowait(TimeMessage(self.world.now))
        while not inbox.empty():
            self.desk.fold(inbox.get_nowait())
            await self.desk.ledger.settle()
            if self.desk.recovery_due and self.desk.connection == "connected":
                await self.desk.recover()

    async def look(self, ticked: set[int] | None = None) -> int:
        """Guard; what it begins has left and is in the record when this returns."""
        begun = self.desk.guard.look(self.world.now, ticked)
        self.desk.trading.protecting.look(self.world.now)
        await self.desk.guard.settle()
        await self.desk.ledger.settle()
        return begun

    async def turn(self) -> None:
        """Hear, guard, act, hear: one round of the desk at the present time."""
        await self.hear()
        await self.look()
        await self.desk.act(self.world.now)
        await self.desk.guard.settle()
        await self.hear()
        await self.desk.ledger.settle()

    async def doubt_silent(self) -> None:
        """Nobody has answered for too long."""
        self.desk.orders.doubt_silent(self.world.now)
        await self.desk.ledger.settle()

    async def look_up(self, *, after_s: float = 0.0) -> bool:
        """Reconcile after some host seconds."""
        self.world.after(host_s=after_s)
        done = await self.desk.reconcile(self.world.now)
        await self.hear()
        return done

    def postgres(self, *, dead: bool, hangs: bool = False) -> None:
        """PostgreSQL dies, hangs, or is back."""
        for thread in (self.desk.parts.orders_database, self.desk.parts.market_database):
            thread.dead, thread.hangs = dead, hangs  # type: ignore[attr-defined]

    def die(self) -> None:
        """kill -9: nothing more is heard or said."""
        self.session.connected = False

    async def opened(self, price: str = "-4.25", **changes: object) -> OrderIntent:
        """An entry that was sent and filled, its commissions known."""
        intent = self.world.enter(**changes)
        await self.turn()
        self.world.broker.fill(intent.ref, price)
        self.world.broker.report_commissions(intent.ref)
        await self.hear()
        return intent
