"""The desk: one broker session, one queue of messages, one consumer. Who may call what when is decided by its pace."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from sqlalchemy.orm import Session as Transaction

from htbot.adapters.ib.session import IbSession
from htbot.adapters.ib.wrapper import SessionMessage
from htbot.alerts.wording import connection_alert, error_alert
from htbot.desk.bulletin import Bulletin
from htbot.desk.chain import ChainNeed
from htbot.desk.clock import DeskClock
from htbot.desk.commands import CommandDesk
from htbot.desk.guard import ExitGuard, GuardParts
from htbot.desk.halts import HaltWatch
from htbot.desk.opening import await_time, choose_account, choose_world
from htbot.desk.orders import OrderDesk, OrderParts
from htbot.desk.record import DeskRecord, begin_epoch, halt_trading, open_trades, take_over
from htbot.desk.recovery import Recovery
from htbot.desk.threads import DatabaseThread
from htbot.desk.watch import MarketWatch, Standing
from htbot.domain.accounts import ACCOUNT_TAGS
from htbot.domain.alerts import Severity
from htbot.domain.bars import Bar
from htbot.domain.errors import StopTrading
from htbot.domain.sessions import NEW_YORK, Session
from htbot.domain.signals import SpreadLeg
from htbot.domain.trades import Trade
from htbot.domain.windows import TradingHours
from htbot.execution.broker_events import DATA_TROUBLE
from htbot.execution.messages import ErrorMessage, OrderMessage
from htbot.marketdata.clock_state import ClockState
from htbot.marketdata.messages import BarMessage, ConnectionMessage, QuoteMessage, TimeMessage
from htbot.marketdata.sessions import trading_window
from htbot.marketdata.snapshot import ListedOption, Snapshot
from htbot.persistence.records import Account
from htbot.persistence.repositories import (
    BarRepository,
    CommandRepository,
    DeskStateRepository,
    SessionRepository,
)
from htbot.persistence.repositories.desk_state import LAST_INSTANT, WORLD_ID, Superseded
from htbot.portfolio.marks import Marks, mark_spread
from htbot.services.outbox import tell_seldom

_log = logging.getLogger(__name__)
DISAGREE_FOR = timedelta(seconds=15)
# RULINGS 17: no entries above it.
MOST_SKEW = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class DeskPlan:
    """What this desk is for. `account` None takes the login's only one; `world_required` demands the paper gateway."""

    account: str | None
    client_id: int
    hours: TradingHours
    world_required: bool


@dataclass(frozen=True, slots=True)
class DeskParts:
    """Everything the desk works with, picked by `bootstrap.desk`."""

    plan: DeskPlan
    clock: DeskClock
    session: IbSession
    inbox: asyncio.Queue[SessionMessage]
    bulletin: Bulletin
    orders_database: DatabaseThread
    market_database: DatabaseThread
    halts: HaltWatch
    watch: MarketWatch


class Desk:
    """Folds what the broker tells, guards what is held, sends what was decided."""

    def __init__(self, parts: DeskParts) -> None:
        self.parts = parts
        self.clock = parts.clock
        self.connection = "connecting"
        self.reason: str | None = "starting"
        self.world_id = ""
        self.account = parts.plan.account or ""
        self.session_today: Session | None = None
        self.skew = timedelta(0)
        self._day_known: date | None = None
        self._disagree_since: datetime | None = None
        self._epoch = 0
        self._orders: OrderDesk | None = None
        self._guard: ExitGuard | None = None
        self._commands: CommandDesk | None = None
        self._recovery: Recovery | None = None

    @property
    def orders(self) -> OrderDesk:
        """The sender; there once the epoch has begun."""
        if self._orders is None:
            raise StopTrading("the desk was used before it was opened")
        return self._orders

    @property
    def guard(self) -> ExitGuard:
        """The exit guard; there once the epoch has begun."""
        if self._guard is None:
            raise StopTrading("the desk was used before it was opened")
        return self._guard

    @property
    def enabled(self) -> bool:
        """True when books and broker agree, the session stands and the clocks agree: entries may leave."""
        return self.reason is None and self.connection == "connected" and self.skew <= MOST_SKEW

    def _on_trade(self, trade: Trade) -> None:
        self.guard.follow(trade)

    # --- opening ---------------------------------------------------------------------------------------------------

    async def begin(self) -> None:
        """Start an epoch and take over what an earlier desk has left."""
        self._epoch = await self.parts.orders_database.insist(begin_epoch)
        record = DeskRecord(self._epoch, self.parts.plan.client_id)
        self._orders = OrderDesk(
            OrderParts(
                session=self.parts.session,
                database=self.parts.orders_database,
                record=record,
                halts=self.parts.halts,
                marks_of=lambda intent: self.marks(intent.legs, self.clock.now()),
                on_trade=self._on_trade,
                enabled=lambda: self.enabled,
                holdings=self.holdings,
            )
        )
        guarding = GuardParts(self.parts.orders_database, self._orders, self.marks, self.holdings, self.market_open)
        self._guard = ExitGuard(guarding)
        self._commands = CommandDesk(self.parts.orders_database, self._orders, self._guard)

    async def connect(self) -> None:
        """Connect, learn account, world and time. Raises `Retryable` while nobody answers."""
        self.connection = "connecting"
        await self.parts.session.connect()
        self.account = choose_account(self.parts.session, self.parts.plan.account)
        self.world_id = choose_world(self.parts.session, self.account, required=self.parts.plan.world_required)
        if not self.clock.stepped:
            self.parts.session.request_time()
        await await_time(self.parts.session, self.parts.inbox, self.clock)
        self.connection = "connected"

    async def recover(self) -> None:
        """Take over, look up, compare, load the market; trading is enabled when all of it agrees."""
        now = self.clock.now()
        await self._require_world(now)
        await self._refresh_session(now)
        if self._recovery is None:
            sent = await self.parts.orders_database.insist(lambda db: take_over(db, self._epoch, now))
            self.orders.restore(sent)
            for trade in await self.parts.orders_database.insist(lambda db: open_trades(db, self.account)):
                self.guard.follow(trade)
        else:
            self.orders.doubt_all("reconnected")
        self._recovery = Recovery(
            self.parts.session, self.parts.orders_database, self.orders, self.account, self._on_order
        )
        history = await self.parts.watch.start(self.parts.session, now)
        await self._store_bars(history, now)
        await self.follow_lines(now)
        await self.parts.halts.refresh(now)
        await self.reconcile(now)

    async def reconcile(self, now: datetime) -> bool:
        """Look up and compare once; trading is enabled when nothing is in doubt."""
        if self._recovery is None:
            return False
        view = await self._recovery.look_up(now)
        doubtful = self.orders.doubtful
        if doubtful:
            self.reason = f"in doubt: {', '.join(live.intent.ref for live in doubtful)}"
            return False
        findings = await self._recovery.compare(view)
        if findings and not self._lasting(now):
            return False
        self._disagree_since = self._disagree_since if findings else None
        if findings:
            self.reason = "books and broker disagree"
            await self._recovery.tell(findings, now)
            return False
        await self._refresh_session(now)
        if self._day_known is None:
            self.reason = "the table of sessions is not filled yet"
            return False
        self.reason = None
        await self.parts.orders_database.insist(lambda db: DeskStateRepository(db).set_reconciled(self._epoch))
        return True

    def _lasting(self, now: datetime) -> bool:
        """A running desk's fills may be under way: only a difference that stays is one (spec 05 section 6)."""
        if self._disagree_since is None:
            self._disagree_since = now
        return self.reason is not None or now - self._disagree_since >= DISAGREE_FOR

    async def _require_world(self, now: datetime) -> None:
        """Refuse a world that is behind our books; remember the one that we are in."""

        def check(db: Transaction) -> None:
            state = DeskStateRepository(db)
            last = state.get(LAST_INSTANT)
            if state.get(WORLD_ID) == self.world_id and last is not None:
                behind = datetime.fromisoformat(last) - now
                if behind.total_seconds() > 60:
                    raise StopTrading(f"the gateway is at {now.isoformat()}, our books are at {last}: start it --fresh")
            state.set(WORLD_ID, self.world_id)

        await self.parts.orders_database.insist(check)

    async def _refresh_session(self, now: datetime) -> None:
        day = now.astimezone(NEW_YORK).date()
        if day == self._day_known:
            return
        near = await self.parts.market_database.insist(
            lambda db: SessionRepository(db).between(day, day + timedelta(days=7))
        )
        self.session_today = next((session for session in near if session.day == day), None)
        self._day_known = day if near else None

    # --- folding ---------------------------------------------------------------------------------------------------

    async def process(self, message: SessionMessage) -> None:
        """One message of the session, in order of arrival."""
        now = self.clock.now()
        match message:
            case BarMessage():
                self.parts.watch.on_bar(message.bar)
            case QuoteMessage():
                self.parts.watch.on_ticks(message.con_ids, now)
            case TimeMessage():
                self.told_time(message.market_time)
            case ConnectionMessage():
                await self._on_connection(message, now)
            case _:
                await self._on_order(message, now)

    def told_time(self, market_time: datetime) -> bool:
        """Take the broker's clock; True when market time has jumped. Live, the host's clock is held against it."""
        self.skew = self.clock.skew(market_time)
        return self.clock.told(market_time)

    async def _on_order(self, message: OrderMessage, now: datetime) -> None:
        if isinstance(message, ErrorMessage) and message.code in DATA_TROUBLE:
            alert = error_alert("market data", f"{message.code} {message.text}", now, Severity.WARNING)
            await self.parts.orders_database.insist(lambda db: tell_seldom(db, alert))
        try:
            await self.orders.on_message(message, now)
        except Superseded:
            raise
        except StopTrading as error:
            await self.stop_trading(error, now)

    async def stop_trading(self, error: StopTrading, now: datetime) -> None:
        """An invariant is broken: nothing is originated until a person has looked; exits go on."""
        _log.critical("trading stops: %s", error)
        await self.parts.orders_database.insist(lambda db: halt_trading(db, str(error), now))
        await self.parts.halts.refresh(now)

    async def _on_connection(self, message: ConnectionMessage, now: datetime) -> None:
        detail = f"{message.code} {message.text}" if message.code else message.text
        if not message.connected:
            self.connection, self.reason = "lost", f"connection lost: {detail}"
            self.orders.doubt_all(detail)
            await self.tell_connection(connected=False, detail=detail)
        elif message.code is not None:
            self.connection = "connected"
            if message.data_lost:  # 1101: the broker has forgotten our lines, recovering takes them anew
                for con_id in self.parts.session.subscribed:
                    self.parts.session.unsubscribe(con_id)
            self.parts.watch.forget_extremes(now)
            await self.tell_connection(connected=True, detail=detail)
            await self.recover()

    async def tell_connection(self, *, connected: bool, detail: str) -> None:
        """A mail to a person, at most one of a kind each 15 minutes."""
        now = self.clock.now() if self.clock.known else datetime.now(UTC)
        alert = connection_alert(connected, detail, now, self.account)
        await self.parts.orders_database.insist(lambda db: tell_seldom(db, alert))

    async def settle(self, now: datetime) -> None:
        """Store what has closed."""
        closed = self.parts.watch.settle(now)
        if closed:
            await self._store_bars(closed, now)

    async def _store_bars(self, bars: list[Bar], now: datetime) -> None:
        known_at = max([now, *(bar.end for bar in bars)])
        await self.parts.market_database.insist(lambda db: BarRepository(db).upsert(self.world_id, bars, known_at))

    async def follow_lines(self, now: datetime) -> None:
        """Subscribe what is needed from here on."""
        await self._refresh_session(now)
        need = None
        if self.session_today is not None:
            window = trading_window(self.session_today, self.parts.plan.hours)
            need = ChainNeed(self.parts.watch.plan.strikes_out, window.entry_from, window.entry_until)
        await self.parts.watch.follow(self.parts.session, need, self.guard.held, now)

    # --- acting ----------------------------------------------------------------------------------------------------

    async def act(self, now: datetime) -> None:
        """Execute commands, send what waits, walk what works."""
        if self._commands is None or self.connection != "connected":
            return
        waits = await self.parts.orders_database.run(lambda db: CommandRepository(db).work_waits())
        if waits:
            await self._commands.run(now)
        self.orders.work(now)
        if waits:
            await self.orders.pump(now)

    # --- publishing ------------------------------------------------------------------------------------------------

    async def publish_grid(self, as_of: datetime) -> None:
        """The one snapshot of a grid instant, for every decision of it."""
        closed = self.parts.watch.take_last_closed()
        standing = self._standing(as_of)
        snapshot = self.parts.watch.snapshot(self.parts.session, as_of, standing, last_closed=closed)
        account = Account(
            account=self.account,
            name="main",
            world_id=self.world_id,
            mode=self.clock.mode.value,
            as_of=as_of,
            net_liquidation_usd=standing.amounts.get("NetLiquidation"),
            buying_power_usd=standing.amounts.get("BuyingPower"),
            cash_usd=standing.amounts.get("TotalCashValue"),
        )
        await self.parts.bulletin.grid(snapshot, self.clock_state(as_of), account)

    def _standing(self, as_of: datetime, asked: tuple[ListedOption, ...] = ()) -> Standing:
        return Standing(
            world_id=self.world_id,
            account=self.account,
            connected=self.connection == "connected",
            trading_enabled=self.enabled and (bool(asked) or self.parts.watch.ready(self.parts.session, as_of)),
            amounts=self.amounts(),
            held=frozenset(self.guard.held),
            asked=asked,
        )

    def snapshot_now(self, asked: tuple[ListedOption, ...]) -> Snapshot:
        """The market at this moment, for somebody who asks; grid instants are published."""
        now = self.clock.now()
        return self.parts.watch.snapshot(self.parts.session, now, self._standing(now, asked))

    async def publish_clock(self) -> None:
        """Market time and standing; before the broker has told the time there is nothing to say."""
        if self.clock.known:
            await self.parts.bulletin.clock(self.clock_state(self.clock.now()))

    def clock_state(self, market_time: datetime) -> ClockState:
        """What `htbot:clock` says."""
        return ClockState(
            market_time=market_time,
            written_at=datetime.now(UTC),
            mode=self.clock.mode,
            speed=self.clock.speed,
            world_id=self.world_id,
            account=self.account,
            connection=self.connection,
            trading_enabled=self.enabled,
            reason=self.reason,
        )

    # --- reading ---------------------------------------------------------------------------------------------------

    def amounts(self) -> dict[str, Decimal]:
        """Account figures that the broker has told."""
        told = {tag: self.parts.session.account_amount(self.account, tag) for tag in ACCOUNT_TAGS}
        return {tag: amount for tag, amount in told.items() if amount is not None}

    def marks(self, legs: tuple[SpreadLeg, ...], now: datetime) -> Marks:
        """What these legs cost now."""
        con_ids = [leg.con_id for leg in legs]
        return mark_spread(legs, self.parts.watch.quotes(self.parts.session, con_ids, now), now)

    def market_open(self, instant: datetime) -> bool:
        """Regular hours. Without a table of sessions nobody knows, and an exit is not held up by that."""
        return self._day_known is None or (self.session_today is not None and self.session_today.contains(instant))

    def holdings(self, account: str) -> dict[int, int]:
        """What the broker shows of an account, by contract id."""
        held = self.parts.session.positions()
        return {con_id: quantity for (owner, con_id), (_contract, quantity) in held.items() if owner == account}
