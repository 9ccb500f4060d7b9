"""When market time moves: paced by the host's monotonic clock, or stepped by the clients (ARCHITECTURE section 5).

A world at `max` that no stepped client ever joined runs by itself, as fast as its clients read.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from htbot.domain.sessions import NEW_YORK, SessionTable, floor_to
from htbot.market.instants import AFTER_CLOSE, BEFORE_OPEN, WORKING_GRID_S, last_instant
from htbot.market.instants import next_instant as following_instant
from htbot.paper.gateway import Gateway
from htbot.paper.session import Session
from htbot.paper.wire import messages
from htbot.paper.wire.times import epoch

_QUOTE_PERIOD_MINIMUM_S = 0.1
_PERSIST_PERIOD_S = 1.0
_LOCKSTEP = "lockstep"


def skip_night(at: datetime, sessions: SessionTable) -> datetime:
    """The instant itself during a session, else 09:25 of the next (RULINGS 27); after the last, five past its close."""
    today = sessions.at(at)
    if today is not None:
        if at < today.at(*BEFORE_OPEN):
            return today.at(*BEFORE_OPEN)
        if at <= today.closes + AFTER_CLOSE:
            return at
    following = sessions.next_after(at.astimezone(NEW_YORK).date())
    if following is not None:
        return following.at(*BEFORE_OPEN)
    last = sessions.all()[-1]
    return min(at, last.closes + AFTER_CLOSE)


class MarketClock:
    """Market time from an anchor and the monotonic clock; nights and holidays are skipped.

    Its times are whole seconds, or with more than one tick a second multiples of that fraction.
    """

    def __init__(
        self,
        anchor: datetime,
        speed: float,
        sessions: SessionTable,
        monotonic: Callable[[], float] = time.monotonic,
        ticks_per_second: float = 1.0,
    ) -> None:
        self._grain = timedelta(seconds=1 / max(1.0, ticks_per_second))
        self._speed = speed
        self._sessions = sessions
        self._monotonic = monotonic
        self._anchor = skip_night(anchor, sessions)
        self._anchored_at = monotonic()

    def now(self) -> datetime:
        """The present market time."""
        elapsed_s = (self._monotonic() - self._anchored_at) * self._speed
        at = self._anchor + timedelta(seconds=elapsed_s)
        awake = skip_night(at, self._sessions)
        if awake != at:
            self._anchor = awake
            self._anchored_at = self._monotonic()
        second = floor_to(awake, 1)
        return second + (awake - second) // self._grain * self._grain


class PacedTime:
    """Market time runs by itself, `speed` times as fast as the host's; clients are never waited for."""

    def __init__(self, gateway: Gateway, speed: float, clock: MarketClock | None = None) -> None:
        self._gateway = gateway
        self._speed = speed
        self._rate = gateway.config.ticks_per_second
        self._clock = clock or MarketClock(
            gateway.now, speed, gateway.market.sessions, ticks_per_second=gateway.config.ticks_per_second
        )
        self._end = last_instant(gateway.market)
        self._played: datetime | None = None

    def refresh(self) -> None:
        """Take the time of the clock; what may not be skipped on the way is played."""
        target = self._present()
        for instant in instants_between(self._gateway, target):
            self._gateway.play(instant)
        self._gateway.move_to(target)

    def joined(self, session: Session) -> None:
        """Nothing waits for a client."""

    def left(self, session: Session) -> None:
        """Nothing waited for it."""

    def asked_time(self, session: Session) -> None:
        """Answer with the market time."""
        session.send(messages.CURRENT_TIME, {"time": epoch(self._gateway.now)})

    def order_arrived(self) -> None:
        """Let the order reach the market after the configured latency."""
        delay_s = self._gateway.config.latency_s / self._speed
        asyncio.get_running_loop().call_later(delay_s, self._match_due)

    def _match_due(self) -> None:
        self.refresh()
        self._gateway.match_due()
        self._gateway.turn_done()

    def _present(self) -> datetime:
        now = self._clock.now()
        return now if self._end is None else min(now, self._end)

    def tick(self) -> None:
        """Play up to the present: closes on the way first, a working order sees every five seconds."""
        self.refresh()
        if self._gateway.now != self._played:
            self._played = self._gateway.now
            self._gateway.play(self._gateway.now)
        self._gateway.turn_done()

    async def run(self) -> None:
        """Tick for ever, at most ten times a second unless more were asked for; the clock is kept every second.

        Times are those of the host. A tick that comes late does not move the next one.
        """
        period_s = max(1 / (self._rate * self._speed), min(_QUOTE_PERIOD_MINIMUM_S, 1 / self._rate))
        loop = asyncio.get_running_loop()
        due = loop.time() + period_s
        while True:
            wait_s = due - loop.time()
            if wait_s > _PERSIST_PERIOD_S:
                await asyncio.sleep(_PERSIST_PERIOD_S)
                self.refresh()
                self._gateway.turn_done()
                continue
            await asyncio.sleep(max(0.0, wait_s))
            self.tick()
            due = max(due + period_s, loop.time())


def instants_between(gateway: Gateway, target: datetime) -> list[datetime]:
    """Instants strictly between now and `target` that may not be skipped."""
    now = gateway.now
    fault = gateway.faults.next_due()
    faults = [fault] if fault is not None and now < fault < target else []
    session = gateway.market.sessions.at(now)
    if session is None or not now < session.closes:
        return faults
    wanted = [session.closes, *faults] if session.closes < target else faults
    if gateway.book.busy and session.contains(now):
        at = floor_to(now, WORKING_GRID_S) + timedelta(seconds=WORKING_GRID_S)
        while at < min(target, session.closes):
            wanted.append(at)
            at += timedelta(seconds=WORKING_GRID_S)
    return sorted(set(wanted))


class SteppedTime:
    """Market time moves only when every stepped client has answered the last marker with reqCurrentTime.

    Until the first of them joins, `run` moves the world while a client has a market data subscription or an order
    works. A client that reads slowly slows the world, so nothing is lost.
    """

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._orders_arrived = False
        self._lockstep = gateway.store.meta(_LOCKSTEP) is not None
        self._asked = asyncio.Event()

    def refresh(self) -> None:
        """Time stands between markers."""
        self._asked.set()

    def joined(self, session: Session) -> None:
        """Show a stepped client the present instant. From its first one on, the world moves in step for good."""
        if session.stepped:
            if not self._lockstep:
                self._lockstep = True
                self._gateway.store.put_meta(_LOCKSTEP, "1")
            self._mark(session)

    def left(self, session: Session) -> None:
        """The others may have been waiting for it."""
        del session
        self._advance()

    def asked_time(self, session: Session) -> None:
        """A stepped client's answer to its marker; anybody else is told the time."""
        if not session.stepped:
            self._mark(session)
            return
        session.answers += 1
        self._advance()

    def order_arrived(self) -> None:
        """The next barrier is a sub-step."""
        self._orders_arrived = True

    async def run(self) -> None:
        """Run free while that is wanted; look again whenever a client has said something."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            while self._runs_free() and self._step():
                self._gateway.turn_done()
                await self._taken()

    def _runs_free(self) -> bool:
        sessions = self._gateway.sessions.values()
        if self._lockstep or not sessions:
            return False
        return self._gateway.book.busy or any(session.wants_data for session in sessions)

    async def _taken(self) -> None:
        """Let clients read and speak."""
        await asyncio.sleep(0)
        for session in list(self._gateway.sessions.values()):
            await session.reading.wait()

    def _advance(self) -> None:
        while True:
            waiting = [session for session in self._gateway.sessions.values() if session.stepped]
            if not waiting or any(session.answers == 0 for session in waiting):
                return
            if not self._step():
                return
            self._gateway.account_feed.push_changes()  # the marker stands behind everything of its instant
            for session in waiting:
                session.answers -= 1
                self._mark(session)

    def _step(self) -> bool:
        """Orders at the same instant if there were any, else the next instant; False at the world's end."""
        gateway = self._gateway
        if self._orders_arrived or gateway.book.has_due():
            self._orders_arrived = False
            gateway.match_due()
            gateway.clear_due()
            return True
        following = next_instant(gateway)
        if following is None:
            return False
        gateway.play(following)
        return True

    def _mark(self, session: Session) -> None:
        session.send(messages.CURRENT_TIME, {"time": epoch(self._gateway.now)})


def next_instant(gateway: Gateway) -> datetime | None:
    """The next instant of the gateway's stepped world, None at its end; what a script of faults does is one too."""
    fault = gateway.faults.next_due()
    working = (order.ticket.good_till for order in gateway.book.working)
    return following_instant(gateway.market, gateway.now, working, () if fault is None else (fault,))
