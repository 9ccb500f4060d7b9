"""Live state and data on request over a real Valkey."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import redis
from tests.support import record
from tests.support.accounts import ENOUGH
from tests.support.broker import listed
from tests.support.desk import Running, World
from tests.support.valkey import redis_api_url, redis_app_url, redis_url, valkey_server  # noqa: F401 - fixtures
from tests.support.waiting import PATIENCE_S

from htbot.adapters.live import CLOCK_KEY, REQUEST_LIST, TICKERS_KEY, LiveReader, LiveWriter, Step, snapshot_key
from htbot.desk.order_numbers import GAP
from htbot.desk.requests import RequestDesk
from htbot.domain.errors import CallerMistake, Retryable
from htbot.domain.margin import MarginQuestion, WhatIf
from htbot.marketdata.clock_state import ClockState, Mode
from htbot.marketdata.snapshot import Snapshot
from htbot.marketdata.snapshot import decode as snapshot_from
from htbot.services.margin import ask_margin

STATE = ClockState(
    record.NOON, datetime.now(UTC), Mode.PAPER, 10.0, record.WORLD, record.ACCOUNT, "connected", trading_enabled=True
)
SNAPSHOT = Snapshot(record.NOON, record.WORLD, record.ACCOUNT, "SPX", 1, 4150.25, None, None)


@pytest.fixture
async def writer(redis_app_url: str) -> AsyncIterator[LiveWriter]:  # noqa: F811
    made = LiveWriter(redis_app_url)
    yield made
    await made.close()


@pytest.fixture
def reader(redis_api_url: str) -> LiveReader:  # noqa: F811
    return LiveReader(redis_api_url)


def test_nothing_is_known_before_the_desk_has_spoken(reader: LiveReader) -> None:
    assert (reader.clock(), reader.market_now(), reader.snapshot("SPX"), reader.ping()) == (None, None, None, True)


async def test_an_instant_is_snapshot_and_clock_together(
    writer: LiveWriter,
    reader: LiveReader,
    redis_url: str,  # noqa: F811
) -> None:
    await writer.publish_snapshots([SNAPSHOT], STATE)
    assert (reader.snapshot("SPX"), reader.clock()) == (SNAPSHOT, STATE)
    assert reader.snapshot("SPY") is None
    with redis.Redis.from_url(redis_url) as connection:
        for key in (CLOCK_KEY, snapshot_key("SPX")):
            assert 0 < connection.ttl(key) <= 3600


async def test_tickers_stand_beside_each_other_by_symbol(
    writer: LiveWriter,
    reader: LiveReader,
    redis_url: str,  # noqa: F811
) -> None:
    assert reader.tickers() == {}
    spy = replace(SNAPSHOT, symbol="SPY", spot=415.0)
    for ticker in (SNAPSHOT, spy, replace(spy, spot=416.0)):
        await writer.publish_ticker(ticker)
    assert reader.tickers() == {"SPX": SNAPSHOT, "SPY": replace(spy, spot=416.0)}
    assert reader.snapshot("SPX") is None  # nothing is decided on a ticker
    with redis.Redis.from_url(redis_url) as connection:
        assert 0 < connection.ttl(TICKERS_KEY) <= 3600


async def test_market_time_goes_on_between_two_publications(writer: LiveWriter, reader: LiveReader) -> None:
    await writer.publish_clock(STATE)
    now = reader.market_now()
    assert now is not None
    assert now >= record.NOON


async def test_hints_reach_everybody_who_has_subscribed(writer: LiveWriter, reader: LiveReader) -> None:
    steps = reader.steps()
    step = Step(7, record.NOON, 2)
    heard = None
    async with asyncio.timeout(PATIENCE_S):
        while heard is None:
            await writer.publish_step(step)
            heard = steps.get_message(timeout=0.05)
    steps.close()
    assert Step.decode(heard["data"]) == step


async def test_redis_away_is_an_error_of_its_own() -> None:
    away = "redis://127.0.0.1:1/0"
    with pytest.raises(redis.RedisError):
        LiveReader(away).clock()
    lonely = LiveWriter(away)
    with pytest.raises(redis.RedisError):
        await lonely.publish_clock(STATE)
    await lonely.close()


# --- data on request --------------------------------------------------------------------------------------------------


@pytest.fixture
async def desk(world: World, writer: LiveWriter) -> AsyncIterator[Running]:
    running = await world.desk()
    service = asyncio.ensure_future(RequestDesk(running.desk, writer).serve())
    yield running
    assert not service.done(), "a request has ended the service"
    while not service.done():  # redis-py may swallow a cancel that comes right after an answer
        service.cancel()
        await asyncio.wait([service], timeout=0.05)


async def ask(reader: LiveReader, kind: str, **params: object) -> object:
    """As another process asks."""
    return await asyncio.to_thread(reader.ask, kind, params, 25.0)


async def test_a_contract_is_asked_of_the_broker(desk: Running, reader: LiveReader) -> None:
    assert await ask(reader, "contract", symbol="SPX") == {"con_id": 1, "symbol": "SPX", "exchange": "CBOE"}


async def test_a_snapshot_has_the_options_that_were_named(world: World, desk: Running, reader: LiveReader) -> None:
    world.broker.options = listed(record.DAY, [4100, 4150])
    world.broker.quotes |= dict.fromkeys((41000, 41001, 41500, 41501), (5.0, 5.2)) | {1: (4149.0, 4151.0)}
    await desk.desk.follow_lines(world.now)
    answer = await ask(reader, "snapshot", options=[["4150", "P"]])
    told = snapshot_from(str(answer))
    assert (41501, Decimal(4150)) in [(option.con_id, option.strike) for option in told.options]
    assert told.quotes[41501].ask == 5.2


async def test_a_round_trip_goes_to_the_broker_and_moves_no_time(desk: Running, reader: LiveReader) -> None:
    told = await ask(reader, "ping")
    assert isinstance(told, dict)
    assert (told["asked"], told["broker_time"]) == ("contract", None), "the test's world is stepped"
    assert told["round_trip_ms"] >= 0
    desk.desk.clock.mode = Mode.PAPER
    told = await ask(reader, "ping")
    assert isinstance(told, dict)
    assert (told["asked"], told["broker_time"]) == ("time", desk.world.now.isoformat())


async def test_account_and_positions_are_the_brokers_own(desk: Running, reader: LiveReader) -> None:
    desk.world.broker.values = {"NetLiquidation": "101.5"}
    told = await ask(reader, "account")
    assert isinstance(told, dict)
    assert (told["account"], told["amounts"]) == (record.ACCOUNT, {"NetLiquidation": "101.5"})
    assert await ask(reader, "positions") == []
    await desk.opened()
    held = await ask(reader, "positions")
    assert isinstance(held, list)
    assert [(one["account"], one["quantity"], one["strike"]) for one in held] == [
        (record.ACCOUNT, -1, "4150"),
        (record.ACCOUNT, 1, "4110"),
    ]


async def test_a_comparison_can_be_asked_for(desk: Running, reader: LiveReader) -> None:
    desk.desk.compare_due = False
    await ask(reader, "compare")
    assert desk.desk.compare_due


@pytest.mark.ruling(37)
async def test_without_a_session_nothing_can_be_asked(desk: Running, reader: LiveReader) -> None:
    desk.desk.connection = "disconnected"
    for kind in ("ping", "account", "positions", "compare"):
        with pytest.raises(Retryable, match="the desk is disconnected"):
            await ask(reader, kind)


QUESTION = MarginQuestion.of(record.entry(record.trade()))


async def test_a_what_if_is_asked_of_the_broker_under_an_order_id_of_its_own(desk: Running, reader: LiveReader) -> None:
    answer = WhatIf.of_texts(await ask(reader, "whatif", **QUESTION.as_params()))  # type: ignore[arg-type]
    assert answer == ENOUGH
    await ask(reader, "whatif", **QUESTION.as_params())
    (first, first_id), (second, second_id) = desk.session.asked_margin
    assert first == second == QUESTION
    assert 1 <= first_id < second_id
    sent = await desk.opened()
    assert desk.session.placed[0][:2] == (sent.ref, second_id + GAP), "no order uses the id of a what-if"


async def test_a_worker_that_gets_no_answer_knows_why(desk: Running, reader: LiveReader) -> None:
    desk.session.reject = (201, "Order rejected - reason:margin")
    told = await asyncio.to_thread(ask_margin, reader, QUESTION)
    assert told == WhatIf(rejected="broker error 201: Order rejected - reason:margin")
    desk.desk.connection = "lost"
    assert await asyncio.to_thread(ask_margin, reader, QUESTION) == WhatIf(unknown="the desk is lost")
    assert len(desk.session.asked_margin) == 1


@pytest.mark.parametrize(
    ("kind", "params", "message"),
    [
        ("whatif", {**QUESTION.as_params(), "account": "DU9"}, "account DU9: the desk trades"),
        ("whatif", {**QUESTION.as_params(), "legs": [[11]]}, "malformed whatif"),
        ("whatif", {**QUESTION.as_params(), "limit": "cheap"}, "malformed whatif"),
        ("whatif", {**QUESTION.as_params(), "action": "HOLD"}, "malformed whatif"),
        ("whatif", {}, "malformed whatif"),
        ("orders", {}, "unknown request 'orders'"),
        ("contract", {"symbol": "NVDA"}, "symbol NVDA"),
        ("contract", {}, "symbol"),
        ("snapshot", {"options": [["many", "P"]]}, "snapshot"),
        ("snapshot", {"options": [["4150", "X"]]}, "snapshot"),
        ("snapshot", {"options": 5}, "snapshot"),
        ("history", {"minutes": "five", "days": 1}, "history"),
    ],
)
async def test_what_cannot_be_answered_is_refused_and_the_service_goes_on(
    desk: Running, reader: LiveReader, kind: str, params: dict[str, object], message: str
) -> None:
    with pytest.raises(CallerMistake, match=message):
        await ask(reader, kind, **params)
    assert await ask(reader, "contract", symbol="SPX")


async def test_a_lost_connection_is_a_matter_of_time(desk: Running, reader: LiveReader) -> None:
    desk.desk.connection = "lost"
    with pytest.raises(Retryable, match="the desk is lost"):
        await ask(reader, "contract", symbol="SPX")


async def test_rubbish_and_late_requests_are_dropped(
    desk: Running,
    reader: LiveReader,
    redis_url: str,  # noqa: F811
) -> None:
    late = {"id": "1", "kind": "contract", "params": {"symbol": "SPX"}, "reply_to": "late"}
    late["deadline"] = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    with redis.Redis.from_url(redis_url) as connection:
        connection.rpush(REQUEST_LIST, "no json", "[1]", '{"id": 1}', json.dumps(late))
        assert await ask(reader, "contract", symbol="SPX")
        assert not connection.exists("late")


async def test_nobody_there_is_a_matter_of_time(reader: LiveReader) -> None:
    with pytest.raises(Retryable, match="did not answer"):
        await asyncio.to_thread(reader.ask, "contract", {"symbol": "SPX"}, 0.1)
