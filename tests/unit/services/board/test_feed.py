"""What is shown is fresh while somebody looks, old and honest while PostgreSQL is away, and never waited for long."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from tests.support import record
from tests.support.people import HOST_NOW, chain, clock
from tests.support.waiting import PATIENCE_S

from htbot.domain.errors import Retryable
from htbot.domain.scheduler import SchedulerSetting
from htbot.persistence.queries.closes import LastClose
from htbot.persistence.queries.selection import Selection
from htbot.persistence.queries.shapes import DayPnl, HaltView, PositionView, TaskView
from htbot.services.board.board import Board, Topic
from htbot.services.board.feed import Feed, Pace
from htbot.services.board.readings import LiveReading, RecordReading
from htbot.services.desk_view import DeskView
from htbot.services.status_view import StoredStatus

QUICK = Pace(gap_s=0.001, share=0.0, patience_s=20.0)
HELD = PositionView(record.ACCOUNT, 110, "SPX", record.DAY, None, "P", -1, Decimal("5.80"), 100, "t1")


@dataclass
class Told:
    """Desk and record as a test wants them; counts how often the record is read."""

    halts: list[HaltView] = field(default_factory=list)
    away: bool = False
    broken: Exception | None = None
    unheard: Exception | None = None
    read: int = 0
    wanted: frozenset[Topic] = frozenset()
    gate: threading.Event = field(default_factory=threading.Event)
    mode: str = "paper"

    def __post_init__(self) -> None:
        self.gate.set()

    def host_now(self) -> datetime:
        return HOST_NOW

    def with_file(self, halts: list[HaltView]) -> list[HaltView]:
        return halts

    def live(self) -> LiveReading:
        if self.unheard is not None:
            raise self.unheard
        said = clock()
        return LiveReading(DeskView("running", "connected", said, said.market_time, 1.0), True, {"SPX": chain()})

    def record(self, live: LiveReading, wanted: frozenset[Topic], last: RecordReading | None) -> RecordReading:
        del live, last
        self.gate.wait()
        self.read += 1
        self.wanted = wanted
        if self.away:
            raise Retryable("PostgreSQL did not answer")
        if self.broken is not None:
            raise self.broken
        task = TaskView("read_market", record.NOON, 0.0, "DONE", "", HOST_NOW - timedelta(seconds=7))
        stored = StoredStatus(
            accounts=(record.ACCOUNT,),
            halts=list(self.halts),
            open_trades=[],
            strategies=[],
            tasks=[task],
            recent=[],
            read_at=HOST_NOW,
            degraded=[],
            scheduler=SchedulerSetting(),
            instances=[],
        )
        rows = {topic: {"a": self.read} for topic in wanted if topic is Topic.ORDERS}
        closes = {"SPX": LastClose(record.DAY, 4000.0)}
        return RecordReading(
            version="1",
            wanted=wanted,
            traded=Selection(record.ACCOUNT),
            told_at=HOST_NOW,
            read_at=HOST_NOW,
            status=stored,
            positions=[HELD],
            closed={record.ACCOUNT: DayPnl(record.DAY, 0, Decimal(0), Decimal(0), Decimal(0))},
            carried={record.ACCOUNT: Decimal(0)},
            closes=closes,
            rows=rows,
        )

    def halt(self) -> None:
        self.halts.append(HaltView("halt", "cli", "news", None, "cli:me"))


def halted(feed: Feed) -> bool:
    return json.loads(feed.status().body)["halt"] is not None


@pytest.fixture
def told() -> Told:
    return Told()


async def test_without_a_background_each_question_reads(told: Told) -> None:
    feed = Feed(told, Board())
    await feed.ready()
    assert not halted(feed)
    told.halt()
    await feed.ready()
    assert (halted(feed), told.read) == (True, 2)


async def test_what_was_read_is_told_with_its_age_while_the_record_is_away(told: Told) -> None:
    feed = Feed(told, Board())
    told.away = True
    with pytest.raises(Retryable, match="PostgreSQL did not answer"):
        await feed.ready()
    told.away = False
    await feed.ready()
    told.away = True
    told.halt()
    await feed.ready()
    status, positions = feed.status(), feed.positions()
    assert json.loads(status.body)["as_of"] == status.as_of.decode() == "2026-01-05T12:00:00Z"
    assert json.loads(status.body)["age_s"] == pytest.approx(status.age_s, abs=0.06)
    assert not halted(feed)
    assert json.loads(positions.body)[0]["con_id"] == 110
    older = feed.status().age_s
    assert older >= status.age_s > 0


async def test_the_status_is_that_of_rest_with_ages_of_now(told: Told) -> None:
    feed = Feed(told, Board())
    await feed.ready()
    shown = json.loads(feed.status().body)
    assert shown["tasks"][0]["age_s"] == 7.0
    assert (shown["connection"], shown["market_time"]) == ("connected", "2022-08-26T16:00:00Z")
    assert json.loads(feed.positions().body)[0]["mark"] is not None


async def background(told: Told, pace: Pace, act: Callable[[Feed], object]) -> None:
    feed = Feed(told, Board(), pace)
    feed.start()
    try:
        await act(feed)
    finally:
        told.gate.set()
        feed.stop()


async def test_a_change_of_this_process_is_shown_by_the_next_answer(told: Told) -> None:
    async def act(feed: Feed) -> None:
        await feed.ready()
        for number in range(3):
            told.halts.clear()
            feed.changed()
            await feed.ready()
            assert not halted(feed), number
            told.halt()
            feed.changed()
            await feed.ready()
            assert halted(feed), number

    await background(told, replace(QUICK, gap_s=20.0), act)


async def test_asking_reads_nothing_while_the_picture_is_fresh(told: Told) -> None:
    async def act(feed: Feed) -> None:
        await feed.ready()
        for _ in range(1000):
            await feed.ready()
        assert told.read == 1

    await background(told, replace(QUICK, gap_s=20.0), act)


async def test_a_record_that_hangs_is_not_waited_for(told: Told) -> None:
    async def act(feed: Feed) -> None:
        await feed.ready()
        told.gate.clear()
        feed.changed()
        for _ in range(3):
            await feed.ready()
        assert not halted(feed)
        told.halt()
        told.gate.set()
        feed.changed()
        while not halted(feed):
            await feed.ready()

    await background(told, replace(QUICK, patience_s=0.05), act)


async def test_nobody_looks_and_nothing_is_read(told: Told) -> None:
    async def act(feed: Feed) -> None:
        await feed.ready()
        first = told.read
        told.halt()
        await feed.ready()  # it rests: whoever comes waits for a new reading
        assert halted(feed)
        assert told.read == first + 1

    await background(told, replace(QUICK, rests_after_s=0.0), act)


async def test_following_reads_what_is_followed_and_no_more(told: Told) -> None:
    async def act(feed: Feed) -> None:
        await feed.ready()
        assert told.wanted == frozenset()
        subscription = feed.board.subscribe([Topic.ORDERS, Topic.HEALTH, Topic.PRICES])
        first = {}
        while len(first) < 3:
            update = await subscription.next()
            first.setdefault(update.topic, update)
        assert told.wanted == {Topic.ORDERS, Topic.HEALTH, Topic.PRICES}
        assert all(update.snapshot for update in first.values())
        assert first[Topic.ORDERS].delta.set.keys() == {"a"}
        spx = first[Topic.PRICES].delta.set["SPX"]
        assert (spx["price"], spx["last_close"], spx["change"], spx["change_pct"]) == (4152.0, 4000.0, 152.0, 3.8)
        assert first[Topic.PRICES].delta.set["SPX 2022-08-26 P"]["con_id"] == 110
        told.away = True
        while (update := await subscription.next()).topic is not Topic.HEALTH:
            pass
        assert update.delta.set == {"database": "away", "record_read_at": "2026-01-05T12:00:00Z", "ready": False}

    await background(told, QUICK, act)


async def test_whatever_a_reading_raises_the_next_one_comes(told: Told, caplog: pytest.LogCaptureFixture) -> None:
    async def act(feed: Feed) -> None:
        await feed.ready()
        health = feed.board.subscribe([Topic.HEALTH])
        assert (await health.next()).delta.set["database"] == "ok"
        told.broken = KeyError("a row that nobody expected")
        assert (await health.next()).delta.set["database"] == "away"
        told.broken = None
        assert (await health.next()).delta.set["database"] == "ok"
        told.unheard = IndexError("half a message")
        assert (await health.next()).delta.set["desk"] == "unknown"
        told.unheard = None
        assert (await health.next()).delta.set["desk"] == "running"

    async with asyncio.timeout(PATIENCE_S):
        await background(told, QUICK, act)
    unread = [line for line in caplog.records if line.exc_info]
    assert ["KeyError" in line.getMessage() for line in unread] == [True, False]


async def test_nothing_piles_up_in_a_loop_that_is_busy(told: Told) -> None:
    async def act(feed: Feed) -> None:
        await feed.ready()
        read = told.read
        time.sleep(0.05)  # noqa: ASYNC251 - the loop is held up while the threads could read fifty times
        assert told.read <= read + 1

    await background(told, QUICK, act)


async def test_a_reading_that_hung_long_is_not_followed_by_a_longer_silence() -> None:
    told = Told()
    feed = Feed(told, Board(), Pace(gap_s=0.001, share=1e9, longest_s=0.001))
    feed.start()
    try:
        async with asyncio.timeout(PATIENCE_S):
            while told.read < 5:  # noqa: ASYNC110 - a count, told by no event
                await asyncio.sleep(0.005)
    finally:
        feed.stop()
