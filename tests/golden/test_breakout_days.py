"""Strategy 1 on real days: its signals are those of the independent reading, and some are known by heart."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from tests.support.breakout_reading import Reading, Rules
from tests.support.breakout_world import Day, World, play, row
from tests.support.shared_data import regular_bars, sessions, shared_file

from htbot.domain.decisions import Approved
from htbot.domain.instruments import Right
from htbot.domain.signals import Direction
from htbot.strategies.registry import create

CALENDAR = "oracle/us_sessions_2012_2027.csv"
FIVE_MINUTES = "market/us_equities_5m_2022.parquet"


def world_of(file: str, symbol: str, minutes: int, day: date) -> World:
    calendar = shared_file(CALENDAR)
    session = sessions(calendar).on(day)
    assert session is not None
    bars = regular_bars(shared_file(file), symbol, minutes, calendar)
    today = [bar for bar in bars if session.contains(bar.start)]
    return World(session, today, [bar for bar in bars if bar.start < session.opens])


def told(day: Day) -> list[tuple[object, ...]]:
    return [(signal.as_of, int(signal.direction), signal.level, signal.price) for signal in day.signals]


def read(world: World, day: Day, rules: Rules | None = None) -> list[tuple[object, ...]]:
    reading = Reading([row(bar) for bar in world.bars], world.session.opens, world.session.closes, rules)
    return [(found.at, found.direction, found.level, found.price) for found in reading.signals(day.episodes)]


@pytest.mark.parametrize(
    ("symbol", "day", "count"),
    [
        ("SPY", date(2022, 2, 25), 5),
        ("SPY", date(2022, 8, 26), 1),
        ("SPY", date(2022, 9, 22), 0),
        ("QQQ", date(2022, 5, 13), 4),
        ("QQQ", date(2022, 7, 7), 6),
    ],
)
def test_the_signals_are_those_of_the_rules(symbol: str, day: date, count: int) -> None:
    world = world_of(FIVE_MINUTES, symbol, 5, day)
    played = play(create("spx_breakout", {"symbol": symbol}), world)
    assert told(played) == read(world, played)
    assert len(played.signals) == count
    assert len(played.outcomes) == 390 * 2 + 1


@pytest.mark.parametrize("confirm", ["last", "close"])
def test_other_confirmations_and_entries_that_are_never_filled(confirm: str) -> None:
    world = world_of(FIVE_MINUTES, "QQQ", 5, date(2022, 7, 7))
    strategy = create("spx_breakout", {"symbol": "QQQ", "breakout_confirm": confirm, "rsi_ema_bull": 50})
    played = play(strategy, world, holding=lambda number: (timedelta(seconds=50), number % 2 == 1))
    assert told(played) == read(world, played, Rules(confirm=confirm, bull=50))
    assert len(played.signals) > 1


def test_spx_of_2021_01_04() -> None:
    """RULINGS 25: one-minute bars and a seeded trend; the first signal falls in the minute of 10:32, a bear call."""
    world = world_of("market/spx_1m.parquet", "SPX", 1, date(2021, 1, 4))
    strategy = create("spx_breakout", {"bar_minutes": 1, "trend_warmup": "seeded"})
    played = play(strategy, world)
    assert told(played) == read(world, played, Rules(minutes=1, warmup="seeded"))
    first = next(outcome for outcome in played.outcomes if outcome.signal is not None)
    assert first.signal is not None
    assert first.signal.as_of == world.session.at(10, 32) + timedelta(seconds=30)
    assert first.signal.direction is Direction.BEAR
    assert isinstance(first.decision, Approved)
    assert first.plan is not None
    assert first.plan.short_leg.right is Right.CALL
    assert first.plan.long_leg.strike - first.plan.short_leg.strike == 40


def test_with_strict_warm_up_one_day_of_spx_has_no_trend_on_five_minute_bars() -> None:
    """RULINGS 25: 78 bars are not 204."""
    calendar = shared_file(CALENDAR)
    minutes = regular_bars(shared_file("market/spx_1m.parquet"), "SPX", 1, calendar)
    assert len(minutes) == 390
    world = world_of("market/spx_1m.parquet", "SPX", 1, date(2021, 1, 4))
    played = play(create("spx_breakout", {"bar_minutes": 1}), world, last=world.session.at(12, 53))
    assert played.signals == []
    assert played.evaluations[-1].why_not == "warming up: 203 of 204 bars"
