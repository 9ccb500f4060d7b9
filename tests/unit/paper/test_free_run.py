"""A world at max without a stepped client runs by itself, as fast as its clients read."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from ib_async import MarketOrder, Stock
from tests.support.paper_desk import PaperDesk, market_times, of_kind, statuses
from tests.support.paper_world import SPX, START, HandMarket
from tests.support.tws_client import RawClient, contract12

END = START + timedelta(minutes=10)


@pytest.fixture
async def running(desk: PaperDesk, market: HandMarket) -> AsyncIterator[PaperDesk]:
    market.end = END
    task = asyncio.create_task(desk.pace.run())
    yield desk
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def turns(count: int = 60) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def subscribed(client: RawClient) -> None:
    client.send(1, 11, 5, *contract12(SPX, exchange="CBOE"), 0, "", 0, 0, "")


async def test_it_stands_while_nobody_wants_data(running: PaperDesk) -> None:
    client = running.client(stepped=False)
    client.ask(61, 1)
    await turns()
    assert running.gateway.now == START


async def test_it_runs_to_its_end_for_a_subscriber(running: PaperDesk) -> None:
    client = running.client(stepped=False)
    subscribed(client)
    await turns()
    assert running.gateway.now == END
    last = [float(fields[4]) for fields in of_kind(client.take(), 1) if fields[3] == "4"]
    assert len(last) == 21
    assert market_times(client.ask(49, 1)) == [END]


async def test_an_order_is_filled_without_a_subscription(running: PaperDesk) -> None:
    client = running.client(stepped=False)
    client.place(1, Stock("SPY", "SMART", "USD"), MarketOrder("BUY", 1))
    await turns()
    assert "Filled" in statuses(client.take())


async def test_a_client_that_does_not_read_stops_it(running: PaperDesk) -> None:
    client = running.client(stepped=False)
    subscribed(client)
    client.protocol.pause_writing()
    await turns()
    assert START < running.gateway.now < END
    client.protocol.resume_writing()
    await turns()
    assert running.gateway.now == END


async def test_a_client_that_is_gone_stops_nothing(running: PaperDesk) -> None:
    client, other = running.client(1, stepped=False), running.client(2, stepped=False)
    client.protocol.pause_writing()
    subscribed(other)
    await turns(3)
    client.leave()
    await turns()
    assert running.gateway.now == END


async def test_a_stepped_client_takes_over_for_good(running: PaperDesk) -> None:
    stepped = running.client(1)
    plain = running.client(2, stepped=False)
    subscribed(plain)
    await turns()
    assert running.gateway.now == START
    assert len(market_times(stepped.ask(49, 1))) == 1
    running.kill_and_open()
    task = asyncio.create_task(running.pace.run())
    subscribed(running.client(2, stepped=False))
    await turns()
    assert running.gateway.now == START + timedelta(seconds=30)
    task.cancel()
