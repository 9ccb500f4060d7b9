"""How market time drives the desk: by barrier when stepped, by the clock when paced (ARCHITECTURE section 5)."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Protocol

from redis import RedisError

from htbot.adapters.ib.wrapper import SessionMessage
from htbot.desk.barrier import Barrier
from htbot.desk.desk import Desk
from htbot.desk.doorbell import Doorbell
from htbot.domain.errors import Retryable
from htbot.domain.sessions import floor_to
from htbot.marketdata.clock_state import GRID_S
from htbot.marketdata.messages import ConnectionMessage, QuoteMessage, TimeMessage
from htbot.persistence.listener import COMMANDS, HALTS, INTENTS

_RECONNECT_FIRST_S = 0.5
_RECONNECT_LONGEST_S = 30.0
_log = logging.getLogger(__name__)


class Pace(Protocol):
    """One way to drive a connected desk until its session ends."""

    async def drive(self, desk: Desk) -> None:
        """Return when the session is lost."""
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
            message = await desk.parts.inbox.get()
            await desk.process(message)
            if socket_closed(message):
                return
            if isinstance(message, TimeMessage):
                await self._instant(desk, desk.clock.now())

    async def _instant(self, desk: Desk, now: datetime) -> None:
        await desk.settle(now)
        if desk.orders.doubtful or not desk.enabled:
            await desk.reconcile(now)
        await desk.guard.look(now)
        if now == floor_to(now, GRID_S) and self._last_step != now:
            await desk.parts.halts.refresh(now)
            await desk.publish_grid(now)
            await self._barrier.wait(now)
            self._last_step = now
        await _until_done(lambda: desk.act(now))
        await desk.follow_lines(now)
        desk.parts.session.request_time()


async def _until_done(work: Callable[[], Awaitable[None]]) -> None:
    """An instant does not end before its work is done, however long the database is away: market time waits."""
    while True:
        try:
            return await work()
        except Retryable as error:
            _log.warning("market time waits: %s", error)
            await asyncio.sleep(_RECONNECT_FIRST_S)


class PacedPace:
    """Market time flows; nothing waits for anyone. Housekeeping once a host second, quotes as they come."""

    HEARTBEAT_S = 5.0
    SILENT_S = 15.0
    IDLE_S = 1.0

    def __init__(self, doorbell: Doorbell, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._doorbell = doorbell
        self._bells = tuple(doorbell.bell(channel) for channel in (INTENTS, COMMANDS, HALTS))
        self._monotonic = monotonic
        self._last_grid: datetime | None = None
        self._housekept_s = 0.0
        self._asked_s = 0.0
        self._unanswered_s: float | None = None
        self._reconciled_at: datetime | None = None

    async def drive(self, desk: Desk) -> None:
        """Until the socket closes or the broker stays silent."""
        self._unanswered_s = None
        self._housekept_s = 0.0
        while True:
            message = await self._next(desk)
            while message is not None:
                await self._take(desk, message)
                if socket_closed(message):
                    return
                message = None if desk.parts.inbox.empty() else desk.parts.inbox.get_nowait()
            if await self._silent(desk):
                return
            await self._grid(desk)
            if self._rung():
                await self._retryable(desk.act(desk.clock.now()))
            await self._housekeeping(desk)

    async def _next(self, desk: Desk) -> SessionMessage | None:
        """The next message, or None when it is time to look at the clock."""
        timeout_s = self._until_next_look_s(desk)
        getter = asyncio.ensure_future(desk.parts.inbox.get())
        rings = [asyncio.ensure_future(bell.wait()) for bell in self._bells]
        try:
            await asyncio.wait([getter, *rings], timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
            return getter.result() if getter.done() else None
        finally:
            for waiter in (getter, *rings):
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

    async def _take(self, desk: Desk, message: SessionMessage) -> None:
        if isinstance(message, TimeMessage):
            self._unanswered_s = None
            if desk.told_time(message.market_time):
                _log.info("market time has jumped to %s", desk.clock.now().isoformat())
            return
        await desk.process(message)
        if isinstance(message, QuoteMessage):
            asked = await desk.guard.look(desk.clock.now(), message.con_ids)
            if asked:
                await self._retryable(desk.act(desk.clock.now()))

    async def _grid(self, desk: Desk) -> None:
        as_of = floor_to(desk.clock.now(), GRID_S)
        if self._last_grid != as_of:
            self._last_grid = as_of
            await desk.settle(desk.clock.now())
            await desk.publish_grid(as_of)

    async def _housekeeping(self, desk: Desk) -> None:
        now_s = self._monotonic()
        if now_s - self._housekept_s < self.IDLE_S:
            return
        self._housekept_s = now_s
        now = desk.clock.now()
        await self._doorbell.ensure()
        await desk.publish_clock()
        await desk.follow_lines(now)
        if await desk.parts.halts.refresh(now):
            desk.parts.watch.forget_extremes(now)
        await desk.orders.doubt_silent(now)
        await desk.guard.look(now)
        if self._due_reconcile(desk, now):
            await desk.reconcile(now)
        await self._retryable(desk.act(now))

    def _due_reconcile(self, desk: Desk, now: datetime) -> bool:
        last = self._reconciled_at
        due = last is None or abs(now - last) >= timedelta(seconds=60) or bool(desk.orders.doubtful) or not desk.enabled
        if due and desk.connection == "connected":
            self._reconciled_at = now
            return True
        return False

    async def _silent(self, desk: Desk) -> bool:
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

    @staticmethod
    async def _retryable(work: Awaitable[None]) -> None:
        """Nothing is lost when the database is away for a moment: the next look does it."""
        try:
            await work
        except Retryable as error:
            _log.warning("later: %s", error)


async def run(desk: Desk, pace: Pace) -> None:
    """Connect, recover, drive; again and again with back-off, until a person or `StopTrading` ends it."""
    await desk.begin()
    pause_s, told = _RECONNECT_FIRST_S, False
    while True:
        try:
            await desk.connect()
            await desk.recover()
        except (Retryable, ConnectionError, TimeoutError) as error:
            desk.connection, desk.reason = "down", str(error)
            _log.warning("not connected: %s; next try in %.1f s", error, pause_s)
            await desk.publish_clock()
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, _RECONNECT_LONGEST_S)
            continue
        if told:
            await desk.tell_connection(connected=True, detail="reconnected")
        pause_s, told = _RECONNECT_FIRST_S, True
        try:
            await pace.drive(desk)
        except (Retryable, RedisError, ConnectionError, TimeoutError) as error:
            _log.warning("session broke: %s", error)
            desk.parts.session.disconnect()
        if desk.connection == "connected":  # we hung up: nobody has told of it yet
            await desk.tell_connection(connected=False, detail="the session broke or went silent")
        desk.connection, desk.reason = "lost", desk.reason or "connection lost"
        desk.orders.doubt_all("session ended")
