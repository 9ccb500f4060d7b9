"""The API runs out of file descriptors: it lives, answers again, and the desk has nothing to do with it (FAULTS 46)."""

from __future__ import annotations

import resource
import socket
from pathlib import Path

import httpx
import psutil
import pytest
from tests.support import record
from tests.support.api_process import TOKEN, serving
from tests.support.desk import World
from tests.support.waiting import PATIENCE_S

from htbot.bootstrap.install.processes import wait_until
from htbot.persistence.engine import Database

SPARE = 8


@pytest.mark.fault(46)
@pytest.mark.slow
async def test_a_flood_of_connections_ends_and_exits_leave_meanwhile(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    with serving(tmp_path, DATABASE_URL=database_url) as running:
        process = psutil.Process(running.process.pid)
        most = process.num_fds() + SPARE
        resource.prlimit(running.process.pid, resource.RLIMIT_NOFILE, (most, most))
        flood = [socket.create_connection(("127.0.0.1", running.port)) for _ in range(4 * SPARE)]
        assert wait_until(lambda: process.num_fds() >= most, PATIENCE_S), f"{process.num_fds()} of {most}"

        world = World(database, tmp_path)
        desk = await world.desk()
        intent = await desk.opened()
        world.after(market_s=5)
        world.broker.quotes |= {record.SHORT.con_id: (8.60, 8.70), record.LONG.con_id: (2.00, 2.10)}  # the stop
        await desk.turn()
        assert [exit_.order_id for exit_ in world.exits(intent.trade_id)] == [desk.session.placed[-1][1]]
        world.close()

        for connection in flood:
            connection.close()
        assert wait_until(lambda: _answers(running.url), PATIENCE_S)
        assert process.is_running()


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/status", headers=TOKEN, timeout=5).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False
