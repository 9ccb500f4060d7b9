from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest
from tests.docs.pages import DOCS, rows
from tests.proofs.model.runs import RUNS, SOUND, WEAKENED
from tests.proofs.model.search import Search

from htbot.domain.orders import IntentState
from htbot.execution.states import INTENT_MOVES, ORDER_MOVES, IntentEvent

PAGE = DOCS / "concepts/proofs.md"
SINGLE_SENDER = (3, 4, 21, 22, 24, 29, 38)


def faults(*numbers: int) -> list[pytest.MarkDecorator]:
    return [pytest.mark.fault(number) for number in numbers]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("entry", marks=faults(*SINGLE_SENDER)),
        pytest.param("close", marks=faults(*SINGLE_SENDER)),
        pytest.param("closes", marks=faults(*SINGLE_SENDER)),
        pytest.param("both", marks=faults(29, 38)),
        pytest.param("journal", marks=[*faults(14), pytest.mark.ruling(1)]),
        pytest.param("journal-entry", marks=faults(14)),
    ],
)
def test_every_reachable_state_is_sound(name: str) -> None:
    verdict = Search(SOUND, RUNS[name]).run()
    print(name, verdict.told())
    assert verdict.safe, verdict.told()
    assert [int(cells[-1].replace(",", "")) for cells in rows(PAGE) if cells[0] == f"`{name}`"] == [verdict.states]


@pytest.mark.parametrize("name", WEAKENED)
def test_a_protocol_without_one_of_its_rules_is_seen_through(name: str) -> None:
    weak = WEAKENED[name]
    verdict = Search(weak.rules, weak.bounds).run()
    print(weak.why, verdict.told())
    assert verdict.violation
    assert verdict.trace


def test_the_page_names_every_rule_that_can_be_taken_away() -> None:
    documented = {cells[0].strip("`") for cells in rows(PAGE)} - set(RUNS) - {"table-..."}
    assert documented == {name for name in WEAKENED if not name.startswith("table-")}


def test_every_run_is_searched() -> None:
    marks = test_every_reachable_state_is_sound.pytestmark  # type: ignore[attr-defined]
    assert {case.values[0] for case in marks[0].args[1]} == set(RUNS)


class Recorded(Mapping[IntentState, Mapping[IntentEvent, IntentState]]):
    """The real table, with the moves that were made."""

    def __init__(self) -> None:
        self.made: set[tuple[IntentState, IntentEvent]] = set()

    def __getitem__(self, state: IntentState) -> Mapping[IntentEvent, IntentState]:
        recorded = self

        class Row(dict[IntentEvent, IntentState]):
            def get(self, event: IntentEvent, default: IntentState | None = None) -> IntentState | None:
                recorded.made.add((state, event))
                return super().get(event, default)

        return Row(INTENT_MOVES[state])

    def __iter__(self) -> Iterator[IntentState]:
        return iter(INTENT_MOVES)

    def __len__(self) -> int:
        return len(INTENT_MOVES)


def test_the_model_is_about_the_real_tables_and_makes_use_of_them() -> None:
    assert SOUND.intent_moves is INTENT_MOVES
    assert SOUND.order_moves is ORDER_MOVES
    table = Recorded()
    for name in ("entry", "close"):
        assert Search(replace(SOUND, intent_moves=table), replace(RUNS[name], faults=1)).run().safe
    assert {event for _, event in table.made} == set(IntentEvent)
    left = {state for state, _ in table.made}
    # nothing happens to what was never sent, and a fill is the last that is heard of an order
    assert left == set(IntentState) - {IntentState.WITHDRAWN, IntentState.FILLED}
