from __future__ import annotations

import asyncio
import os
import threading
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
