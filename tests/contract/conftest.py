from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.broker_worlds import FakeWorld, World, tcp_world


@pytest.fixture(params=["fake", "tcp"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    if request.param == "fake":
        made = FakeWorld()
        await made.session.connect()
        yield made
        return
    async with tcp_world(tmp_path / "gateway.sqlite") as over_tcp:
        yield over_tcp
