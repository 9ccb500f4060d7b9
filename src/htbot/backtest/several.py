"""Several strategies, several symbols, one account: their loops side by side, each event at its own time.

A seat is one strategy on one symbol; it holds a position of its own. What they share is the account: its money, its
day's loss and drawdown, the entries of the day, the number and the value of positions. Bars of all lengths run in the
order of their closes, seats of one instant in the order in which they were given, so that a run is the same each time.
"""

from __future__ import annotations

import hashlib
import heapq
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any

import numpy as np

from htbot.backtest.bar_run import DEAL_RECORD, BarRun, Progress, each_bar, require_whole_books
from htbot.backtest.bar_trades import curve_of, trades_of
from htbot.backtest.bars import assumptions, fitted, refusals, set_up
from htbot.backtest.request import BacktestRequest
from htbot.backtest.result import BacktestResult, EquityCurve, ResultTrade
from htbot.backtest.tape import Tape
from htbot.domain.bars import TapeBar
from htbot.domain.errors import ConfigurationError
from htbot.domain.numeric import UNKNOWN
from htbot.engine.bar_loop import BarLoop, end_s
from htbot.engine.bar_parts import Fill, Happened
from htbot.strategies.bar_strategy import BarStrategy

WHY_EVENTS = "several share an account"
_CLOSES, _OPENS = 0, 1  # at one instant what closes is known before what opens
_EVENTS_A_TURN = 65_536
_Event = tuple[int, int, int, TapeBar]
_row_of = attrgetter(*(DEAL_RECORD.names or ()))


@dataclass(frozen=True, slots=True)
class Seat:
    """One strategy on the tape of one symbol. Each seat has an object of its own, also of the same strategy."""

    strategy: BarStrategy
    tape: Tape

    @property
    def name(self) -> str:
        """As its trades are called."""
        return f"{self.strategy.name}-{self.tape.symbol}"


def run_several(request: BacktestRequest, seats: Sequence[Seat], progress: Progress = lambda _: None) -> BacktestResult:
    """Run seats over their tapes, each of which begins at the first bar of its data.

    Raises:
        ConfigurationError: a limit of an unknown name or value, compiled code is asked for, or a symbol without a
            session between `start` and `end`.
    """
    began = time.perf_counter()
    if request.engine == "compiled":
        raise ConfigurationError("--engine compiled runs one strategy on one symbol: leave it out, or use events")
    placed = [_placed(request, seat) for seat in seats]
    account = placed[0][0].account
    for loop, _ in placed:
        loop.account = account
    runs = _play(request, placed, progress)
    require_whole_books(runs, account)
    trades = [
        trade
        for seat, run in zip(seats, runs, strict=True)
        for trade in trades_of(run, seat.strategy, seat.tape.symbol, request.account, seat.name)
    ]
    tapes = [tape for _, tape in placed]
    held = [run.loop.filled_s for run in runs if run.loop.holding.side]
    curves = [curve_of(run, tape, Decimal(0), run.loop.first_session) for run, tape in zip(runs, tapes, strict=True)]
    return BacktestResult(
        strategy=_joined(seat.strategy.name for seat in seats),
        config_hash=_hash_of(seats),
        config={
            f"{seat.strategy.name}.{name}": value
            for seat in seats
            for name, value in seat.strategy.config.as_fields().items()
        },
        symbol=_joined(tape.symbol for tape in tapes),
        data=request.data,
        bars=sum(map(len, tapes)),
        trades=tuple(sorted(trades, key=_exit_order)),
        curve=_together(curves, request.cash),
        cash=request.cash,
        assumptions=assumptions(request, [run.loop for run in runs], tapes) | _shared(seats),
        engine="events",
        why_not=WHY_EVENTS,
        wall_s=time.perf_counter() - began,
        refusals=refusals([run.loop for run in runs]),
        open_since=datetime.fromtimestamp(min(held), UTC) if held else None,
        closes=_closes(tapes, curves),
    )


def _placed(request: BacktestRequest, seat: Seat) -> tuple[BarLoop, Tape]:
    loop = set_up(request, seat.strategy)
    tape = fitted(seat.tape, seat.strategy).between(None, request.end)
    if not len(tape) or int(tape.bars["session"][-1]) < loop.first_session:
        raise ConfigurationError(
            f"the data have no session of {tape.symbol} from {request.start} to {request.end}: leave it out"
        )
    return loop, tape


# --- playing ----------------------------------------------------------------------------------------------------------


def _play(request: BacktestRequest, placed: Sequence[tuple[BarLoop, Tape]], progress: Progress) -> list[BarRun]:
    """All bars of all seats in the order of time; the deals of each."""
    deals: list[list[tuple[Any, ...]]] = [[] for _ in placed]
    fills_at_open = request.fill == Fill.NEXT_OPEN.name.lower()
    streams = [_events(number, tape, fills_at_open) for number, (_, tape) in enumerate(placed)]
    whole = sum(len(tape) for _, tape in placed) * (2 if fills_at_open else 1)
    for done, (_, kind, number, bar) in enumerate(heapq.merge(*streams), start=1):
        loop = placed[number][0]
        happened = loop.at_open(bar) if kind == _OPENS else loop.step(bar)
        if happened == Happened.CLOSED:
            deals[number].append(_row_of(loop.deal))
        if done % _EVENTS_A_TURN == 0 or done == whole:
            progress(done / whole)
    return [
        BarRun(np.array(own, DEAL_RECORD), loop, compiled=False, why_not=WHY_EVENTS)
        for own, (loop, _) in zip(deals, placed, strict=True)
    ]


def _events(number: int, tape: Tape, fills_at_open: bool) -> Iterator[_Event]:
    """When a bar of a seat opens, where orders fill then, and when it has closed."""
    for bar in each_bar(tape):
        if fills_at_open:
            yield bar.start_s, _OPENS, number, bar
        yield end_s(bar), _CLOSES, number, bar


# --- telling ----------------------------------------------------------------------------------------------------------


def _together(curves: Sequence[EquityCurve], cash: Decimal) -> EquityCurve:
    """One curve over the days of all: a seat without bars on a day is worth what it was the day before."""
    days = _days(curves)
    equity = [cash] * len(days)
    for curve in curves:
        own, part = dict(zip(curve.days, curve.equity, strict=True)), Decimal(0)
        for at, day in enumerate(days):
            part = own.get(day, part)
            equity[at] += part
    return EquityCurve(days, tuple(equity), ())


def _closes(tapes: Sequence[Tape], curves: Sequence[EquityCurve]) -> dict[str, tuple[float, ...]]:
    """The closes of each symbol on the days of all, unknown where it has none."""
    days = _days(curves)
    own = {
        tape.symbol: dict(zip(curve.days, curve.prices, strict=True)) for tape, curve in zip(tapes, curves, strict=True)
    }
    return {symbol: tuple(known.get(day, UNKNOWN) for day in days) for symbol, known in own.items()}


def _days(curves: Sequence[EquityCurve]) -> tuple[date, ...]:
    return tuple(sorted({day for curve in curves for day in curve.days}))


def _shared(seats: Sequence[Seat]) -> dict[str, str]:
    return {
        "one account": f"{len(seats)} seats ({_joined(seat.name for seat in seats)}), each with a position of its own;"
        " money, losses, entries of the day and the value of positions are counted together"
    }


def _exit_order(trade: ResultTrade) -> tuple[datetime, datetime, str]:
    return trade.closed_at, trade.opened_at, trade.id


def _joined(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names))


def _hash_of(seats: Sequence[Seat]) -> str:
    """Twelve digits of a hash over the configurations, each with its symbol."""
    told = "\n".join(sorted(f"{seat.name} {seat.strategy.config_hash}" for seat in seats))
    return hashlib.sha256(told.encode()).hexdigest()[:12]
