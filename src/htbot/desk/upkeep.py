"""What the desk looks at beside its orders, each second or each instant: halts, the breaker, its own standing."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import Session as Transaction

from htbot.alerts.message import by_the_host
from htbot.alerts.wording import error_alert
from htbot.desk.breaker import BreakerParts, BreakerWatch, Seen
from htbot.desk.halts import PATIENCE_S
from htbot.desk.lines import DeadTold
from htbot.desk.outage import Outage
from htbot.desk.record import stored_trade_of
from htbot.domain.alerts import Alert, Severity
from htbot.domain.errors import Retryable
from htbot.domain.sessions import NEW_YORK
from htbot.domain.trades import Trade
from htbot.execution.broker_events import DATA_TROUBLE
from htbot.execution.expiry import Expired, NeedsPerson, NotExpired, Settled, Settlement, StillStands
from htbot.execution.messages import ErrorMessage
from htbot.persistence.repositories import AlertRepository, CommandRequest, DeskStateRepository, SessionRepository
from htbot.risk.breaker import BreakerLimits, Trip
from htbot.services.anchors import AnchorFile
from htbot.services.audit import note_heads
from htbot.services.command_kinds import CLOSE_ALL
from htbot.services.expiry import BrokerSide, book_expiry
from htbot.services.halt_record import TRIPPED_BY
from htbot.services.outbox import tell_seldom
from htbot.services.trail import TradingSwitch, tell_epoch, tell_started, tell_stopped, write_act

if TYPE_CHECKING:
    from htbot.desk.desk import Desk

ACTOR = "desk"
_NAMED = 3
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class UpkeepPlan:
    """Limits of the breaker, whether a trip closes everything, where chain heads are noted, what this desk is."""

    limits: BreakerLimits
    flatten: bool
    anchors: AnchorFile
    facts: dict[str, Any]


class Upkeep:
    """Keeps the desk honest about itself."""

    def __init__(self, desk: Desk, plan: UpkeepPlan) -> None:
        self._desk = desk
        self._plan = plan
        self._switch = TradingSwitch(ACTOR)
        self._anchored: date | None = None
        self._outage = Outage(self._page, lambda: desk.guard.trades)
        self._dead_told = DeadTold()
        self._breakers: dict[str, BreakerWatch] = {}
        self._epoch_look: asyncio.Future[None] | None = None
        self._breaker_parts = BreakerParts(
            database=desk.parts.orders_database,
            halts=desk.parts.halts,
            limits=plan.limits,
            flatten=plan.flatten,
            trades=lambda account: [trade for trade in desk.guard.trades if trade.account == account],
            marks_of=desk.marks,
            holdings=desk.holdings,
            patience_s=None if desk.clock.stepped else PATIENCE_S,
        )

    async def look(self, now: datetime, *, judged: bool = True) -> None:
        """One look at everything; `Retryable` when PostgreSQL is away and the rest has to wait.

        The day is not `judged` while the broker has not shown yet what was filled as the session was away.
        """
        await self._desk.refresh_halts(now)
        if judged:
            await self._judge_day(now)
        self._note_flip(now)
        await self._look_at_epoch()
        await self.load_missed()
        self._note_heads(now)

    def look_at_outage(self) -> None:
        """Page when the broker has been away for long; host time until it has told its own."""
        desk = self._desk
        now = desk.clock.now() if desk.clock.known else datetime.now(UTC)
        self._outage.look(
            now, connected=desk.connection == "connected", account=desk.account, detail=desk.reason or desk.connection
        )

    def tell(self, alert: Alert) -> None:
        """A mail to a person, not the same again and again."""
        told = self._dated(alert)
        self._desk.ledger.post(lambda db: tell_seldom(db, told))

    def _page(self, alert: Alert) -> None:
        told = self._dated(alert)
        self._desk.ledger.post(lambda db: AlertRepository(db).add(told))

    def _dated(self, alert: Alert) -> Alert:
        """Before the broker has told its time, that of an alert is the host's."""
        return alert if self._desk.clock.known else by_the_host(alert)

    def on_error(self, message: ErrorMessage, now: datetime) -> None:
        """A code of the session: what it says about the data is told where a person can do something about it."""
        desk = self._desk
        desk.data_trouble.heard(message.code, message.text)
        if message.code in DATA_TROUBLE:
            desk.tell(error_alert("market data", f"{message.code} {message.text}", now, Severity.WARNING))

    def look_at_lines(self, now: datetime) -> None:
        """While the exchange is open: ask quiet lines whether they live, and tell once of those that do not."""
        desk = self._desk
        if desk.connection != "connected" or not desk.parts.session.connected or not desk.day.is_open(now):
            return
        held = desk.guard.held
        died = desk.parts.watch.died(desk.parts.session, held, now)
        dead = self._dead_told.due(died, desk.parts.watch.lines.dead, held, now)
        if dead:
            more = f"; and {len(dead) - _NAMED} more" if len(dead) > _NAMED else ""
            text = f"no quotes of {'; '.join(dead[:_NAMED])}{more}: nothing is entered on them, exits there are blind"
            self._page(error_alert("dead line", text, now, Severity.WARNING))

    async def _look_at_epoch(self) -> None:
        """A desk that was superseded while it had nothing to write notices here, and frees the broker's session.

        What is answered late counts at the next look.
        """
        if self._epoch_look is None:
            self._epoch_look = asyncio.ensure_future(self._desk.parts.orders_database.run(self._require_epoch))
        done, _late = await asyncio.wait([self._epoch_look], timeout=self._breaker_parts.patience_s)
        if not done:
            raise Retryable("PostgreSQL does not say whether this desk is still the one")
        answer, self._epoch_look = self._epoch_look, None
        answer.result()

    def _require_epoch(self, session: Transaction) -> None:
        DeskStateRepository(session).require_epoch(self._desk.trading.record.epoch)

    # --- the breaker -----------------------------------------------------------------------------------------------

    async def _judge_day(self, now: datetime) -> None:
        """Each account by itself: a trip stops entries of its own, and closes what it holds."""
        accounts = self._desk.followed.all
        trips = await asyncio.gather(*(self._look_at_day(account, now) for account in accounts))
        for account, trip in zip(accounts, trips, strict=True):
            if trip is None:
                continue
            _log.critical("the breaker of %s trips: %s", account, trip.reason)
            for live in self._desk.orders.live:
                if live.is_entry and live.intent.account == account:
                    self._desk.orders.cancel(live)
            if self._plan.flatten:
                await self._flatten(account, now)

    async def _look_at_day(self, account: str, now: datetime) -> Trip | None:
        breaker = self._breakers.setdefault(account, BreakerWatch(self._breaker_parts))
        seen = Seen(account, self._desk.day.session, self._desk.notices.amounts(account))
        filled = self._desk.trading.news.filled
        at_once = account in filled and not self._desk.ledger.behind  # the record has it: its result is in the day's
        if at_once:
            filled.discard(account)
        return await breaker.look(now, seen, at_once=at_once)

    async def _flatten(self, account: str, now: datetime) -> None:
        """The trip has written the command; with PostgreSQL away, or hanging, the journal takes it."""
        acting = asyncio.ensure_future(self._desk.act(now))
        await asyncio.wait([acting], timeout=self._breaker_parts.patience_s)
        acting.add_done_callback(_log_trouble)
        if self._desk.trading.commands.closes(account):
            return
        scope = {"scope": account, "exit_reason": TRIPPED_BY}
        key = f"{TRIPPED_BY}:{account}:{now.isoformat()}"
        if self._breaker_parts.trades(account):
            await self._desk.trading.commands.hear(CommandRequest(key, CLOSE_ALL, TRIPPED_BY, now, scope))

    # --- the trail -------------------------------------------------------------------------------------------------

    def begun(self, session: Transaction, epoch: int) -> None:
        """This desk has begun an epoch; host time, for nobody has told the market's yet."""
        tell_epoch(session, epoch, ACTOR, datetime.now(UTC))

    def started(self, now: datetime) -> None:
        """The desk is connected and has taken over."""
        facts = self._plan.facts | {"account": self._desk.account, "world": self._desk.world_id}
        more = self._desk.followed.all[1:]
        facts |= {"more_accounts": list(more)} if more else {}
        self._desk.ledger.post(lambda db: tell_started(db, ACTOR, now, facts))
        self._tell_accounts(now)

    def reconnected(self, now: datetime) -> None:
        """The session was lost and has been taken up again: counted, since what was in doubt then is looked up."""
        self._desk.ledger.post(lambda db: DeskStateRepository(db).count_reconnect())
        self._tell_accounts(now)

    def _tell_accounts(self, now: datetime) -> None:
        for trouble in self._desk.followed.troubles:
            self._desk.tell(error_alert("accounts", trouble, now))

    def stopped(self, why: str) -> None:
        """The desk ends in an orderly way."""
        now = self._desk.clock.now() if self._desk.clock.known else datetime.now(UTC)
        self._desk.ledger.post(lambda db: tell_stopped(db, ACTOR, now, why))
        self._desk.ledger.post(lambda db: note_heads(db, self._plan.anchors, "stop", datetime.now(UTC)))

    def _note_flip(self, now: datetime) -> None:
        act = self._switch.flipped(now, enabled=self._desk.enabled, reason=self._desk.reason)
        if act is not None:
            self._desk.ledger.post(partial(write_act, entry=act))

    def _note_heads(self, now: datetime) -> None:
        """Once a session day the heads of the chains go to a file: a tail cut off later shows."""
        day = now.astimezone(NEW_YORK).date()
        if day != self._anchored:
            self._anchored = day
            self._desk.ledger.post(lambda db: note_heads(db, self._plan.anchors, "day", datetime.now(UTC)))

    # --- trades ----------------------------------------------------------------------------------------------------

    async def load_missed(self) -> None:
        """Trades that the record has as open and memory does not know."""
        for trade_id in self._desk.book.missed:
            stored = await self._desk.parts.orders_database.insist(partial(stored_trade_of, trade_id=trade_id))
            self._desk.book.load([stored])

    async def end_expired(self, now: datetime) -> None:
        """Trades of sessions that are over, whose options are gone at the broker: booked, or handed to a person.

        At the beginning of each comparison, with what the session shows then.
        """
        over = self._desk.day.over(now)
        for trade in self._desk.guard.trades:
            if trade.spread_legs and trade.session <= over:
                await self._end(trade, Settlement(None, None), now)

    async def settle(self, trade_id: str, told: Settlement, now: datetime) -> Settled:
        """A person has told the settlement price of an expired trade's underlying, or the prices of its legs.

        Of shares that are gone at the broker, what they were traded at; stop and target that stand there for them
        would open something, so they end first.
        """
        held = next((one for one in self._desk.book.guarded if one.trade.id == trade_id), None)
        if held is None:
            return NotExpired(f"{trade_id} is not open")
        shares = held.trade.plain
        if shares is not None and held.protective and not self._desk.holdings(held.trade.account).get(shares.con_id):
            for live in held.protective:
                self._desk.orders.cancel(live)
            return StillStands(f"stop and target of {trade_id} stand at the broker")
        return await self._end(held.trade, told, now)

    async def _end(self, trade: Trade, told: Settlement, now: datetime) -> Expired | NotExpired | NeedsPerson:
        trading = self._desk.trading
        theirs = [fill for fill in trading.news.foreign if fill.account == trade.account]
        side = BrokerSide(self._desk.holdings(trade.account), theirs)
        write = partial(_end, trade=trade, side=side, told=told, now=now, epoch=trading.record.epoch)
        ended = await self._desk.ledger.write(write)
        if isinstance(ended, Expired):
            self._desk.book.expired(trade.id, ended.fills, now)
            trading.numbers.used_exit(ended.fills[0].ref)
        return ended


def _log_trouble(acting: asyncio.Future[None]) -> None:
    if not acting.cancelled() and acting.exception() is not None:
        _log.warning("the breaker's flatten is promised by the journal: %s", acting.exception())


def _end(
    session: Transaction, trade: Trade, side: BrokerSide, told: Settlement, now: datetime, epoch: int
) -> Expired | NotExpired | NeedsPerson:
    last = max((leg.expiry for leg in trade.spread_legs), default=trade.session)
    day = SessionRepository(session).get(last)
    known = replace(told, closed_at=None if day is None else day.closes)
    return book_expiry(session, trade.id, side, known, now, epoch)
