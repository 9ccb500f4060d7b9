"""A strategy's state folded up to a bar, kept between cycles so that each adds only what is new (RULINGS 20)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any

from htbot.domain.bars import Bar
from htbot.domain.errors import CallerMistake
from htbot.strategies.base import Strategy

ENDS = attrgetter("end")
"""The order that bars are in: of one length, they end in the order in which they start."""


@dataclass(frozen=True, slots=True)
class Memory:
    """`state` has seen every bar that ended at or before `through`; None = it has seen none.

    Valid for one strategy configuration and one series of bars: keep it under (`config_hash`, world, symbol, minutes).
    """

    state: Any
    through: datetime | None = None

    def serves(self, instant: datetime) -> bool:
        """True while the state has seen nothing younger than `instant`."""
        return self.through is None or self.through <= instant


def blank(strategy: Strategy[Any]) -> Memory:
    """The memory before the first bar."""
    return Memory(strategy.begin())


def advance(strategy: Strategy[Any], memory: Memory, bars: Sequence[Bar], until: datetime) -> Memory:
    """Fold the bars, oldest first, that ended after the memory and at or before `until`.

    Raises:
        CallerMistake: the memory is younger than `until`; the state cannot be folded back.
    """
    if not memory.serves(until):
        raise CallerMistake(f"memory through {memory.through} is younger than {until}: give the history without it")
    state, through = memory.state, memory.through
    first = 0 if through is None else bisect_right(bars, through, key=ENDS)
    for bar in bars[first : bisect_right(bars, until, key=ENDS)]:
        state, through = strategy.fold(state, bar), bar.end
    return Memory(state, through)
