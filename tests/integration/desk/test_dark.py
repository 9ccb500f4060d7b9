"""A paced desk while PostgreSQL is dead or hangs, or the broker is slow: what must not wait for them does not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.support import record
from tests.support.desk import Running, World
from tests.support.waiting import settled

from htbot.desk.clock import DeskClock
from htbot.desk.doorbell import Bell
from htbot.desk.pace import PacedPace
from htbot.domain.bars import Bar
from htbot.domain.sessions import floor_to
from htbot.marketdata.clock_state import Mode
from htbot.marketdata.messages import QuoteMessage
from htbot.persistence.listener import COMMANDS, HALTS, INTENTS, TASKS
from htbot.persistence.repositories import BarRepository, HaltRepository, HaltRequest, Series

STOP = {record.SHORT.con_id: (8.60, 8.70), record.LONG.con_id: (2.00, 2.10)}
LEGS = frozenset({record.SHORT.con_id, record.LONG.con_id})


class Bells:
    """A doorbell at which nobody rings."""

    def __init__(self) -> None:
        self._bells = {channel: Bell() for channel in (INTENTS, TASKS, COMMANDS, HALTS)}

    async def hold(self, _account: str) -> None:
        return None

    def bell(self, channel: str) -> Bell:
        return self._bells[channel]

    async def ensure(self) -> None:
        return None


class Restless(PacedPace):
    IDLE_S = 0.02
    SHOW_S = 0.02


@pytest.fixture
async def running(world: World) -> Running:
    """A desk on its host's clock that has a spread open."""
    before = await world.desk()
    await before.opened()
    before.die()
    return await world.desk(clock=DeskClock(Mode.PAPER, 1.0))


@asynccontextmanager
async def driven(running: Running) -> AsyncIterator[None]:
    driving = asyncio.ensure_future(Restless(Bells()).drive(running.desk))  # type: ignore[arg-type]
    try:
        yield
    finally:
        driving.cancel()
        await asyncio.gather(driving, return_exceptions=True)


def judged(running: Running) -> list[object]:
    """The looks of the breaker from here on."""
    looks: list[object] = []
    judge = running.desk.upkeep._judge_day

    async def counting(now: Any) -> None:
        looks.append(now)
        await judge(now)

    running.desk.upkeep._judge_day = counting  # type: ignore[method-assign]
    return looks


@pytest.mark.fault(14)
@pytest.mark.parametrize("dead", [False, True])
async def test_a_close_whose_request_was_lost_goes_out_again_without_postgres(
    world: World, running: Running, *, dead: bool
) -> None:
    running.postgres(dead=dead)
    world.broker.quotes |= STOP
    running.session.lost_requests = 1
    async with driven(running):
        running.session.sink(QuoteMessage(LEGS))

        def again() -> bool:
            world.after(host_s=1)
            return len(running.session.placed) == 2

        await settled(again)
    (first, second) = running.session.placed
    assert first[:2] == second[:2], "under its own reference and id"


@pytest.mark.fault(14)
@pytest.mark.parametrize("dead", [False, True])
async def test_what_is_held_is_streamed_after_a_reconnect_without_postgres(running: Running, *, dead: bool) -> None:
    running.postgres(dead=dead)
    running.session.hang_up()
    inbox = running.desk.parts.inbox
    while not inbox.empty():
        running.desk.fold(inbox.get_nowait())
    await running.desk.connect()
    async with driven(running):
        await settled(lambda: running.session.subscribed >= LEGS)
        assert not running.desk.enabled or not dead


@pytest.mark.fault(14)
async def test_bars_that_close_without_postgres_are_stored_later_and_the_breaker_looks_on(
    world: World, running: Running
) -> None:
    start = floor_to(running.desk.clock.now(), 300) - timedelta(minutes=5)
    closed = [Bar("SPX", start, 5, 4100.0, 4101.0, 4099.0, 4100.0, 1)]

    def settle(_now: object) -> list[Bar]:
        bars, closed[:] = list(closed), []
        return bars

    running.desk.parts.watch.settle = settle  # type: ignore[method-assign]
    looks = judged(running)
    running.postgres(dead=True)
    async with driven(running):
        await settled(lambda: not closed)
        before = len(looks)
        await settled(lambda: len(looks) > before + 2)
        running.postgres(dead=False)
        await settled(lambda: stored(world, start))


def stored(world: World, start: datetime) -> bool:
    with world.database.transaction() as session:
        bars = BarRepository(session).closed(Series(record.WORLD, "SPX", 5), world.now, since=start)
    return [bar.start for bar in bars] == [start]


@pytest.mark.fault(14)
async def test_the_breaker_looks_while_postgres_hangs(running: Running) -> None:
    looks = judged(running)
    running.postgres(dead=False, hangs=True)
    async with driven(running):
        await settled(lambda: len(looks) >= 3)


@pytest.mark.fault(25)
async def test_a_halt_that_nobody_rings_for_is_heard_while_the_broker_is_slow(world: World, running: Running) -> None:
    async def never() -> list[object]:
        await asyncio.sleep(60)
        return []

    running.session.open_orders = never  # type: ignore[method-assign, assignment]
    running.desk.compare_due = True
    async with driven(running):
        await asyncio.sleep(0.1)  # it waits for the broker by now
        with world.database.transaction() as session:
            HaltRepository(session).set(HaltRequest("api", "looks wrong", "operator", world.now))
        await settled(lambda: running.desk.parts.halts.entries_halted_by() is not None)
