"""Redis is full, or cannot save: trading goes on by the record, nothing queued is thrown away, a person is told."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import redis
from celery import Celery
from kombu.exceptions import OperationalError
from tests.support import record
from tests.support.desk import Running, World
from tests.support.valkey import ValkeyServer, running_valkey
from tests.support.waiting import PATIENCE_S

from htbot.adapters.live import LiveWriter
from htbot.alerts.message import Message
from htbot.bootstrap.install.processes import wait_until
from htbot.bootstrap.install.rounds import LASTS_S, Rounds, refusals
from htbot.bootstrap.install.supervisor import ProgramState, Supervisor
from htbot.bootstrap.install.telling import tell
from htbot.bootstrap.install.waiting import Waiting
from htbot.bootstrap.install.watchman import Watchman
from htbot.desk.bulletin import Bulletin
from htbot.desk.line import Line
from htbot.desk.trouble import Trouble
from htbot.domain.errors import ConfigurationError
from htbot.domain.orders import IntentState
from htbot.domain.trades import TradeState
from htbot.services.desk_line import DeskLine
from htbot.settings import load_settings

STOP = {record.SHORT.con_id: (8.60, 8.70), record.LONG.con_id: (2.00, 2.10)}
QUEUE = "default"


class NoPrograms(Supervisor):
    """A process manager with nothing to wait for."""

    def __init__(self) -> None:
        super().__init__(Path())

    def states(self) -> list[ProgramState]:
        return []


@dataclass(frozen=True)
class Refusing:
    """A server that refuses every write, what it says, and how many messages it was given before."""

    server: ValkeyServer
    client: redis.Redis
    says: str
    queued: int


def fill(client: redis.Redis) -> int:
    """Give it messages until it takes no more."""
    client.config_set("maxmemory", "4mb")
    for number in range(1_000_000):
        try:
            client.rpush(QUEUE, "x" * 1000)
        except redis.exceptions.OutOfMemoryError:
            return number
    raise AssertionError("it never said that it is full")


def lose_folder(server: ValkeyServer, client: redis.Redis) -> int:
    """Its folder goes, and it notices when it saves."""
    client.rpush(QUEUE, "x")
    shutil.rmtree(server.folder)
    client.bgsave()
    assert wait_until(lambda: client.info("persistence")["rdb_last_bgsave_status"] == "err", PATIENCE_S)
    return 1


@pytest.fixture(
    params=[pytest.param("OOM", marks=pytest.mark.fault(12)), pytest.param("MISCONF", marks=pytest.mark.fault(13))]
)
def refusing(request: pytest.FixtureRequest) -> Iterator[Refusing]:
    with running_valkey("stop-writes-on-bgsave-error yes") as server, redis.Redis.from_url(server.url) as client:
        full = request.param == "OOM"
        queued = fill(client) if full else lose_folder(server, client)
        yield Refusing(server, client, "used memory > 'maxmemory'" if full else "MISCONF", queued)


@asynccontextmanager
async def desk_on(world: World, url: str, monotonic: Callable[[], float]) -> AsyncIterator[tuple[Running, DeskLine]]:
    """A desk that publishes on this server, and its line."""
    running, live = await world.desk(), LiveWriter(url)
    parts = running.desk.parts
    bulletin = Bulletin(live, parts.orders_database, Trouble(monotonic=monotonic))
    running.desk.parts = replace(parts, bulletin=bulletin)
    folder = world.stop_file.parent
    line, caller = asyncio.ensure_future(Line(running.desk, folder, world.stop_file).serve()), DeskLine(folder)
    assert await asyncio.to_thread(wait_until, (folder / "desk.sock").exists, PATIENCE_S)
    try:
        yield running, caller
    finally:
        line.cancel()
        await live.close()


async def test_orders_leave_and_a_person_is_told_while_redis_refuses(
    world: World, refusing: Refusing, database_url: str, tmp_path: Path
) -> None:
    now_s = 0.0
    async with desk_on(world, refusing.server.url, lambda: now_s) as (desk, line):
        intent = await desk.opened()
        await desk.desk.notices.publish_clock()
        await desk.desk.notices.publish_grid(world.now)
        assert list(await asyncio.to_thread(lambda: list(refusals(line)))) == [], "it may be over in a moment"
        now_s = LASTS_S

        world.broker.quotes |= STOP
        world.after(market_s=5)
        await desk.turn()
        [exit_] = world.exits(intent.trade_id)
        world.broker.fill(exit_.intent.ref)
        world.broker.report_commissions(exit_.intent.ref)
        await desk.turn()
        assert world.trade(intent.trade_id).state is TradeState.CLOSED
        again = world.enter(2)
        world.broker.quotes |= {record.SHORT.con_id: (6.10, 6.30), record.LONG.con_id: (1.90, 2.00)}
        await desk.turn()
        assert world.state(again.ref) is IntentState.WORKING, "the record is swept, no message is needed"

        settings = load_settings(tmp_path, {"DATABASE_URL": database_url, "REDIS_URL": refusing.server.url})
        told: list[Message] = []

        def to_person(message: Message) -> bool:
            told.append(message)
            return tell(settings, message)

        watchman = Watchman(Rounds([lambda: refusals(line)]), to_person, settings)
        for _ in range(2):
            await asyncio.to_thread(watchman.on_minute)
        [message] = told
        assert refusing.says in message.summary
        mails = list((tmp_path / "var" / "mail").glob("*.eml"))
        subjects = "".join(mail.read_text(encoding="utf-8") for mail in mails)
        assert "Redis does not take" in subjects
        assert "Trade Exit" in subjects, "what waits in the outbox goes out without a task"
    assert refusing.client.llen(QUEUE) == refusing.queued, "nothing queued was thrown away"


def test_beat_is_told_what_it_waits_for(refusing: Refusing) -> None:
    """It looks again a second later at these errors (`tasks.scheduler`)."""
    sender = Celery(broker=refusing.server.url)
    with pytest.raises((redis.RedisError, OperationalError), match=refusing.says):
        sender.send_task("any")
    sender.close()


@pytest.mark.fault(12)
@pytest.mark.parametrize("name", ["REDIS_URL", "CELERY_BROKER_URL"])
def test_a_server_that_drops_tasks_is_refused_at_the_start(name: str, tmp_path: Path) -> None:
    with running_valkey() as server, redis.Redis.from_url(server.url) as client:
        start = Waiting(load_settings(tmp_path, {name: server.url}), NoPrograms())
        start.for_redis()  # as htbot configures its own
        client.config_set("maxmemory-policy", "allkeys-lru")
        with pytest.raises(ConfigurationError) as refused:
            start.for_redis()
        assert str(refused.value).startswith(f"{name}: maxmemory-policy=allkeys-lru drops tasks")
        assert "\n" not in str(refused.value)
        queued = fill(client)
        assert (queued > 0, client.llen(QUEUE)) == (True, 0), "it is why: all of the queue went at once"
