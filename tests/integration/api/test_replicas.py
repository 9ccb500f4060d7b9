"""Two API processes over one record and one Redis: whoever asks either is told the same."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.support.asgi import TestClient
from tests.support.opened import opened_trade
from tests.support.people import FIRST, House, chain, clock, furnish
from tests.support.valkey import redis_url, valkey_server  # noqa: F401 - fixtures

from htbot.adapters.live import LiveReader, LiveWriter
from htbot.persistence.engine import Database

HERE = "ws://127.0.0.1:8000"


def desk_says(url: str, spot: float, **said: Any) -> None:
    """The desk publishes."""

    async def publish() -> None:
        writer, now = LiveWriter(url), datetime.now(UTC)
        held = {con_id: quote for con_id, quote in chain(spot).quotes.items() if con_id == 1}
        await writer.publish_ticker(replace(chain(spot), options=(), quotes=held))
        await writer.publish_clock(clock(written_at=now, market_time=now, **said))
        await writer.close()

    asyncio.run(publish())


@pytest.fixture
def replicas(database: Database, redis_url: str, tmp_path: Path) -> Iterator[list[TestClient]]:  # noqa: F811
    desk_says(redis_url, 4150.0)
    with ExitStack() as stack:
        clients = []
        for _ in range(2):
            house: House = furnish(database, tmp_path, LiveReader(redis_url), lambda: datetime.now(UTC))  # type: ignore[arg-type]
            app = house.app(background=True)
            client = TestClient(app, base_url="http://127.0.0.1:8000", headers={"X-API-Key": FIRST})
            clients.append(stack.enter_context(client))
        yield clients


def test_two_replicas_tell_the_same(replicas: list[TestClient], database: Database, redis_url: str) -> None:  # noqa: F811
    trade = opened_trade(database)
    with ExitStack() as stack:
        streams = [stack.enter_context(client.websocket_connect(f"{HERE}/ws")) for client in replicas]
        for stream in streams:
            stream.send_json({"type": "auth", "token": FIRST})
            assert stream.receive_json()["type"] == "ready"
            for channel in ("prices", "status"):
                stream.send_json({"type": "subscribe", "channel": channel})
        seen: list[dict[str, Any]] = [{}, {}]

        def until(index: int, channel: str, member: str, wanted: Any) -> None:
            while True:
                state = seen[index].get(channel, {}).get(member)
                if state == wanted or (isinstance(state, dict) and state.get("price") == wanted):
                    return
                told = streams[index].receive_json()
                seen[index].setdefault(told["channel"], {}).update(told["set"])

        for index in range(2):
            until(index, "prices", "SPX", 4150.0)
            assert replicas[index].get("/status").json()["open_trade"]["id"] == trade.id
        desk_says(redis_url, 4161.5, trading_enabled=False, reason="1100")
        for index in range(2):
            until(index, "prices", "SPX", 4161.5)
            until(index, "status", "reason", "1100")
        assert replicas[0].post("/halt", json={"reason": "news"}).status_code == 200
        assert replicas[0].get("/status").json()["halt"] is not None
        until(1, "status", "halt", replicas[0].get("/status").json()["halt"])
        assert {client.get("/status").json()["reason"] for client in replicas} == {"1100"}
