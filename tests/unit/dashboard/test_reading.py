from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from functools import partial

import pytest
from sqlalchemy.exc import ProgrammingError
from tests.support.waiting import PATIENCE_S

from htbot.dashboard.reading import Partly, Reader, Source
from htbot.domain.errors import NotFound, Retryable


class Sources:
    """Counts how often each is read; `trouble` is raised by all."""

    def __init__(self) -> None:
        self.reads = {"a": 0, "b": 0}
        self.paces = {"a": 0.0, "b": 0.0}
        self.trouble: Exception | None = None
        self.version: object = None

    def read(self, name: str) -> int:
        self.reads[name] += 1
        if self.trouble is not None:
            raise self.trouble
        return self.reads[name]

    def reader(self, every_s: float = 0.001) -> Reader:
        async def version() -> object:
            return self.version

        return Reader(
            {name: Source(partial(self.read, name), self.paces[name]) for name in self.reads}, version, every_s
        )


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - what is waited for is told by no event
        await asyncio.sleep(0.001)


async def until_read(sources: Sources, name: str, times: int) -> None:
    await until(lambda: sources.reads[name] >= times)


async def test_only_what_is_watched_is_read_once_for_all_who_watch() -> None:
    sources = Sources()
    reader = sources.reader(every_s=60)
    ends = [reader.watch(["a"]) for _ in range(20)]
    await until_read(sources, "a", 1)
    await asyncio.sleep(0.01)
    assert sources.reads == {"a": 1, "b": 0}
    reader.refresh()
    await until_read(sources, "a", 2)
    for end in ends:
        end()


async def test_nobody_watching_nothing_is_read() -> None:
    sources = Sources()
    reader = sources.reader()
    end = reader.watch(["a"])
    await until_read(sources, "a", 2)
    end()
    end()
    await until(lambda: not reader.is_reading)
    before = sources.reads["a"]
    await asyncio.sleep(0.01)
    assert sources.reads["a"] == before
    other = reader.watch(["b"])
    await until_read(sources, "b", 1)
    other()


async def test_a_topic_is_read_at_its_pace_and_after_an_act_at_once() -> None:
    sources = Sources()
    sources.paces["b"] = 3600.0
    reader = sources.reader()
    end = reader.watch(["a", "b"])
    await until_read(sources, "a", 5)
    assert sources.reads["b"] == 1
    reader.refresh()
    await until_read(sources, "b", 2)
    end()


async def test_while_nothing_was_committed_nothing_of_the_record_is_read_again() -> None:
    sources = Sources()
    sources.version = "10:10:"
    reader = sources.reader()
    end = reader.watch(["a"])
    await until_read(sources, "a", 1)
    await asyncio.sleep(0.02)
    assert sources.reads["a"] == 1
    sources.version = "11:11:"
    await until_read(sources, "a", 2)
    sources.version = None
    await until_read(sources, "a", 5)
    end()


async def test_what_is_at_hand_is_told_while_a_reading_hangs() -> None:
    async def version() -> object:
        return None

    hangs, turns = threading.Event(), iter(range(1000))
    sources = {"memory": Source(lambda: next(turns), at_hand=True), "record": Source(hangs.wait)}
    reader = Reader(sources, version, 0.001)
    end = reader.watch(sources)
    await until(lambda: (reader["memory"].value or 0) > 3)
    assert reader["record"].read_at_s is None
    hangs.set()
    await until(lambda: reader["record"].value is True)
    end()
    await until(lambda: not reader.is_reading)


async def test_a_value_that_is_partly_old_is_shown_and_says_so() -> None:
    async def version() -> object:
        return None

    reader = Reader({"status": Source(lambda: Partly(7, "PostgreSQL does not answer"))}, version)
    await reader.first(["status"])
    assert (reader["status"].value, reader["status"].trouble) == (7, "PostgreSQL does not answer")


async def test_what_cannot_be_read_keeps_its_value_and_says_why() -> None:
    sources = Sources()
    reader = sources.reader()
    await reader.first(["a"])
    sources.trouble = Retryable("PostgreSQL did not answer")
    end = reader.watch(["a", "b"])
    await until(lambda: reader["a"].trouble is not None and reader["b"].trouble is not None)
    assert (reader["a"].value, reader["a"].trouble) == (1, "PostgreSQL did not answer")
    assert (reader["b"].value, reader["b"].age_s(5.0)) == (None, None)
    sources.trouble = ProgrammingError("SELECT secret", {}, Exception("no such column"))
    await until(lambda: "api.log" in (reader["a"].trouble or ""))
    assert "secret" not in (reader["a"].trouble or "")
    sources.trouble = None
    await until(lambda: reader["a"].trouble is None)
    end()


async def test_what_is_not_there_is_unknown_and_no_trouble() -> None:
    sources = Sources()
    sources.trouble = NotFound("no account yet")
    reader = sources.reader()
    await reader.first(["a"])
    assert (reader["a"].value, reader["a"].trouble) == (None, None)
    assert reader["a"].read_at_s is not None


async def test_a_topic_that_fails_takes_no_other_along_and_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    async def version() -> object:
        return None

    def broken() -> object:
        raise KeyError("order")

    turns = iter(range(1000))
    reader = Reader({"backtests": Source(broken), "fills": Source(lambda: next(turns), 0)}, version, 0.001)
    end = reader.watch(["backtests", "fills"])
    async with asyncio.timeout(PATIENCE_S):
        await until(lambda: (reader["fills"].value or 0) > 2)
    end()
    await until(lambda: not reader.is_reading)
    assert "api.log" in (reader["backtests"].trouble or "")
    assert len([line for line in caplog.records if "backtests" in line.getMessage()]) == 1
