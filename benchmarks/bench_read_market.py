"""`read_market` from message to committed decision: the real broker, worker and database, one symbol, one at a time.

    .venv/bin/python benchmarks/bench_read_market.py

The clock starts before the message is sent and stops when PostgreSQL announces the commit of the task's row. Around
it this program does what a desk does: bars, snapshot and clock of each instant of one session, answers to what-ifs.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import select
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from threading import Thread

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench_footprint import environ_of
from celery import Celery
from redis import RedisError
from tests.support.accounts import ENOUGH
from tests.support.breakout_world import ACCOUNT, World

from htbot.adapters.live import LiveWriter
from htbot.bootstrap.install.stack import Stack
from htbot.domain.bars import Bar
from htbot.domain.sessions import Session
from htbot.marketdata.clock_state import ClockState, Mode, step_number
from htbot.persistence.engine import Database
from htbot.persistence.listener import TASKS, Listener
from htbot.persistence.repositories import BarRepository, DeskStateRepository, SessionRepository
from htbot.services.schedule import READ_MARKET
from htbot.settings import Settings, project_root

LIMIT_MS = 100.0
RUNS = 400
_WARM_UP = 20
_WORLD = "bench"
_GRID = timedelta(seconds=30)


def main() -> int:
    """Measure and print; 1 when the 95th percentile is above the limit."""
    folder = Path(tempfile.mkdtemp(prefix="htbot-bench-"))
    stack = Stack(project_root(), environ_of(folder, "open"))
    try:
        with stack.exclusive():
            stack.start_servers(("postgres", "redis", "worker"))
            stack.migrate()
            since = stack.record().now()
            stack.start_programs(("worker",))
            stack.waiting().for_registration(stack.record(), since)
        took_ms = sorted(measure(stack.settings))
    finally:
        stack.stop_all()
    shutil.rmtree(folder, ignore_errors=True)
    middle, p95 = took_ms[len(took_ms) // 2], took_ms[math.ceil(0.95 * len(took_ms)) - 1]
    print(f"{len(took_ms)} runs of read_market: median {middle:.1f} ms, longest {took_ms[-1]:.1f} ms")
    print(f"p95 {p95:.1f} ms, limit {LIMIT_MS:.0f} ms, ratio {p95 / LIMIT_MS:.2f}")
    print("command:", " ".join(sys.argv))
    return 0 if p95 <= LIMIT_MS else 1


def measure(settings: Settings) -> list[float]:
    """Milliseconds of each run after the first few, which read the history."""
    database = Database(settings.database.url)
    world = _world(database, settings.strategy.symbol, settings.strategy.bar_minutes)
    with database.transaction() as session:
        state = DeskStateRepository(session)
        state.set_reconciled(state.begin_epoch())
        BarRepository(session).upsert(_WORLD, world.history, world.session.opens)
    sender = Celery("bench", broker=settings.redis.broker_url, set_as_current=False)
    listener = Listener(settings.database.url, (TASKS,))
    took_ms = []
    Thread(target=_answer_what_ifs, args=(settings.redis.url,), daemon=True).start()
    with asyncio.Runner() as runner:
        live = LiveWriter(settings.redis.url)
        for as_of in _instants(world.session):
            runner.run(_publish(live, world, as_of))
            with database.transaction() as session:
                BarRepository(session).upsert(_WORLD, [bar for bar in world.today if bar.end <= as_of], as_of)
            began = time.perf_counter()
            message = {"as_of": as_of.isoformat(), "step": step_number(as_of), "key": "all"}
            sender.send_task(READ_MARKET, kwargs=message, queue="default")
            _await_commit(listener)
            took_ms.append(1000 * (time.perf_counter() - began))
        runner.run(live.close())
    listener.close()
    database.close()
    return took_ms[_WARM_UP:]


def _answer_what_ifs(redis_url: str) -> None:
    """The desk's part in an entry, on a connection of its own; ends with the program."""

    async def serve() -> None:
        live = LiveWriter(redis_url)
        with contextlib.suppress(RedisError):  # the server has been stopped: everything is measured
            while True:
                asked = await live.next_request(1.0)
                if asked is not None:
                    await live.reply(
                        str(asked["reply_to"]), {"id": asked["id"], "ok": True, "result": ENOUGH.as_texts()}
                    )

    asyncio.run(serve())


def _await_commit(listener: Listener) -> None:
    while not any(ring.key == READ_MARKET for ring in listener.heard()):
        if not select.select([listener.fileno()], [], [], 10)[0]:
            raise TimeoutError("read_market was not committed within 10 s")


def _instants(session: Session) -> Iterator[datetime]:
    """Instants of the entry window, where a decision has everything to do."""
    first = session.opens + timedelta(minutes=30)
    return (first + number * _GRID for number in range(RUNS + _WARM_UP))


async def _publish(live: LiveWriter, world: World, as_of: datetime) -> None:
    snapshot = world.snapshot(as_of)
    snapshot = replace(snapshot, world_id=_WORLD, quotes=dict(snapshot.quotes))
    clock = ClockState(as_of, datetime.now(UTC), Mode.STEPPED, None, _WORLD, ACCOUNT, "connected", trading_enabled=True)
    await live.publish_snapshots([snapshot], clock)


def _world(database: Database, symbol: str, minutes: int) -> World:
    """Ten sessions of a seeded walk; the last one is today."""
    with database.transaction() as session:
        sessions = SessionRepository(session).between(date(2022, 8, 1), date(2022, 8, 26))[-10:]
    random, price, days = Random(7), 4000.0, []
    for day in sessions:
        bars = []
        for number in range(int((day.closes - day.opens) / timedelta(minutes=minutes))):
            opened, price = price, price * (1 + random.gauss(0, 0.0004))
            high, low = max(opened, price) + 0.5, min(opened, price) - 0.5
            start = day.opens + number * timedelta(minutes=minutes)
            bars.append(Bar(symbol, start, minutes, opened, high, low, price, 1000))
        days.append(bars)
    return World(sessions[-1], days[-1], [bar for bars in days[:-1] for bar in bars])


if __name__ == "__main__":
    sys.exit(main())
