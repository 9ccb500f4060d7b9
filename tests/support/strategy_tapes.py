"""Tapes and loops for tests of strategies: random markets, recorded ones, a loop with a configuration's settings."""

from __future__ import annotations

import operator
from array import array
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tests.support.shared_data import sessions, shared_file

from htbot.adapters.replay.reader import read_market_data
from htbot.backtest.bar_run import DEAL_RECORD
from htbot.backtest.bars import set_up
from htbot.backtest.compiler.layout import Kinds, fields_of
from htbot.backtest.request import BacktestRequest, FillRule
from htbot.backtest.tape import Tape, make_tape
from htbot.domain.numeric import Numeric
from htbot.domain.recorded import BarColumns
from htbot.domain.sessions import NEW_YORK, Session, SessionTable
from htbot.engine.bar_loop import BarLoop
from htbot.strategies.bar_strategy import BarStrategy

BAR_FILES = (
    "us_equities_5m_2022",
    "equity_trades_1m",
    "equity_trades_1d",
    "spy_qqq_1m_201902",
    "spy_qqq_1m_202505",
    "spx_1m",
)
FIRST_DAY = date(2024, 1, 2)
HALF_DAY = 4  # every so manieth session closes at 13:00


@cache
def weekdays(count: int = 250) -> SessionTable:
    """Sessions of a calendar without holidays, some of them half days."""
    days = [FIRST_DAY + timedelta(days=index) for index in range(2 * count)]
    open_days = [day for day in days if day.weekday() < 5][:count]
    return SessionTable(_session(day, half=index % HALF_DAY == HALF_DAY - 1) for index, day in enumerate(open_days))


def _session(day: date, *, half: bool) -> Session:
    opens, closes = (datetime.combine(day, clock, NEW_YORK) for clock in (time(9, 30), time(13 if half else 16)))
    return Session(day, opens.astimezone(UTC), closes.astimezone(UTC), early_close=half)


def columns_of(starts: list[int], prices: npt.NDArray[np.float64], volumes: list[float], seconds: int) -> BarColumns:
    """Columns from epoch seconds, an array of (open, high, low, close) and volumes."""
    named = {name: array("d", prices[:, index]) for index, name in enumerate(("open", "high", "low", "close"))}
    return BarColumns(seconds=seconds, start_s=array("q", starts), volume=array("d", volumes), file="random", **named)


@cache
def random_tape(seed: int, days: int = 10, minutes: int = 5) -> Tape:
    """A market of moods: quiet, lively, flat to the cent; with jumps, gaps over night, holes, and a day left out."""
    chance = np.random.default_rng(seed)
    starts: list[int] = []
    rows: list[list[float]] = []
    volumes: list[float] = []
    price = 100.0
    for number, session in enumerate(weekdays().all()[:days]):
        price *= 1 + chance.normal(0, 0.008)
        spread = float(chance.choice([0.0005, 0.002, 0.006]))
        flat_from, flat_until = sorted(chance.integers(0, 78, 2)) if number % 3 == 2 else (0, 0)
        length = (session.closes - session.opens) // timedelta(minutes=minutes)
        for index in range(int(length)):
            opened = round(price, 2)
            still = flat_from <= index < flat_until
            if not still:
                price *= 1 + chance.normal(0, spread) + (chance.random() < 0.01) * chance.normal(0, 0.03)
            closed = opened if still else round(price, 2)
            up, down = (0.0, 0.0) if still else abs(chance.normal(0, spread / 2, 2)) * price
            rows.append([opened, round(max(opened, closed) + up, 2), round(min(opened, closed) - down, 2), closed])
            volumes.append(0.0 if still else float(round(chance.lognormal(9, 0.6))))
            starts.append(int(session.opens.timestamp()) + 60 * minutes * index)
    kept = (chance.random(len(rows)) > 0.03) & (np.arange(len(rows)) // 78 != 6)
    chosen = np.flatnonzero(kept)
    columns = columns_of(
        [starts[i] for i in chosen], np.array(rows)[chosen], [volumes[i] for i in chosen], 60 * minutes
    )
    return make_tape("RANDOM", columns, weekdays())


@cache
def recorded_tapes(name: str) -> tuple[Tape, ...]:
    """Every symbol of a file of the shared data that has bars within regular hours; skips without the file."""
    table = sessions(shared_file("oracle/us_sessions_2012_2027.csv"))
    data = read_market_data([shared_file(f"market/{name}.parquet")])
    days = {session.day for session in table.all()}

    def within(columns: BarColumns) -> bool:
        starts = (datetime.fromtimestamp(at, UTC) for at in columns.start_s)
        if columns.seconds == 86_400:
            return any(start.date() in days for start in starts)
        return any((session := table.at(start)) is not None and session.contains(start) for start in starts)

    return tuple(make_tape(symbol, columns, table) for symbol, columns in data.bars.items() if within(columns))


def loop_of(strategy: BarStrategy, fill: FillRule = "close") -> BarLoop:
    """A loop without fees and limits, with the settings of the strategy's configuration."""
    request = BacktestRequest(Path(), fill=fill, commission="none", cash=Decimal(10_000_000))
    return set_up(request, strategy)


def state_of(thing: Numeric, kinds: Kinds, path: str = "") -> dict[str, str]:
    """Every number of an object and of what it holds, spelled so that NaN equals NaN."""
    told: dict[str, str] = {}
    for name, kind in fields_of(type(thing), kinds).items():
        value, place = getattr(thing, name), f"{path}.{name}"
        if isinstance(value, Numeric):
            told |= state_of(value, kinds, place)
        else:
            told[place] = repr(_plain(value, kind))
    return told


def _plain(value: Any, kind: Any) -> Any:
    if kind is list:
        return [float(one) for one in value]
    return float(value) if kind is float else operator.index(value)


def final_state(loop: BarLoop) -> dict[str, str]:
    """The state a run ended in."""
    return state_of(loop, {(BarLoop, "strategy"): type(loop.strategy)})


def deals_text(deals: npt.NDArray[Any]) -> list[dict[str, Any]]:
    """Deals as dicts, for a readable difference."""
    return [dict(zip(DEAL_RECORD.names or (), row, strict=True)) for row in deals.tolist()]
