"""The looks of one instant: first the bar that has just closed, seen as when it began, then the open bar."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any

from htbot.domain.bars import Bar
from htbot.domain.errors import CallerMistake
from htbot.domain.sessions import Session
from htbot.domain.signals import Direction, SinglePlan
from htbot.engine.memory import ENDS, Memory, advance
from htbot.marketdata.clock_state import GRID_S
from htbot.marketdata.sessions import trading_window
from htbot.marketdata.snapshot import OpenBar, Snapshot
from htbot.strategies.base import Look, Measures, Standing, Strategy

GRID = timedelta(seconds=GRID_S)
_STARTS = attrgetter("start")


@dataclass(frozen=True, slots=True)
class Series:
    """Closed bars known at `as_of`, oldest first, and the bar that closed since the last grid instant, if any."""

    as_of: datetime
    bars: Sequence[Bar]
    closing: OpenBar | None
    open_bar: OpenBar | None

    def of(self, session: Session, until: datetime) -> tuple[Bar, ...]:
        """This session's bars that were complete at `until`."""
        first = bisect_left(self.bars, session.opens, key=_STARTS)
        last = min(bisect_left(self.bars, session.closes, key=_STARTS), bisect_right(self.bars, until, key=ENDS))
        return tuple(self.bars[first:last])


@dataclass(frozen=True, slots=True)
class Stage:
    """Who is asked, about what, and where the strategy stands; `offers` as in `Look`."""

    strategy: Strategy[Any]
    series: Series
    session: Session | None
    snapshot: Snapshot
    standing: Standing
    offers: Mapping[Direction, SinglePlan | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scene:
    """What a strategy is shown at one instant: looks in their order, each with its measures.

    `now` are the measures over all closed bars, `memory` is the state to keep for the next instant.
    """

    looks: tuple[tuple[Look, Measures], ...]
    now: Measures
    memory: Memory


def read_series(bars: Sequence[Bar], snapshot: Snapshot, strategy: Strategy[Any], as_of: datetime) -> Series:
    """Put the recorded bars and the snapshot's two bars together; whatever ends after `as_of` is not looked at.

    Raises:
        CallerMistake: bars of another symbol or length than the strategy's, or out of order.
    """
    _require_series(bars, strategy)
    known = list(bars[: bisect_right(bars, as_of, key=ENDS)])
    last, running = snapshot.last_closed, snapshot.open_bar
    closing = last if last is not None and as_of - GRID < last.bar.end <= as_of else None
    if closing is not None and (not known or known[-1].end < closing.bar.end):
        known.append(closing.bar)
    open_bar = running if running is not None and running.bar.start <= as_of < running.bar.end else None
    if closing is None and running is not None and running.bar.end == as_of:
        closing = running  # a live feed has not confirmed its end yet
    return Series(as_of, known, closing, open_bar)


def _require_series(bars: Sequence[Bar], strategy: Strategy[Any]) -> None:
    needs = strategy.needs
    before: datetime | None = None
    for bar in bars:
        if (bar.symbol, bar.minutes) != (needs.symbol, needs.bar_minutes):
            wanted = f"{needs.bar_minutes}-minute bars of {needs.symbol}"
            raise CallerMistake(f"{strategy.name} reads {wanted}, got a {bar.minutes}-minute bar of {bar.symbol}")
        if before is not None and bar.start <= before:
            raise CallerMistake(f"bars of {bar.symbol} are out of order at {bar.start.isoformat()}")
        before = bar.start


def set_scene(stage: Stage, memory: Memory) -> Scene:
    """Fold the state and prepare the looks; without a session there are measures but no looks.

    Raises:
        CallerMistake: the memory is younger than the bar that closed at this instant began.
    """
    strategy, series, session = stage.strategy, stage.series, stage.session
    turn = series.as_of if series.closing is None else series.closing.bar.start
    before = advance(strategy, memory, series.bars, turn)
    after = advance(strategy, before, series.bars, series.as_of)
    if session is None:
        return Scene((), strategy.measure(after.state, ()), before)
    closed_before, closed_now = series.of(session, turn), series.of(session, series.as_of)
    now = strategy.measure(after.state, closed_now)
    looks: list[tuple[Look, Measures]] = []
    if series.closing is not None and session.contains(series.closing.bar.start):
        look = _look(stage, session, series.closing, closed_before)
        looks.append((look, strategy.measure(before.state, closed_before)))
    if series.open_bar is not None and session.contains(series.open_bar.bar.start):
        looks.append((_look(stage, session, series.open_bar, closed_now), now))
    return Scene(tuple(looks), now, before)


def _look(stage: Stage, session: Session, watched: OpenBar, closed: tuple[Bar, ...]) -> Look:
    """A wick older than the watch is no signal: of such a bar only what was seen counts (RULINGS 2)."""
    bar, since = watched.bar, stage.snapshot.watching_since
    whole = since is not None and bar.start >= since
    return Look(
        as_of=stage.series.as_of,
        session=session,
        window=trading_window(session, stage.strategy.hours),
        bar=bar,
        closing=watched is stage.series.closing,
        high=bar.high if whole else watched.seen_high,
        low=bar.low if whole else watched.seen_low,
        spot=stage.snapshot.spot,
        closed=closed,
        standing=stage.standing,
        offers=stage.offers,
    )
