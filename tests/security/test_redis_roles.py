"""What each role of Valkey may do, asked as that role."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis
from kombu import Connection, Exchange, Queue
from tests.support.valkey import redis_api_url, redis_app_url, redis_url, valkey_server  # noqa: F401 - fixtures

from htbot.adapters.live import CLOCK_KEY, HALT_KEY, REQUEST_LIST
from htbot.settings.endpoint import Endpoint

RUINOUS = (
    "FLUSHALL",
    "FLUSHDB",
    "CONFIG GET *",
    "SHUTDOWN NOSAVE",
    "ACL LIST",
    "ACL SETUSER friend on nopass +@all ~*",
    "EVAL return(1) 0",
    "SCRIPT FLUSH",
    "KEYS *",
    "MONITOR",
    "CLIENT KILL TYPE normal",
    "REPLICAOF 127.0.0.1 1",
    "SAVE",
    "MODULE LIST",
)


@pytest.fixture
def api(redis_api_url: str) -> Iterator[redis.Redis]:  # noqa: F811
    with redis.Redis.from_url(redis_api_url) as opened:
        yield opened


@pytest.fixture
def app(redis_app_url: str) -> Iterator[redis.Redis]:  # noqa: F811
    with redis.Redis.from_url(redis_app_url) as opened:
        yield opened


def refused(connection: redis.Redis, command: str) -> bool:
    try:
        connection.execute_command(*command.split())
    except redis.exceptions.NoPermissionError:
        return True
    return False


@pytest.mark.fault(57)
def test_nobody_comes_in_without_a_name_and_its_password(
    redis_url: str,  # noqa: F811
    valkey_server: Endpoint,  # noqa: F811
) -> None:
    for login in ("", f":{valkey_server.password}@", "htbot:guess@", "htbot_api:guess@", "default:guess@"):
        stranger = redis.Redis.from_url(f"redis://{login}127.0.0.1:{valkey_server.port}/0")
        with stranger, pytest.raises((redis.AuthenticationError, redis.ResponseError)):
            stranger.ping()


@pytest.mark.fault(58)
@pytest.mark.parametrize("command", RUINOUS)
def test_no_role_can_ruin_the_server(api: redis.Redis, app: redis.Redis, command: str) -> None:
    assert refused(api, command)
    assert refused(app, command)


@pytest.mark.fault(58)
def test_the_api_forges_no_task_and_speaks_for_nobody(api: redis.Redis) -> None:
    for command in (
        "LPUSH default task",
        "RPUSH default task",
        "LPUSH celery task",
        f"SET {CLOCK_KEY} tomorrow",
        "SET htbot:snapshot:SPX rubbish",
        f"DEL {CLOCK_KEY}",
        f"BLPOP {REQUEST_LIST} 1",
        "HSET htbot:tickers SPX rubbish",
        "SADD _kombu.binding.default x",
        "PUBLISH celeryev forged",
    ):
        assert refused(api, command), command


def test_the_api_reads_asks_and_rings(api: redis.Redis, app: redis.Redis) -> None:
    app.set(CLOCK_KEY, "noon")
    assert api.get(CLOCK_KEY) == b"noon"
    api.rpush(REQUEST_LIST, "what-if")
    assert app.blpop([REQUEST_LIST], timeout=30) == (REQUEST_LIST.encode(), b"what-if")
    app.rpush("htbot:reply:1", "answer")
    assert api.blpop(["htbot:reply:1"], timeout=30) == (b"htbot:reply:1", b"answer")
    api.set(HALT_KEY, "news")
    assert app.get(HALT_KEY) == b"news"
    api.delete(HALT_KEY)
    heard = api.pubsub()
    heard.subscribe("htbot:step")
    assert heard.get_message(timeout=30)["type"] == "subscribe"
    app.publish("htbot:step", "1")
    assert heard.get_message(timeout=30)["data"] == b"1"
    heard.close()


def test_the_queue_works_in_the_role_of_its_workers(redis_app_url: str) -> None:  # noqa: F811
    exchange = Exchange("default", type="direct")
    queue = Queue("default", exchange, routing_key="default")
    with Connection(redis_app_url) as connection:
        connection.Producer(serializer="json").publish(
            {"id": 1}, exchange=exchange, routing_key="default", declare=[queue]
        )
        waiting = queue(connection.default_channel)
        message = waiting.get()
        assert message.payload == {"id": 1}
        message.reject(requeue=True)
        again = waiting.get()
        again.ack()
        assert waiting.get() is None
