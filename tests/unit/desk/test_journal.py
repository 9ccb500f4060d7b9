from __future__ import annotations

import asyncio
import itertools
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from htbot.desk.journal import CLOSE, Journal, JournalStuck


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = Journal(tmp_path / "journal.jsonl")
    made.open()
    yield made
    made.close()


async def test_a_promise_is_on_the_disk_when_it_is_given(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forced: list[int] = []
    monkeypatch.setattr(os, "fdatasync", lambda _descriptor: forced.append((tmp_path / "journal.jsonl").stat().st_size))
    number = await journal.promise(CLOSE, {"ref": "x"})
    assert forced == [(tmp_path / "journal.jsonl").stat().st_size]
    assert [(entry.number, entry.kind, entry.body) for entry in Journal(tmp_path / "journal.jsonl").open()] == [
        (number, CLOSE, {"ref": "x"})
    ]


async def test_a_slow_disk_holds_up_its_promises_and_nothing_else(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = threading.Event()
    monkeypatch.setattr(os, "fdatasync", lambda _descriptor: disk.wait())
    promises = [asyncio.ensure_future(journal.promise(CLOSE, {"ref": ref})) for ref in "xyz"]
    for _turn in range(20):
        await asyncio.sleep(0)
    assert not any(promise.done() for promise in promises), "nothing is promised before it is on the disk"
    disk.set()
    assert await asyncio.gather(*promises) == [1, 2, 3]
    assert await journal.promise(CLOSE, {"ref": "w"}) == 4


def writers(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """For each entry that is forced to the disk from here on: whether the event loop's thread does it."""
    by_loop: list[bool] = []
    loop = threading.get_ident()
    monkeypatch.setattr(os, "fdatasync", lambda _descriptor: by_loop.append(threading.get_ident() == loop))
    return by_loop


def clock(monkeypatch: pytest.MonkeyPatch, *, write_s: float) -> None:
    """Each look at the clock is so much later than the one before, and a write begins and ends with one."""
    seconds = itertools.count(1000.0, write_s)
    monkeypatch.setattr(time, "monotonic", lambda: next(seconds))


async def test_the_event_loop_writes_itself_once_the_disk_was_quick_and_not_after_it_was_slow(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_loop = writers(monkeypatch)
    for write_s in (0.001, 0.001, 0.1, 0.1, 0.001, 0.001):
        with monkeypatch.context() as patch:
            clock(patch, write_s=write_s)
            promise = journal.begin(CLOSE, {"ref": "x"})
            await asyncio.wrap_future(promise.writing)
        assert await journal.kept(promise)
        await asyncio.sleep(0)  # the next turn of the loop
    assert by_loop == [False, True, True, False, False, True]


async def test_after_a_refusal_the_disk_has_to_prove_itself_again(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_loop = writers(monkeypatch)
    await journal.promise(CLOSE, {"ref": "quick"})
    await asyncio.sleep(0)

    def refuse(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", refuse)
        with pytest.raises(JournalStuck):
            await journal.promise(CLOSE, {"ref": "refused"})
    await asyncio.sleep(0)
    assert await journal.promise(CLOSE, {"ref": "again"}) == 3
    assert by_loop == [False, False]


@pytest.mark.parametrize("errors", [[OSError(28, "No space left on device")], [TimeoutError(110, "timed out")]])
async def test_a_disk_that_refuses_has_promised_nothing(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, errors: list[OSError]
) -> None:
    def refuse(_descriptor: int) -> None:
        if errors:
            raise errors.pop()

    monkeypatch.setattr(os, "fdatasync", refuse)
    with pytest.raises(JournalStuck):
        await journal.promise(CLOSE, {"ref": "x"})
    assert await journal.promise(CLOSE, {"ref": "y"}) == 2, "it goes on when the disk does"
