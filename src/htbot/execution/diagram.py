"""`python -m htbot.execution.diagram PAGE` redraws the state diagrams of a page from the tables of moves.

A diagram is the mermaid block under `<!-- states: intent -->` or `<!-- states: order -->`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from htbot.domain.orders import IntentState, OrderState
from htbot.execution.states import INTENT_MOVES, INTENT_OVER, ORDER_MOVES, ORDER_OVER, IntentEvent, OrderEvent

State = TypeVar("State", IntentState, OrderState)
Event = TypeVar("Event", IntentEvent, OrderEvent)
_BLOCK = re.compile(r"(<!-- states: (\w+) -->\n\n```mermaid\n).*?(```)", re.DOTALL)


def state_diagram(moves: Mapping[State, Mapping[Event, State]], first: State, over: frozenset[State]) -> str:
    """A mermaid state diagram of every move that changes the state; events between the same two states share a line."""
    lines = ["stateDiagram-v2", f"    [*] --> {first.value}"]
    for before, row in moves.items():
        events: dict[State, list[str]] = {}
        for event, after in row.items():
            if after is not before:
                events.setdefault(after, []).append(event.value.replace("_", " "))
        lines += [f"    {before.value} --> {after.value}: {', '.join(names)}" for after, names in events.items()]
    lines += [f"    {state.value} --> [*]" for state in moves if state in over]
    return "\n".join(lines) + "\n"


DIAGRAMS: dict[str, Callable[[], str]] = {
    "intent": lambda: state_diagram(INTENT_MOVES, IntentState.PENDING, INTENT_OVER),
    "order": lambda: state_diagram(ORDER_MOVES, OrderState.SENDING, ORDER_OVER),
}


def redrawn(page: str) -> str:
    """A page of Markdown with its state diagrams drawn anew.

    Raises:
        KeyError: a block names a machine that there is not.
    """
    return _BLOCK.sub(lambda block: f"{block[1]}{DIAGRAMS[block[2]]()}{block[3]}", page)


def main(arguments: list[str]) -> int:
    """Redraw each page that is named."""
    for name in arguments:
        page = Path(name)
        page.write_text(redrawn(page.read_text(encoding="utf-8")), encoding="utf-8")
    return 0 if arguments else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
