from __future__ import annotations

import re
from pathlib import Path

import pytest

from htbot.domain.orders import IntentState
from htbot.execution.diagram import DIAGRAMS, main, redrawn, state_diagram
from htbot.execution.states import INTENT_MOVES, INTENT_OVER, ORDER_MOVES, ORDER_OVER, IntentEvent

ARROW = re.compile(r"^    ([A-Z_]+) --> ([A-Z_]+): (.+)$", re.MULTILINE)
PAGE = "# Title\n\n<!-- states: order -->\n\n```mermaid\nold\n```\n\nText.\n\n```mermaid\nanother\n```\n"


@pytest.mark.parametrize(
    ("name", "moves", "over"), [("intent", INTENT_MOVES, INTENT_OVER), ("order", ORDER_MOVES, ORDER_OVER)]
)
def test_every_move_is_drawn_and_nothing_else(name: str, moves: dict, over: frozenset) -> None:
    text = DIAGRAMS[name]()
    drawn = {
        (before, after, event.replace(" ", "_"))
        for before, after, events in ARROW.findall(text)
        for event in events.split(", ")
    }
    assert drawn == {
        (before.value, after.value, event.value)
        for before, row in moves.items()
        for event, after in row.items()
        if after is not before
    }
    assert set(re.findall(r"([A-Z_]+) --> \[\*\]", text)) == {state.value for state in over}


def test_a_table_that_changes_changes_the_picture() -> None:
    changed = {**INTENT_MOVES, IntentState.UNKNOWN: {IntentEvent.FILL: IntentState.FILLED}}
    assert state_diagram(changed, IntentState.PENDING, INTENT_OVER) != DIAGRAMS["intent"]()


def test_only_marked_blocks_are_redrawn(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE, encoding="utf-8")
    assert main([str(page)]) == 0
    assert page.read_text(encoding="utf-8") == PAGE.replace("old\n", DIAGRAMS["order"]()) == redrawn(PAGE)
    assert main([]) == 1


def test_a_machine_that_there_is_not_is_named() -> None:
    with pytest.raises(KeyError, match="clock"):
        redrawn(PAGE.replace("order", "clock"))
