"""Shares, the desk and the paper gateway over TCP: whoever is dead, they are closed once and the books agree."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from tests.support import plain
from tests.support.broker_worlds import TcpWorld, tcp_world
from tests.support.desk import CLIENT, Running, World
from tests.support.paper_world import DAYS, SESSIONS, SPY
from tests.support.waiting import PATIENCE_S

from htbot.adapters.ib.session import IbAddress, IbSession
from htbot.desk.clock import DeskClock
from htbot.desk.desk import Desk
from htbot.domain.orders import ExitReason, OrderIntent
from htbot.domain.signals import PlainLeg
from htbot.domain.trades import TradeState
from htbot.marketdata.clock_state import Mode
from htbot.paper.book.orders import PaperOrder
from htbot.persistence.repositories import SessionRepository

LONG = PlainLeg(SPY, "SPY", 1)


class Place:
    """A record, a gateway whose market a test moves, and one desk at a time."""

    def __init__(self, world: World, gateway: TcpWorld) -> None:
        self.world, self.gateway = world, gateway
        with world.database.transaction() as session:
            SessionRepository(session).upsert(SESSIONS.all())
        self._tell_time()

    def _tell_time(self) -> None:
        self.world.now = self.gateway.pace._clock.at

    async def desk(self) -> Running:
        clock = DeskClock(Mode.PAPER, 1.0)
        running = Running(self.world, clock)
        inbox: asyncio.Queue[object] = asyncio.Queue()
        session = IbSession(IbAddress("127.0.0.1", self.gateway.port, CLIENT), inbox.put_nowait)
        running.desk = Desk(replace(running.desk.parts, session=session, inbox=inbox))
        await running.begin()
        await running.desk.connect()
        await running.recover()
        return running

    def enter(self) -> OrderIntent:
        """Approved now, at 471 at worst; stopped at 465, taken at 475."""
        now = self.world.now
        rules = replace(
            plain.RULES,
            stop_price=Decimal(465),
            target_price=Decimal(475),
            exit_at=now + timedelta(hours=3),
            flat_deadline=now + timedelta(hours=4),
        )
        trade = plain.trade(
            leg=LONG, account=self.gateway.account, session=DAYS[0], rules=rules, quantity=10, opened_at=now
        )
        return self.world.approve(trade, plain.entry(trade, limit="471.00", session=DAYS[0]), 1)

    def move(self, price: float) -> None:
        """The market goes there, and five seconds pass."""
        market = self.gateway.market
        market.quotes[SPY], market.last[SPY] = (round(price - 0.01, 2), round(price + 0.01, 2)), price
        self.gateway.pace._clock.at += timedelta(seconds=5)
        self.gateway.pace.tick()
        self._tell_time()

    @property
    def working(self) -> list[PaperOrder]:
        return list(self.gateway.gateway.book.working)

    async def until(self, running: Running, met: Callable[[], object]) -> None:
        """The desk hears and acts until it is so."""
        async with asyncio.timeout(PATIENCE_S):
            await running.turn()
            while not met():
                await asyncio.sleep(0.02)
                await running.turn()

    async def opened(self, running: Running) -> OrderIntent:
        """Bought, and its stop and target stand at the gateway."""
        intent = self.enter()
        await self.until(running, lambda: self.working)
        self.move(470.0)
        await self.until(running, lambda: len(self.working) == 2)
        held = running.desk.book.get(intent.trade_id)
        assert held is not None
        await self.until(running, lambda: held.stands_at_broker(ExitReason.STOP_LOSS))
        await self.until(running, lambda: held.stands_at_broker(ExitReason.PROFIT_TARGET))
        return intent

    def judge(self, running: Running, trade_id: str, reason: ExitReason, low: str, high: str) -> None:
        """Closed once, to the cent, and both books flat."""
        trade = self.world.trade(trade_id)
        assert (trade.state, trade.exit_reason) == (TradeState.CLOSED, reason)
        assert trade.gross_pnl_usd is not None
        assert Decimal(low) <= trade.gross_pnl_usd <= Decimal(high)
        fills = [fill for item in self.world.exits(trade_id) for fill in self.world.fills(item.intent.ref)]
        assert sum(fill.quantity for fill in fills) == 10
        assert not running.desk.parts.session.holdings(self.gateway.account)
        assert not self.working
        assert running.desk.enabled, running.desk.reason


@pytest.fixture
async def place(world: World, tmp_path: Path) -> AsyncIterator[Place]:
    async with _place(world, tmp_path / "gateway.sqlite") as made:
        yield made


@asynccontextmanager
async def _place(world: World, file: Path) -> AsyncIterator[Place]:
    async with tcp_world(file) as gateway:
        yield Place(world, gateway)


async def test_the_broker_closes_while_the_desk_is_dead_and_the_books_hear_of_it(place: Place) -> None:
    first = await place.desk()
    intent = await place.opened(first)
    first.desk.parts.session.disconnect()  # nobody looks any more
    place.move(464.0)
    place.move(463.0)
    desk = await place.desk()
    await place.until(desk, lambda: place.world.trade(intent.trade_id).state is TradeState.CLOSED)
    assert await desk.look_up(after_s=11)
    place.judge(desk, intent.trade_id, ExitReason.STOP_LOSS, "-62", "-58")
    desk.desk.parts.session.disconnect()


async def test_a_target_is_taken_by_the_broker_and_the_stop_goes_with_it(place: Place) -> None:
    desk = await place.desk()
    intent = await place.opened(desk)
    place.move(476.0)
    await place.until(desk, lambda: place.world.trade(intent.trade_id).state is TradeState.CLOSED)
    await place.until(desk, lambda: not desk.desk.orders.live)
    assert await desk.look_up(after_s=11)
    place.judge(desk, intent.trade_id, ExitReason.PROFIT_TARGET, "48", "52")
    desk.desk.parts.session.disconnect()


async def test_time_cancels_both_and_sells_at_the_market(place: Place) -> None:
    desk = await place.desk()
    intent = await place.opened(desk)
    place.gateway.pace._clock.at += timedelta(hours=3)
    place.move(471.0)
    await place.until(
        desk, lambda: place.world.trade(intent.trade_id).state is TradeState.CLOSED or place.working == []
    )
    place.move(471.0)
    await place.until(desk, lambda: place.world.trade(intent.trade_id).state is TradeState.CLOSED)
    assert await desk.look_up(after_s=11)
    place.judge(desk, intent.trade_id, ExitReason.TIME, "8", "12")
    desk.desk.parts.session.disconnect()
