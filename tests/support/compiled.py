"""Runs an object of the dialect over bars in both ways: as plain Python, and compiled."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from htbot.backtest.compiler.layout import pack, record_type, unpack
from htbot.backtest.compiler.program import load, source_of
from htbot.backtest.tape import BAR_RECORD
from htbot.domain.bars import TapeBar
from htbot.domain.numeric import Numeric

TOLD = 1


def bars_of(rows: Sequence[TapeBar]) -> np.ndarray:
    """The bars as records."""
    return np.array([tuple(row) for row in rows], BAR_RECORD)


def run_plain(holder: Any, bars: np.ndarray) -> np.ndarray:
    """What `holder.deal` says after each step that returns TOLD; the holder keeps its last state."""
    kind = record_type(type(holder.deal), {})
    told = [
        tuple(getattr(holder.deal, name) for name in kind.names or ())
        for row in bars.tolist()
        if holder.step(TapeBar._make(row)) == TOLD
    ]
    return np.array(told, kind)


def run_compiled(holder: Any, bars: np.ndarray, folder: Path) -> np.ndarray:
    """The same, compiled."""
    run = load(source_of(type(holder), "step", {}, TOLD), folder)
    state = np.zeros(1, record_type(type(holder), {}))
    numbers: list[float] = []
    pack(holder, state[0], numbers, {})
    arena = np.array(numbers, np.float64)
    told = np.zeros(len(bars), record_type(type(holder.deal), {}))
    _, count = run(state, arena, bars, 0, told)
    unpack(state[0], holder, arena, {})
    return told[:count]


def bits(column: np.ndarray) -> bytes:
    """The bits of a column of numbers; every NaN counts as the same one."""
    same = column.copy()
    same[np.isnan(same)] = np.nan
    return same.tobytes()


def state_of(thing: Numeric) -> dict[str, Any]:
    """Every number that an object holds, as text: equal texts are equal bits."""
    found: dict[str, Any] = {}
    for name, value in vars(thing).items():
        if isinstance(value, Numeric):
            found[name] = state_of(value)
        else:
            found[name] = repr(value)
    return found
