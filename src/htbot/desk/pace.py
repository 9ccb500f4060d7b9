"""How market time drives the desk: by barrier when stepped, by the clock when paced (ARCHITECTURE section 5)."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Protocol

from redis import RedisError

from htbot.adapters.ib.wrapper import SessionMessage
from htbot.desk.barrier import Barrier
from htbot.desk.desk import Desk
from htbot.desk.doorbell import Doorbell
from htbot.desk.lanes import first
from htbot.domain.errors import Retryable, StopTrading
from htbot.domain.sessions import floor_to
from htbot.execution.disagreement import DEFAULT_PATIENCE
from htbot.marketdata.clock_state import GRID_S
from htbot.marketdata.messages import ConnectionMessage, QuoteMessage, TimeMessage
from htbot.persistence.listener import COMMANDS, HALTS, INTENTS
from htbot.persistence.repositories.desk_state import Superseded

_RECONNECT_FIRST_S = 0.5
_RECONNECT_LONGEST_S = 10.0
_LOOK_AGAIN_S = 1.0
# A session that breaks sooner was no good one: the next try waits longer.
_GOOD_SESSION_S = 10.0
COMPARE_EVERY = timedelta(seconds=60)
_log = logging.getLogger(__name__)


class Pace(Protocol):
    """One way to drive a connected desk until its session ends."""

    async def drive(self, desk: Desk) -> None:
        """Recover, then go on; return when the session is lost."""
        ...


def socket_closed(message: SessionMessage) -> bool:
    """True for the message that ends a session."""
    return isinstance(message, ConnectionMessage) and not message.connected and message.code is None


class SteppedPace:
    """Market time moves only when this desk answers an instant; every task of a grid instant has ended by then."""

    def __init__(self, barrier: Barrier) -> None:
        self._barrier = barrier
        self._last_step: datetime | None = None

    async def drive(self, desk: Desk) -> None:
        """Fold up to a marker, guard, decide at grid instants, act, answer."""
        while True:
            if desk.recovery_due and desk.connection == "connected":
                await desk.recover()
            message = await desk.parts.inbox.get()
            desk.fold(message)
            if socket_closed(message):
                return
            if isinstance(message, TimeMessage):
                desk.upkeep.look_at_outage()
                await self._instant(desk, desk.clock.now())

    async def _instant(self, desk: Desk, now: datetime) -> None:
        await desk.ledger.settle()
        await desk.day.refresh(now)  # the step before may have been on another day
        await desk.settle(now)
        if desk.orders.doubtful or not desk.enabled or desk.compare_due:
            await desk.reconcile(now)
        desk.guard.look(now)
        desk.trading.protecting.look(now)
        desk.protection.look(now, exposed=desk.guard.exposed(now))
        await self._written(desk)
        if now == floor_to(now, GRID_S) and self._last_step != now:
            await desk.upkeep.look(now)
            await self._written(desk)
            await desk.notices.publish_grid(now)
            await desk.notices.publish_ticker(now)
            await self._barrier.wait(now)
            self._last_step = now
        await _until_done(lambda: desk.act(now))
        await self._written(desk)
        if desk.parts.session.connected:  # else its end is told, and comes next: a person may have taken the desk off
            await desk.follow_lines(now)
            desk.parts.session.request_time()

    @staticmethod
    async def _written(desk: Desk) -> None:
        """Whatever was begun has left, and the record has it: nothing hangs over into another instant."""
        await desk.guard.settle()
        await desk.ledger.settle()


async def _until_done(work: Callable[[], Awaitable[None]]) -> None:
    """An instant does not end before its work is done, however long the database is away: market time waits."""
    while True:
        try:
            return await work()
        except Retryable as error:
            _log.warning("market time waits: %s", error)
            await asyncio.sleep(_RECONNECT_FIRST_S)


class PacedPace:
    """Market time flows; nothing waits for anyone. Seven lanes in one thread, so that no order waits for a chore.

    Hearing takes messages, guards and walks limits; it waits for the broker only. Acting does what PostgreSQL asks for:
    entries, closes of tasks, commands. Minding looks at halts and the day's result each second. Keeping recovers,
    follows lines, looks up what is in doubt and compares. Telling stores the bars that have closed and publishes each
    instant of the grid, however long PostgreSQL is away. Beating tells market time, showing the prices.
    """

    HEARTBEAT_S = 5.0
    SILENT_S = 15.0
    IDLE_S = 1.0
    SHOW_S = 0.25

    def __init__(self, doorbell: Doorbell, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._doorbell = doorbell
        self._bells = tuple(doorbell.bell(channel) for channel in (INTENTS, COMMANDS, HALTS))
        self._monotonic = monotonic
        self._last_grid: datetime | None = None
        self._asked_s = 0.0
        self._unanswered_s: float | None = None
        self._reconciled_at: datetime | None = None
        self._failed: Exception | None = None
        self._recovered = self._taken_over = False

    async def drive(self, desk: Desk) -> None:
        """Until the socket closes or the broker stays silent."""
        self._unanswered_s = self._failed = None
        self._recovered = False
        for account in desk.followed.all:
            await self._doorbell.hold(account)
        work = (self._listen(desk), self._act(desk), self._mind(desk), self._keep(desk))
        await first(*work, self._tell(desk), self._beat(desk), self._show(desk))

    # --- hearing ---------------------------------------------------------------------------------------------------

    async def _listen(self, desk: Desk) -> None:
        """Hear, quotes as they come and everything else from the inbox."""
        desk.parts.inbox.listener = partial(self._at_once, desk)
        try:
            await self._hear(desk)
        finally:
            desk.parts.inbox.listener = None

    def _at_once(self, desk: Desk, message: QuoteMessage) -> None:
        """Called by the session: what goes wrong here ends the hearing, not the session's own work."""
        try:
            self._take(desk, message)
        except Exception as error:  # noqa: BLE001 - raised where messages are heard
            self._failed = error
            desk.parts.inbox.put_nowait(message)

    async def _hear(self, desk: Desk) -> None:
        looked_s = 0.0
        while True:
            message = await self._next(desk)
            while message is not None:
                if self._failed is not None:
                    raise self._failed
                self._take(desk, message)
                if desk.guard.leaving:
                    await asyncio.sleep(0)  # a close is on its way: it goes before the next message
                if socket_closed(message):
                    return
                message = None if desk.parts.inbox.empty() else desk.parts.inbox.get_nowait()
            if self._silent(desk):
                return
            if self._monotonic() - looked_s >= self.IDLE_S:
                looked_s = self._monotonic()
                self._look(desk, desk.clock.now())

    async def _next(self, desk: Desk) -> SessionMessage | None:
        """The next message, or None when it is time to look at the clock."""
        try:
            async with asyncio.timeout(self.IDLE_S):
                return await desk.parts.inbox.get()
        except TimeoutError:
            return None

    def _take(self, desk: Desk, message: SessionMessage) -> None:
        """Fold one message, and look at the trades whose legs have ticked in it."""
        if isinstance(message, TimeMessage):
            self._unanswered_s = None
            if desk.told_time(message.market_time):
                _log.info("market time has jumped to %s", desk.clock.now().isoformat())
            return
        desk.fold(message)
        if isinstance(message, QuoteMessage):
            desk.guard.look(desk.clock.now(), message.con_ids)

    @staticmethod
    def _look(desk: Desk, now: datetime) -> None:
        """What time alone makes due."""
        desk.upkeep.look_at_outage()
        desk.upkeep.look_at_lines(now)
        desk.orders.doubt_silent(now)
        desk.guard.look(now)
        desk.trading.protecting.look(now)
        desk.protection.look(now, exposed=desk.guard.exposed(now))
        if desk.connection == "connected":
            desk.trading.commands.drive(now)
            desk.orders.work(now)

    def _silent(self, desk: Desk) -> bool:
        """Ask the time now and then; a broker that does not answer is a half-open socket (FAULTS 20)."""
        now_s = self._monotonic()
        if now_s - self._asked_s >= self.HEARTBEAT_S:
            self._asked_s = now_s
            self._unanswered_s = self._unanswered_s or now_s
            desk.parts.session.request_time()
        if self._unanswered_s is None or now_s - self._unanswered_s <= self.SILENT_S:
            return False
        _log.warning("the broker has been silent for %.0f s: reconnecting", now_s - self._unanswered_s)
        desk.parts.session.disconnect()
        return True

    # --- acting ----------------------------------------------------------------------------------------------------

    async def _act(self, desk: Desk) -> None:
        while True:
            try:
                if self._rung():
                    await desk.refresh_halts(desk.clock.now())
                await desk.act(desk.clock.now())
            except (Retryable, StopTrading) as error:
                await _later(error)
            await self._until_rung(self.IDLE_S)

    # --- minding ---------------------------------------------------------------------------------------------------

    async def _mind(self, desk: Desk) -> None:
        while True:
            try:
                if self._taken_over:
                    await desk.upkeep.look(desk.clock.now(), judged=self._recovered)
            except (Retryable, StopTrading) as error:
                await _later(error)
            await asyncio.sleep(self.IDLE_S)

    # --- keeping ---------------------------------------------------------------------------------------------------

    async def _keep(self, desk: Desk) -> None:
        while True:
            if desk.recovery_due and desk.connection == "connected":
                self._recovered = False
                await desk.recover()
            self._recovered = self._taken_over = True
            try:
                await self._chores(desk, desk.clock.now())
            except (Retryable, StopTrading) as error:
                await _later(error)
            await asyncio.sleep(self.IDLE_S)

    async def _tell(self, desk: Desk) -> None:
        while True:
            try:
                if self._recovered:
                    await self._grid(desk)
            except (Retryable, StopTrading) as error:
                await _later(error)
            await asyncio.sleep(self._until_next_look_s(desk))

    async def _until_rung(self, timeout_s: float) -> None:
        rings = [asyncio.ensure_future(bell.wait()) for bell in self._bells]
        try:
            await asyncio.wait(rings, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for waiter in rings:
                waiter.cancel()

    def _until_next_look_s(self, desk: Desk) -> float:
        speed = desk.clock.speed or 1.0
        now = desk.clock.now()
        next_grid = floor_to(now, GRID_S) + timedelta(seconds=GRID_S)
        return max(0.001, min(self.IDLE_S, (next_grid - now).total_seconds() / speed))

    def _rung(self) -> bool:
        rung = any(bell.is_set() for bell in self._bells)
        for bell in self._bells:
            bell.clear()
        return rung

    async def _grid(self, desk: Desk) -> None:
        as_of = floor_to(desk.clock.now(), GRID_S)
        if self._last_grid != as_of:
            self._last_grid = as_of
            await desk.settle(as_of)  # what is stored before the instant is told counts at it
            await desk.notices.publish_grid(as_of)

    async def _chores(self, desk: Desk, now: datetime) -> None:
        await self._doorbell.ensure()
        try:
            await desk.follow_lines(now)
        except (Retryable, StopTrading) as error:
            await _later(error)  # what is in doubt is looked up whatever becomes of the lines
        if self._due_reconcile(desk, now):
            await desk.reconcile(now, "order" if desk.compare_due else "interval")

    def _due_reconcile(self, desk: Desk, now: datetime) -> bool:
        last = self._reconciled_at
        pause = DEFAULT_PATIENCE.tell_after if desk.agreement.watching else COMPARE_EVERY
        periodic = last is None or abs(now - last) >= pause
        due = periodic or desk.compare_due or bool(desk.orders.doubtful) or not desk.enabled
        if due and desk.connection == "connected":
            self._reconciled_at = now
            return True
        return False

    # --- beating ---------------------------------------------------------------------------------------------------

    async def _beat(self, desk: Desk) -> None:
        while True:
            await desk.notices.publish_clock()
            await asyncio.sleep(self.IDLE_S)

    async def _show(self, desk: Desk) -> None:
        while True:
            await asyncio.sleep(self.SHOW_S)
            if desk.clock.known:
                await desk.notices.publish_ticker(desk.clock.now())


async def _later(error: Retryable | StopTrading) -> None:
    """Nothing is lost: the next look does it. A write that broke an invariant has halted trading already."""
    if isinstance(error, Superseded):
        raise error
    _log.warning("later: %s", error)
    await asyncio.sleep(_RECONNECT_FIRST_S)


async def run(desk: Desk, pace: Pace) -> None:
    """Begin, then drive session after session until a person or `StopTrading` ends it."""
    await desk.begin()
    await first(desk.ledger.run(), _sessions(desk, pace))


async def _while_held(desk: Desk) -> None:
    """A person keeps the desk away from the broker: it lives, says so, and looks each second whether it may go back.

    A trade that is held meanwhile is guarded by nobody, of which people are paged as of any outage.
    """
    while await desk.trading.hold.keeps_away(desk.clock.now() if desk.clock.known else datetime.now(UTC)):
        desk.connection, desk.reason = "disconnected", f"disconnected by {desk.trading.hold.by}"
        if not desk.clock.known:
            desk.clock.told(await desk.trading.hold.last_market_time())
        if desk.trading.hold.unguarded:
            desk.upkeep.look_at_outage()
        await desk.notices.publish_clock()
        await asyncio.sleep(_LOOK_AGAIN_S)


async def _sessions(desk: Desk, pace: Pace) -> None:
    """Connect and drive, again and again with back-off."""
    pause_s, told = _RECONNECT_FIRST_S, False
    while True:
        await _while_held(desk)
        try:
            await desk.connect()
        except (Retryable, ConnectionError, TimeoutError) as error:
            desk.connection, desk.reason = "down", str(error)
            _log.warning("not connected: %s; next try in %.1f s", error, pause_s)
            desk.upkeep.look_at_outage()
            await desk.notices.publish_clock()
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, _RECONNECT_LONGEST_S)
            continue
        if told:
            desk.tell_connection(connected=True, detail="reconnected")
        told, began_s = True, time.monotonic()
        try:
            await pace.drive(desk)
        except (Retryable, RedisError, ConnectionError, TimeoutError) as error:
            _log.warning("session broke: %s", str(error) or type(error).__name__)
            desk.parts.session.disconnect()
        if desk.connection == "connected":  # we hung up: nobody has told of it yet
            desk.tell_connection(connected=False, detail="the session broke or went silent")
        desk.connection, desk.reason = "lost", desk.reason or "connection lost"
        desk.orders.doubt_all("session ended")
        if time.monotonic() - began_s >= _GOOD_SESSION_S:
            pause_s = _RECONNECT_FIRST_S
            continue
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * 2, _RECONNECT_LONGEST_S)
