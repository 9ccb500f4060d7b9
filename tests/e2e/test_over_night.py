"""The end of a session and the beginning of the next one through the whole stack, held against the backtest.

What is bought shortly before the close is held over a weekend in which the clocks change. The gap of the open meets
the target of one; the first bar after it sells a part of the other at a profit level, and in the second one the stop
of what is left of it is met.
"""

from __future__ import annotations

import csv
import tempfile
from datetime import date, time, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from htbot.adapters.calendar import load_sessions
from htbot.bootstrap.demo import DemoOptions, DemoResult, run
from htbot.bootstrap.parity import against_backtest
from htbot.bootstrap.parity_cast import CastWanted, cast_of
from htbot.domain.sessions import Session
from htbot.strategies.registry import STRATEGIES

FIRST, LAST = date(2025, 3, 7), date(2025, 3, 10)
BAR = timedelta(minutes=5)
NAMES = ("momentum", "ma_crossover")
SETTINGS = {
    "quantity": "10",
    "momentum.min_conditions": "1",
    "momentum.profit_levels": "true",
    "momentum.profit_level_1": "0.01",
    "ma_crossover.short_window": "1",
    "ma_crossover.long_window": "2",
    "ma_crossover.emit_initial": "true",
    "ma_crossover.profit_target_usd": "10",
}
ENTERED, GAP = 201.0, 203.2
# Open, high, low, close of what does not stand still: the last bars before the close, the first after the night.
EVENING = ((200.0, 201.0, 200.0, ENTERED), (ENTERED,) * 4, (ENTERED,) * 4)
MORNING = ((GAP, 203.6, 203.1, 203.4), (203.4, 203.4, 196.0, 196.0))
BEGINS, ENDS = time(15, 45), time(9, 41)

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(600)]


def test_a_night_and_its_gap_are_what_a_backtest_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # what stays of a failure is found there
    data = (write_night(tmp_path / "night.csv"),)
    cast = cast_of(CastWanted(NAMES, ["AAPL"], SETTINGS, overnight=True), data, None, STRATEGIES)
    day = run(
        DemoOptions(
            data=data,
            day=FIRST,
            symbol=cast.own,
            instances=cast.instances,
            settings=cast.settings,
            days=2,
            begins=BEGINS,
            ends=ENDS,
        )
    )
    check_night(day)

    same = against_backtest(day, cast.names)
    assert same.summary["divergence"] is None
    assert same.identical
    assert same.summary["compared"]["fills"] == len(day.record.rows.fills)
    assert same.summary["pnl"]["stack"] == same.summary["pnl"]["backtest"]
    assert not against_backtest(day, cast.names, latency_s=2.0).identical


def check_night(day: DemoResult) -> None:
    """Held from one session into the next; how each trade ended, and when."""
    rows, (evening, morning) = day.record.rows, day.sessions
    trades = {row.of: row.fields for row in rows.trades}
    assert {name: trade["exit_reason"] for name, trade in trades.items()} == {
        "momentum": "stop_loss",
        "ma_crossover": "profit_target",
    }
    for trade in trades.values():
        assert trade["opened_at"] < evening.closes < morning.opens <= trade["closed_at"]
    assert trades["ma_crossover"]["closed_at"] == morning.opens, "the gap has met its target"
    assert trades["ma_crossover"]["gross_pnl"] == Decimal(10)

    [part] = [one for one in rows.intents if one.in_part]
    own = {one.ref for one in rows.intents if one.trade_id == part.trade_id}
    sold = [fill for fill in rows.fills if fill.executed_at >= morning.opens and fill.ref in own]
    assert (part.level, sold[0].ref, sold[0].executed_at) == (1, part.ref, morning.opens + BAR)
    assert [fill.quantity for fill in sold] == [2, 8], "the stop was for what stayed"


def write_night(path: Path) -> Path:
    """Five-minute bars of AAPL, and of SPY, on which nothing happens: the session before, and the two."""
    table = load_sessions(FIRST, LAST)
    sessions = [*table.before(FIRST, 1), *(one for one in map(table.on, (FIRST, LAST)) if one is not None)]
    with path.open("w", newline="", encoding="utf-8") as lines:
        writer = csv.writer(lines)
        writer.writerow(("ts", "symbol", "open", "high", "low", "close", "volume"))
        for session in sessions:
            for number in range(round((session.closes - session.opens) / BAR)):
                start = (session.opens + number * BAR).isoformat()
                writer.writerow((start, "SPY", 600, 600.05, 599.95, 600, 100_000))
                writer.writerow((start, "AAPL", *_bar(session, number), 100_000))
    return path


def _bar(session: Session, number: int) -> tuple[float, ...]:
    if session.day == FIRST:
        late = number - round((session.closes - session.opens) / BAR) + len(EVENING)
        return EVENING[late] if late >= 0 else (200.0,) * 4
    if session.day == LAST:
        return MORNING[number] if number < len(MORNING) else (196.0,) * 4
    return (200.0,) * 4
