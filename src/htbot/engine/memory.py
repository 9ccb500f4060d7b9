"""A strategy's state folded up to a bar, kept between cycles so that each adds only what is new (RULINGS 20)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from htbot.domain.bars import Bar
from htbot.domain.errors import CallerMistake
from htbot.strategies.base import Strategy


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


def advance(strategy: Strategy[Any], memory: Memory, bars: Iterable[Bar], until: datetime) -> Memory:
    """Fold the bars, oldest first, that ended after the memory and at or before `until`.

    Raises:
        CallerMistake: the memory is younger than `until`; the state cannot be folded back.
    """
    if not memory.serves(until):
        raise CallerMistake(f"memory through {memory.through} is younger than {until}: give the history without it")
    state, through = memory.state, memory.through
    for bar in bars:
        if bar.end <= until and (through is None or bar.end > through):
            state, through = strategy.fold(state, bar), bar.end
    return Memory(state, through)
