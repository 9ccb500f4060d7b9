"""What is written together, and what keeps its place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from sqlalchemy.orm import Session

from htbot.desk.ledger import Ledger
from htbot.domain.errors import StopTrading


class Record:
    """A database that notes what each call got; `refuses` breaks whatever contains it."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        self.commits = 0
        self.refuses: Any = None

    async def insist(self, work: Callable[[Any], Any]) -> Any:
        before = len(self.calls)
        try:
            result = work(None)
        except StopTrading:
            del self.calls[before:]
            raise
        self.commits += 1
        return result

    def _take(self, kind: str, items: Sequence[Any]) -> list[str]:
        if self.refuses in items:
            raise StopTrading(f"{self.refuses} breaks an invariant")
        self.calls.append((kind, tuple(items)))
        return [f"{kind} {item}" for item in items]

    def save(self, _session: Session, items: Sequence[Any]) -> list[str]:
        return self._take("save", items)

    def settle(self, _session: Session, items: Sequence[Any]) -> list[str]:
        return self._take("settle", items)

    def alone(self, item: Any) -> Callable[[Session], str]:
        return lambda _session: self._take("alone", [item])[0]


@pytest.fixture
def record() -> Record:
    return Record()


@pytest.fixture
def broken() -> list[StopTrading]:
    return []


@pytest.fixture
def ledger(record: Record, broken: list[StopTrading]) -> Ledger:
    return Ledger(record, broken.append)  # type: ignore[arg-type]


async def test_a_burst_is_written_by_one_call_of_each_kind_in_one_transaction(ledger: Ledger, record: Record) -> None:
    heard: list[str] = []
    for number in (1, 2, 3):
        ledger.post_together(record.settle, number, heard.append, late=True)
        ledger.post_together(record.save, number, heard.append)
    await ledger.settle()
    assert record.calls == [("save", (1, 2, 3)), ("settle", (1, 2, 3))], "what is late comes after the others"
    assert record.commits == 1
    assert heard == ["settle 1", "save 1", "settle 2", "save 2", "settle 3", "save 3"], "each gets its own result"


async def test_nothing_is_written_on_the_other_side_of_what_stands_alone(ledger: Ledger, record: Record) -> None:
    ledger.post_together(record.save, 1)
    ledger.post_together(record.settle, 1, late=True)
    ledger.post(record.alone("a close"))
    ledger.post_together(record.save, 2)
    ledger.post(record.alone("a fill"))
    ledger.post_together(record.settle, 2, late=True)
    await ledger.settle()
    assert record.calls == [
        ("save", (1,)),
        ("settle", (1,)),
        ("alone", ("a close",)),
        ("save", (2,)),
        ("alone", ("a fill",)),
        ("settle", (2,)),
    ]


async def test_the_newer_word_of_the_same_thing_takes_the_place_of_the_older(ledger: Ledger, record: Record) -> None:
    ledger.post_together(record.save, "working", key="order")
    ledger.post_together(record.save, "filled", key="order")
    await ledger.settle()
    assert record.calls == [("save", ("filled",))]


async def test_one_that_breaks_an_invariant_takes_no_other_with_it(
    ledger: Ledger, record: Record, broken: list[StopTrading]
) -> None:
    record.refuses = 2
    for number in (1, 2, 3):
        ledger.post_together(record.save, number)
    await ledger.settle()
    assert record.calls == [("save", (1,)), ("save", (3,))]
    assert [str(error) for error in broken] == ["2 breaks an invariant"]
    assert ledger.behind == 0
