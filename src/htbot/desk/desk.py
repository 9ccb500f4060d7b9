"""The desk: one broker session, one queue of messages, one consumer. Who may call what when is decided by its pace."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial

from htbot.adapters.ib.session import IbSession
from htbot.adapters.ib.wrapper import SessionMessage
from htbot.alerts.broker_away import connection_alert
from htbot.alerts.wording import error_alert
from htbot.desk.accounts import Followed, follow, held_by_account
from htbot.desk.agreement import Agreement
from htbot.desk.bulletin import Bulletin
from htbot.desk.chain_watch import chain_needs
from htbot.desk.clock import DeskClock
from htbot.desk.data_trouble import DataTrouble
from htbot.desk.guard import ExitGuard
from htbot.desk.halts import HaltWatch, halt_trading
from htbot.desk.inbox import Inbox
from htbot.desk.journal import Journal
from htbot.desk.ledger import Ledger
from htbot.desk.notices import Notices
from htbot.desk.open_book import OpenBook
from htbot.desk.opening import await_time, choose_world, forget_ended, require_world
from htbot.desk.orders import OrderDesk
from htbot.desk.protection import Protection
from htbot.desk.record import DeskRecord, begin_epoch, booked_of, exits_of, open_trades, take_over
from htbot.desk.recovery import PATIENCE_S, Look, Recovery
from htbot.desk.threads import DatabaseThread
from htbot.desk.trading import Trading, TradingParts, build_trading
from htbot.desk.trading_day import TradingDay
from htbot.desk.upkeep import Upkeep, UpkeepPlan
from htbot.desk.watch import MarketWatch
from htbot.domain.alerts import Alert, Severity
from htbot.domain.bars import Bar
from htbot.domain.errors import StopTrading
from htbot.domain.sessions import NEW_YORK
from htbot.domain.signals import Leg
from htbot.domain.windows import TradingHours
from htbot.execution.disagreement import DEFAULT_PATIENCE, Patience
from htbot.execution.messages import ErrorMessage
from htbot.execution.silence import DEFAULT_SILENCE, Silence
from htbot.marketdata.messages import BarMessage, ConnectionMessage, LineMessage, QuoteMessage, TimeMessage
from htbot.persistence.repositories import BarRepository, CommandRepository, DeskStateRepository
from htbot.portfolio.marks import Marks, mark_spread
from htbot.risk.flood import EntryFlood, FloodLimits
from htbot.services.option_instances import ChainPlan

_log = logging.getLogger(__name__)
# RULINGS 17: no entries above it.
MOST_SKEW = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class DeskPlan:
    """What this desk is for. `account` None takes the login's only one; `world_required` demands the paper gateway.

    `more_accounts` are traded beside it.
    """

    account: str | None
    client_id: int
    hours: TradingHours
    world_required: bool
    upkeep: UpkeepPlan
    patience: Patience = DEFAULT_PATIENCE
    silence: Silence = DEFAULT_SILENCE
    flood: FloodLimits = field(default_factory=FloodLimits)
    more_accounts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DeskParts:
    """Everything the desk works with, picked by `bootstrap.desk`."""

    plan: DeskPlan
    clock: DeskClock
    session: IbSession
    inbox: Inbox
    bulletin: Bulletin
    orders_database: DatabaseThread
    market_database: DatabaseThread
    journal: Journal
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
        self.followed = Followed((parts.plan.account or "", *parts.plan.more_accounts))
        self.day = TradingDay(parts.market_database)
        self.skew = timedelta(0)
        self.recovery_due, self.compare_due = True, False
        self.notices = Notices(self)
        self.protection = Protection()
        self.data_trouble = DataTrouble()
        self.book = OpenBook()
        self.ledger = Ledger(parts.orders_database, self.broken)
        self.agreement = Agreement(lambda: self.followed.left)
        self._broken: str | None = None
        self._winding_down, self._outages = False, 0
        self._held: dict[str, list[str]] = {}
        self._trading: Trading | None = None
        self._upkeep: Upkeep | None = None
        self._recovery: Recovery | None = None

    @property
    def account(self) -> str:
        """The main account."""
        return self.followed.traded[0]

    @property
    def trading(self) -> Trading:
        """Everything that trades; there once the epoch has begun."""
        if self._trading is None:
            raise StopTrading("the desk was used before it was opened")
        return self._trading

    @property
    def upkeep(self) -> Upkeep:
        """Halts, breaker and trail; there once the epoch has begun."""
        if self._upkeep is None:
            raise StopTrading("the desk was used before it was opened")
        return self._upkeep

    @property
    def orders(self) -> OrderDesk:
        """The sender."""
        return self.trading.orders

    @property
    def guard(self) -> ExitGuard:
        """The exit guard."""
        return self.trading.guard

    @property
    def enabled(self) -> bool:
        """True when books and broker agree, the session stands and the clocks agree: entries may leave."""
        sound = self.reason is self._broken is self.data_trouble.reason is None and self.skew <= MOST_SKEW
        return sound and self.connection == "connected" and not (self.recovery_due or self._winding_down)

    # --- opening ---------------------------------------------------------------------------------------------------

    async def begin(self) -> None:
        """Start an epoch."""
        epoch = await self.parts.orders_database.insist(begin_epoch)
        self._upkeep = Upkeep(self, self.parts.plan.upkeep)
        self.ledger.post(lambda db: self.upkeep.begun(db, epoch))
        self._trading = build_trading(
            TradingParts(
                session=self.parts.session,
                database=self.parts.orders_database,
                ledger=self.ledger,
                journal=self.parts.journal,
                record=DeskRecord(epoch, self.parts.plan.client_id),
                book=self.book,
                halts=self.parts.halts,
                flood=EntryFlood(self.parts.plan.flood),
                desk=self,
                silence=self.parts.plan.silence,
            )
        )
        self._held = await self.parts.orders_database.insist(held_by_account)
        highest = await self.parts.orders_database.insist(
            lambda db: DeskStateRepository(db).highest_order_id(self.parts.plan.client_id)
        )
        self.trading.numbers.used_id(highest)

    async def connect(self) -> None:
        """Connect, learn account, world and time. Raises `Retryable` while nobody answers."""
        self.connection, self.recovery_due = "connecting", True
        self.data_trouble.began()
        forget_ended(self.parts.inbox)
        await self.parts.session.connect()
        plan = self.parts.plan
        self.followed = follow(self.parts.session, plan.account, plan.more_accounts, self._held)
        self.world_id = choose_world(self.parts.session, self.account, required=plan.world_required)
        if not self.clock.stepped:
            self.parts.session.request_time()
        await await_time(self.parts.session, self.parts.inbox, self.clock)
        self.connection = "connected"

    async def recover(self) -> None:
        """Take over, look up, compare, load the market; trading is enabled when all of it agrees.

        What is held is streamed before anything that takes long, so that it is guarded again at once (RULINGS 9).
        """
        self.recovery_due, self.reason = False, self.reason or "recovering"
        now, first = self.clock.now(), self._recovery is None
        if first:
            await self.parts.orders_database.insist(lambda db: require_world(db, self.world_id, now))
            await self._take_over(now)
        else:
            self.orders.doubt_all("reconnected")
            # a claim may have been cut off by the end of the session
            self.ledger.post(self.trading.record.sent, self.orders.restore)
        parts, fold, owners = self.parts, self.trading.news.on_message, self.followed.all
        self._recovery = Recovery(parts.session, parts.orders_database, self.ledger, self.orders, owners, fold)
        self._recovery.patience_s = None if self.clock.stepped else PATIENCE_S
        history = await self.parts.watch.start(self.parts.session, now, self.guard.held)
        if not first:
            await self._recovery.until(lambda db: require_world(db, self.world_id, now), self.clock.now)
        await self.day.refresh(now)
        await self._store_bars(history, now)
        await self.follow_lines(now)
        await self.parts.halts.refresh(now)
        await self.reconcile(now, "start" if first else "reconnect")
        (self.upkeep.started if first else self.upkeep.reconnected)(now)

    async def _take_over(self, now: datetime) -> None:
        """What an earlier desk has left, into memory at once: no guard sees a trade without the close sent for it."""
        database, executed = self.parts.orders_database, await self.parts.session.executions()
        self.trading.replay(self.parts.journal.open())  # now that our session has cut off any desk before this one
        await self.ledger.settle()
        sent, errors = await database.insist(lambda db: take_over(db, self.trading.record.epoch, now))
        stored = await database.insist(lambda db: open_trades(db, self.followed.all, sent))
        today = now.astimezone(NEW_YORK).date()
        used = partial(exits_of, trades=[item.trade for item in stored], accounts=self.followed.all, today=today)
        for ref in await database.insist(used):
            self.trading.numbers.used_exit(ref)
        self.book.load(stored)
        self.orders.restore(sent, errors)
        self.trading.news.begin(await database.insist(lambda db: booked_of(db, executed)), executed, now)
        await database.insist(lambda db: self.protection.begin(db, now, held=self.guard.unguarded_while_away))

    async def reconcile(self, now: datetime, cause: str = "interval") -> bool:
        """Look up and compare once; trading is enabled when nothing is in doubt and no outage has come between."""
        if self._recovery is None:
            return False
        self.compare_due, outages = False, self._outages
        await self.upkeep.end_expired(now)
        look = Look(cause, at_rest=self.reason is not None, patience=self.parts.plan.patience)
        agreed, why_not = await self.agreement.reached(self._recovery, self.orders, now, look)
        if not agreed:
            self.reason = why_not or self.reason
            return False
        await self.day.refresh(now)
        if not self.day.known:
            self.reason = "the table of sessions is not filled yet"
            return False
        if outages == self._outages:
            self.reason = None
            epoch = self.trading.record.epoch
            await self.parts.orders_database.insist(lambda db: DeskStateRepository(db).set_reconciled(epoch))
        return outages == self._outages

    # --- folding ---------------------------------------------------------------------------------------------------

    def fold(self, message: SessionMessage) -> None:
        """One message of the session, in order of arrival. Nothing here waits."""
        now = self.clock.now()
        match message:
            case BarMessage():
                self.parts.watch.on_bar(message.bar)
            case QuoteMessage():
                self.data_trouble.ticked()
                self.parts.watch.on_ticks(message.con_ids, now)
            case LineMessage():
                self.parts.watch.lines.ended(message.con_id, message.text)
            case TimeMessage():
                self.told_time(message.market_time)
            case ConnectionMessage():
                self._on_connection(message, now)
            case _:
                if isinstance(message, ErrorMessage):
                    self.upkeep.on_error(message, now)
                self.trading.news.on_message(message, now)

    def told_time(self, market_time: datetime) -> bool:
        """Take the broker's clock; True when market time has jumped. Live, the host's clock is held against it."""
        self.skew = self.clock.skew(market_time)
        return self.clock.told(market_time)

    def broken(self, error: StopTrading) -> None:
        """An invariant is broken: nothing is originated until a person has looked; exits go on."""
        _log.critical("trading stops: %s", error)
        now, text = self.clock.now(), str(error)
        self._broken = text
        self.ledger.post(lambda db: halt_trading(db, text, now))

    async def refresh_halts(self, now: datetime) -> None:
        """Read the halts; watching begins anew when one ends. A broken invariant is a row like others once written."""
        broken, written = self._broken, self.ledger.behind == 0
        if await self.parts.halts.refresh(now):
            self.parts.watch.forget_extremes(now)
        if written and self.parts.halts.known and self._broken is broken:
            self._broken = None

    def _on_connection(self, message: ConnectionMessage, now: datetime) -> None:
        detail = f"{message.code} {message.text}" if message.code else message.text
        if not message.connected:
            self._outages += 1
            self.connection, self.reason = "lost", f"connection lost: {detail}"
            self.orders.doubt_all(detail)
            self.tell_connection(connected=False, detail=detail)
        elif message.code is not None:
            self.connection = "connected"
            if message.data_lost:  # 1101: the broker has forgotten our lines, recovering takes them anew
                for con_id in self.parts.session.subscribed:
                    self.parts.session.unsubscribe(con_id)
            self.parts.watch.forget_extremes(now)
            self.tell_connection(connected=True, detail=detail)
            self.recovery_due = True

    def tell_connection(self, *, connected: bool, detail: str) -> None:
        """A mail to a person, at most one of a kind each 15 minutes; none for an end that a person has asked for."""
        if not connected and self.trading.hold.by is not None:
            return
        now = self.clock.now() if self.clock.known else datetime.now(UTC)
        self.tell(connection_alert(connected, detail, now, self.account, self.guard.trades))

    def tell(self, alert: Alert) -> None:
        """A mail to a person, not the same again and again."""
        self.upkeep.tell(alert)

    def compare_soon(self) -> None:
        """Books and broker are compared after each order (spec 05 section 6), and when the broker trades by itself."""
        self.compare_due = True

    async def settle(self, now: datetime) -> None:
        """Store the bars that have closed."""
        closed = self.parts.watch.settle(now)
        if closed:
            await self._store_bars(closed, now)

    async def _store_bars(self, bars: list[Bar], now: datetime) -> None:
        known_at = max([now, *(bar.end for bar in bars)])
        await self.parts.market_database.insist(lambda db: BarRepository(db).upsert(self.world_id, bars, known_at))

    async def follow_lines(self, now: datetime) -> None:
        """Subscribe what is needed from here on."""
        await self.day.refresh(now)
        watch, hours = self.parts.watch, self.parts.plan.hours
        troubles = await watch.series.look(self.parts.session, self.parts.market_database, now)
        own = ChainPlan(watch.plan.underlying.symbol, watch.plan.bar_minutes, watch.plan.strikes_out, hours)
        needs = chain_needs(self.day.session, (own, *watch.series.plans), now)
        need = needs.pop(own.symbol)
        troubles += await watch.follow(self.parts.session, need, self.guard.held | self.orders.legs, now, needs)
        for text in troubles:
            self.tell(error_alert("market data", text, now, Severity.WARNING))

    # --- acting ----------------------------------------------------------------------------------------------------

    async def act(self, now: datetime) -> None:
        """Execute commands, send what waits, walk what works."""
        if self._recovery is None or self.connection != "connected":  # what an earlier desk has sent comes first
            return
        waits = await self.parts.orders_database.run(lambda db: CommandRepository(db).work_waits())
        if waits or self.trading.commands.busy:
            await self.trading.commands.run(now)
        self.orders.work(now)
        if waits:
            if self.ledger.behind:  # what the journal has promised comes before anything new (RULINGS 1)
                await self.ledger.write(lambda _db: None)
            await self.orders.pump()
            await self.trading.sales.hear(now)

    async def wind_down(self) -> None:
        """An orderly end: no entry leaves any more, working ones are cancelled, the record is brought up to date.

        Closes stay at the broker. It takes as long as the broker and PostgreSQL take; the caller sets the limit.
        """
        self._winding_down = True
        if self._trading is None:
            return
        while entries := [live for live in self.orders.live if live.is_entry]:
            if self.connection != "connected" or not self.parts.session.connected:
                break
            for live in entries:
                self.orders.cancel(live)
            await asyncio.sleep(0.05)
        await self.guard.settle()
        self.upkeep.stopped("told to stop")
        await self.ledger.settle()

    # --- reading ---------------------------------------------------------------------------------------------------

    def marks(self, legs: tuple[Leg, ...], now: datetime) -> Marks:
        """What these legs cost now."""
        con_ids = [leg.con_id for leg in legs]
        return mark_spread(legs, self.parts.watch.quotes(self.parts.session, con_ids, now), now)

    def holdings(self, account: str) -> dict[int, int]:
        """What the broker shows of an account, by contract id."""
        return self.parts.session.holdings(account)

    def strangers_at_broker(self, scope: str) -> list[str]:
        """What the broker holds in an account, or in `all`, beyond what our own fills make: named, never touched."""
        return self.book.strangers(self.parts.session.positions(), scope)
