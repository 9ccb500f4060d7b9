from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.broker_worlds import QUOTES, FakeWorld, HandClock, TcpWorld, World, until
from tests.support.paper_world import HandMarket

from htbot.paper.clock import PacedTime
from htbot.paper.gateway import Gateway, GatewayConfig
from htbot.paper.server import serving
from htbot.paper.store import Store


@pytest.fixture(params=["fake", "tcp"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    if request.param == "fake":
        made = FakeWorld()
        await made.session.connect()
        yield made
        return
    market = HandMarket()
    market.quotes |= QUOTES
    gateway = Gateway(market, Store(tmp_path / "gateway.sqlite"), GatewayConfig(latency_s=0.0))
    pace = PacedTime(gateway, 1.0, HandClock(gateway.now))
    async with serving(gateway, pace, "127.0.0.1", 0) as port:
        over_tcp = TcpWorld(gateway, market, pace, port)
        await over_tcp.session.connect()
        yield over_tcp
        for session in (over_tcp.session, *over_tcp.others):
            session.disconnect()
        await until(lambda: not gateway.sessions)
