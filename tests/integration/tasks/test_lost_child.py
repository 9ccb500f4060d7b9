"""A pool process dies in the middle of a task: the task is done all the same, and what it writes is there once."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from celery import Celery
from sqlalchemy import func, select
from tests.support.accounts import ENOUGH
from tests.support.breakout_world import ACCOUNT, World, session_on
from tests.support.worker_process import WorkerProcess, worker

from htbot.adapters.live import CLOCK_KEY, REQUEST_LIST, snapshot_key
from htbot.bootstrap.install.processes import wait_until
from htbot.domain.bars import Bar
from htbot.marketdata import clock_state, snapshot
from htbot.marketdata.clock_state import ClockState, Mode
from htbot.persistence.engine import Database
from htbot.persistence.repositories import BarRepository, DeskStateRepository, SessionRepository, TaskRunRepository
from htbot.persistence.rows import Base
from htbot.persistence.states import TaskState
from htbot.services.schedule import READ_MARKET

SESSION = session_on(2022, 8, 26, opens=(13, 30))
FIVE = timedelta(minutes=5)
BREAKOUT = SESSION.opens + timedelta(minutes=53)
WITHIN_S = 90
DECISION = ("evaluations", "signals", "risk_decisions", "trades", "intents")


def climbing() -> World:
    """Ten bars under the first one's high of 4110, then one that breaks it at 10:20."""
    shapes = [(4100.0, 4110.0, 4090.0, 4095.0)]
    shapes += [(4095.0 + number, 4097.0 + number, 4094.0 + number, 4096.0 + number) for number in range(9)]
    shapes += [(4104.0, 4112.0, 4103.0, 4111.0), (4111.0, 4111.5, 4110.5, 4111.0)]
    return World(SESSION, [Bar("SPX", SESSION.opens + number * FIVE, 5, *shape) for number, shape in enumerate(shapes)])


def prepare(database: Database, live: redis.Redis) -> None:
    """Record and Redis as a desk leaves them at the instant of the breakout."""
    market, now = climbing(), datetime.now(UTC)
    soon = session_on(now.year, now.month, now.day)
    ahead = replace(soon, day=soon.day + timedelta(days=335))  # the calendar is known far enough
    with database.transaction() as session:
        SessionRepository(session).upsert([SESSION, ahead])
        BarRepository(session).upsert("test", market.closed(BREAKOUT), BREAKOUT)
        desk = DeskStateRepository(session)
        desk.set_reconciled(desk.begin_epoch())
    seen = market.snapshot(BREAKOUT)
    clock = ClockState(BREAKOUT, now, Mode.STEPPED, None, "test", ACCOUNT, "connected", trading_enabled=True)
    live.set(snapshot_key("SPX"), snapshot.encode(replace(seen, quotes=dict(seen.quotes))))
    live.set(CLOCK_KEY, clock_state.encode(clock))


def asked(live: redis.Redis, running: WorkerProcess) -> dict[str, Any]:
    """The question about the entry's margin: its task stands in the middle of its transaction."""
    popped = live.blpop([REQUEST_LIST], timeout=WITHIN_S)
    assert popped is not None, f"nothing was asked:\n{running.log()[-4000:]}"
    question: dict[str, Any] = json.loads(popped[1])
    assert question["kind"] == "whatif"
    return question


def rows(database: Database) -> dict[str, int]:
    with database.transaction() as session:
        return {
            name: session.scalars(select(func.count()).select_from(Base.metadata.tables[name])).one()
            for name in DECISION
        }


def run_of(database: Database) -> TaskState | None:
    with database.transaction() as session:
        run = TaskRunRepository(session).get(READ_MARKET, "all", BREAKOUT)
    return None if run is None else run.state


@pytest.mark.fault(2)
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_task_whose_process_is_killed_is_done_by_the_next_one(
    database: Database, database_url: str, redis_url: str, tmp_path: Path
) -> None:
    live = redis.Redis.from_url(redis_url, socket_timeout=WITHIN_S + 5)
    prepare(database, live)
    sender = Celery(broker=redis_url)
    sender.conf.task_default_queue = "default"
    sender.send_task(READ_MARKET, kwargs={"as_of": BREAKOUT.isoformat(), "step": 1, "key": "all"})
    servers = {"DATABASE_URL": database_url, "REDIS_URL": redis_url}
    with worker(tmp_path, **servers, HTBOT_RSI_WINDOW="2", HTBOT_EMA_SPAN="2") as running:
        asked(live, running)
        dead = running.kill_child()
        again = asked(live, running)
        assert (run_of(database), rows(database)) == (None, dict.fromkeys(DECISION, 0)), "it left nothing behind"
        answer = {"id": again["id"], "ok": True, "result": ENOUGH.as_texts()}
        live.rpush(again["reply_to"], json.dumps(answer))
        sender.send_task(READ_MARKET, kwargs={"as_of": BREAKOUT.isoformat(), "step": 1, "key": "all"})
        assert _ended(live, running, database)
        assert dead not in running.children
        assert "WorkerLostError" in running.log()
    assert (run_of(database), rows(database)) == (TaskState.DONE, dict.fromkeys(DECISION, 1))
    sender.close()
    live.close()


def _ended(live: redis.Redis, running: WorkerProcess, database: Database) -> bool:
    """The copy that was sent last has been answered: every message is done with."""

    def ended() -> bool:
        return running.log().count("succeeded in") == 2 and live.llen("default") == live.hlen("unacked") == 0

    return wait_until(ended, WITHIN_S) and run_of(database) is TaskState.DONE
