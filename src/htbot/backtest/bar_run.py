"""A backtest of a strategy on one plain instrument, compiled where its source allows it, else in the event loop.

Both run `engine.bar_loop` over the same tape and write down the same deals; which one ran, and why, is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from operator import attrgetter
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt

from htbot.backtest.compiler.layout import Kinds, pack, record_type, unpack
from htbot.backtest.compiler.program import load, source_of
from htbot.backtest.compiler.rewrite import NotCompilable
from htbot.backtest.tape import Tape
from htbot.domain.bars import TapeBar
from htbot.domain.errors import StopTrading
from htbot.engine.bar_account import BarAccount
from htbot.engine.bar_loop import BarLoop
from htbot.engine.bar_parts import Deal, Happened

Way = Literal["auto", "compiled", "events"]
Progress = Callable[[float], None]

DEAL_RECORD = record_type(Deal, {})
_DEALS_A_TURN = 4096
_ROWS_A_TURN = 65_536
_CLOSED = int(Happened.CLOSED)


@dataclass(frozen=True, slots=True)
class BarRun:
    """The deals of a run, in order of their exit, and how it ran; the loop holds the state it ended in."""

    deals: npt.NDArray[Any]
    loop: BarLoop
    compiled: bool
    why_not: str = ""


def run_bars(loop: BarLoop, tape: Tape, folder: Path, way: Way = "auto", progress: Progress = lambda _: None) -> BarRun:
    """Run a loop over a tape from its first bar to its last. `folder` keeps what has been compiled.

    Raises:
        NotCompilable: `way` is compiled and the strategy's source leaves the dialect.
    """
    why_not = "asked for"
    if way != "events":
        try:
            return _whole(BarRun(_compiled(loop, tape, folder, progress), loop, compiled=True))
        except NotCompilable as reason:
            if way == "compiled":
                raise
            why_not = str(reason)
    return _whole(BarRun(_events(loop, tape, progress), loop, compiled=False, why_not=why_not))


def _events(loop: BarLoop, tape: Tape, progress: Progress) -> npt.NDArray[Any]:
    step, told = loop.step, loop.deal
    row_of = attrgetter(*(DEAL_RECORD.names or ()))
    deals: list[tuple[Any, ...]] = []
    for rows, done in _slices(tape):
        for bar in _bars(rows):
            if step(bar) == _CLOSED:
                deals.append(row_of(told))
                while loop.begun:  # that was at the bar's open
                    if step(bar) == _CLOSED:
                        deals.append(row_of(told))
        progress(done)
    return np.array(deals, DEAL_RECORD)


def each_bar(tape: Tape) -> Iterator[TapeBar]:
    """The bars of a tape as the loop takes them."""
    for rows, _ in _slices(tape):
        yield from _bars(rows)


def _bars(rows: npt.NDArray[Any]) -> Iterator[TapeBar]:
    columns = [rows[name].tolist() for name in TapeBar._fields]
    return map(partial(tuple.__new__, TapeBar), zip(*columns, strict=True))


def _slices(tape: Tape) -> Iterator[tuple[npt.NDArray[Any], float]]:
    """Some thousand rows at a time: numbers as Python objects take ten times the room."""
    for start in range(0, len(tape), _ROWS_A_TURN):
        rows = tape.bars[start : start + _ROWS_A_TURN]
        yield rows, (start + len(rows)) / len(tape)


def _whole(run: BarRun) -> BarRun:
    require_whole_books([run], run.loop.account)
    return run


def require_whole_books(runs: Sequence[BarRun], account: BarAccount) -> None:
    """The deals add up to what the account says; anything else is a defect and no result.

    Raises:
        StopTrading: they do not.
    """
    booked_u = 0
    for run in runs:
        open_fees_u = run.loop.entry_fees_u if run.loop.holding.side else 0
        booked_u += int(run.deals["gross_u"].sum() - run.deals["fees_u"].sum()) - open_fees_u
    if booked_u != account.realised_u:
        raise StopTrading(f"deals add up to {booked_u} micro-dollars, the account says {account.realised_u}")


@cache
def _source(strategy: type[Any]) -> str:
    return source_of(BarLoop, "step", {(BarLoop, "strategy"): strategy}, _CLOSED)


def _compiled(loop: BarLoop, tape: Tape, folder: Path, progress: Progress) -> npt.NDArray[Any]:
    kinds: Kinds = {(BarLoop, "strategy"): type(loop.strategy)}
    run = load(_source(cast(Any, type(loop.strategy))), folder)
    state = np.zeros(1, record_type(BarLoop, kinds))
    numbers: list[float] = []
    pack(loop, state[0], numbers, kinds)
    arena = np.array(numbers, np.float64)
    parts: list[npt.NDArray[Any]] = []
    for rows, done in _slices(tape):
        row = 0
        while row < len(rows):
            deals = np.zeros(_DEALS_A_TURN, DEAL_RECORD)
            row, count = run(state, arena, rows, row, deals)
            parts.append(deals[:count])
        progress(done)
    unpack(state[0], loop, arena, kinds)
    return np.concatenate(parts) if parts else np.zeros(0, DEAL_RECORD)
