"""What must hold of every decision, whatever the market does: on random walks of bars with a short trend."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.breakout_reading import Reading, Rules
from tests.support.breakout_world import Day, World, limits_of, play, row, session_on

from htbot.domain.bars import Bar
from htbot.domain.decisions import Approved
from htbot.engine.cycle import CycleInputs, CycleOutcome, decide
from htbot.engine.memory import advance, blank
from htbot.marketdata.snapshot import decode, encode
from htbot.risk.book import Book
from htbot.strategies.spx_breakout import BreakoutConfig, SpxBreakout

SESSION = session_on(2022, 8, 26, opens=(13, 30))
YESTERDAY = session_on(2022, 8, 25, opens=(13, 30))
SHORT_TREND: dict[str, Any] = {"rsi_window": 6, "ema_span": 8, "rsi_ema_bull": 50.0, "rsi_ema_bear": 50.0}
BARS_TODAY = 30
quick = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
seeds = st.integers(0, 2**32)


def walk(seed: int, start: datetime, count: int, minutes: int = 5) -> list[Bar]:
    """Bars of a random walk with runs; prices on a grid of a quarter, so that equal extremes are common."""
    chance = random.Random(seed)
    price, drift = 4100.0, 0.0
    found = []
    for number in range(count):
        if chance.random() < 0.15:
            drift = chance.uniform(-2, 2)
        opened = price + chance.choice((0.0, 0.0, 0.25, -0.25, 1.0, -1.0))
        closed = opened + round(4 * chance.gauss(drift, 1.5)) / 4
        high = max(opened, closed) + chance.randrange(5) / 4
        low = min(opened, closed) - chance.randrange(5) / 4
        found.append(Bar("SPX", start + number * timedelta(minutes=minutes), minutes, opened, high, low, closed))
        price = closed
    return found


def world_of(seed: int, *, opening_seen: bool = True) -> World:
    today, before = walk(seed, SESSION.opens, BARS_TODAY), walk(seed + 1, YESTERDAY.opens, 20)
    return World(SESSION, today, before, opening_seen=opening_seen)


def strategy_of(**changes: Any) -> SpxBreakout:
    return SpxBreakout(BreakoutConfig(**{**SHORT_TREND, **changes}))


def last_instant(world: World) -> datetime:
    return world.today[-1].end


def day_of(world: World, strategy: SpxBreakout | None = None, last: datetime | None = None) -> Day:
    return play(strategy or strategy_of(), world, first=SESSION.at(9, 55), last=last or last_instant(world))


def ask(world: World, at: datetime, bars: Sequence[Bar], **snapshot: Any) -> CycleOutcome:
    return decide(
        CycleInputs(
            strategy=strategy_of(),
            snapshot=replace(world.snapshot(at), **snapshot),
            session=SESSION,
            bars=bars,
            book=Book(reconciled=True),
            limits=limits_of("SPX"),
            as_of=at,
        )
    )


def instants(world: World) -> list[datetime]:
    first = SESSION.at(9, 55)
    count = int((last_instant(world) - first).total_seconds()) // 30
    return [first + number * timedelta(seconds=30) for number in range(count)]


@quick
@given(seeds, st.sampled_from(["wick", "last", "close"]), st.sampled_from(["strict", "seeded"]), st.booleans())
def test_signals_are_those_of_the_independent_reading(seed: int, confirm: str, warmup: str, opening: bool) -> None:
    world = world_of(seed, opening_seen=opening or confirm == "last")
    played = day_of(world, strategy_of(breakout_confirm=confirm, trend_warmup=warmup))
    trend: dict[str, Any] = {"rsi_window": 6, "ema_span": 8, "bull": 50, "bear": 50, "warmup": warmup}
    rules = Rules(confirm=confirm, opening_seen=world.opening_seen, **trend)
    cut = Reading([row(bar) for bar in world.bars], SESSION.opens, SESSION.closes, rules)
    expected = [found for found in cut.signals(played.episodes) if found.at <= last_instant(world)]
    assert [(signal.as_of, int(signal.direction), signal.level, signal.price) for signal in played.signals] == [
        (found.at, found.direction, found.level, found.price) for found in expected
    ]
    for signal, found in zip(played.signals, expected, strict=True):
        assert signal.indicators["rsi"] == pytest.approx(found.rsi, abs=1e-9)
        assert signal.indicators["rsi_ema"] == pytest.approx(found.rsi_ema, abs=1e-9)


def test_the_walks_do_fire() -> None:
    """The properties here would be empty on walks without signals."""
    fired = [signal for seed in range(10) for signal in day_of(world_of(seed)).signals]
    assert len(fired) > 10
    assert {int(signal.direction) for signal in fired} == {1, -1}


@quick
@given(seeds, st.integers(1, 100))
def test_prefix_invariance(seed: int, cut: int) -> None:
    """Decisions up to an instant are the same whether or not the day goes on after it."""
    world = world_of(seed)
    at = instants(world)[cut]
    shorter = World(SESSION, [bar for bar in world.today if bar.start <= at], world.history)
    assert day_of(shorter, last=at).outcomes == day_of(world).outcomes[: cut + 1]


@quick
@given(seeds, st.integers(0, 200))
def test_what_comes_later_is_not_looked_at(seed: int, index: int) -> None:
    """Poison after the instant, in the bars that are handed in, changes nothing."""
    world = world_of(seed)
    at = instants(world)[index % len(instants(world))]
    poisoned = [
        bar if bar.end <= at else replace(bar, open=1.0, high=99_999.0, low=0.5, close=float("nan"))
        for bar in world.bars
    ]
    assert ask(world, at, poisoned) == ask(world, at, world.closed(at))


@quick
@given(seeds, st.integers(0, 200), st.randoms(use_true_random=False))
def test_the_order_of_options_and_quotes_does_not_matter(seed: int, index: int, chance: random.Random) -> None:
    world = world_of(seed)
    at = instants(world)[index % len(instants(world))]
    options = list(world.options)
    chance.shuffle(options)
    quotes = {option.con_id: world.snapshot(at).quotes[option.con_id] for option in options}
    shuffled = ask(world, at, world.closed(at), options=tuple(options), quotes=quotes)
    assert shuffled == ask(world, at, world.closed(at))


@quick
@given(seeds)
def test_a_day_spends_each_level_once_and_only_strictly_beyond_it(seed: int) -> None:
    world = world_of(seed)
    played = day_of(world)
    levels = [(signal.direction, signal.level) for signal in played.signals]
    assert len(levels) == len(set(levels))
    for outcome in played.outcomes:
        signal = outcome.signal
        assert (signal is None) == (outcome.evaluation.why_not is not None)
        assert (signal is None) == (outcome.decision is None)
        assert isinstance(outcome.decision, Approved) == (outcome.intent is not None)
        if signal is not None:
            assert int(signal.direction) == signal.trend
            assert (signal.price - signal.level) * int(signal.direction) > 0
            closed = [bar for bar in world.today if bar.end <= signal.as_of]
            extremes = {bar.high for bar in closed} if signal.trend > 0 else {bar.low for bar in closed}
            assert signal.level in extremes


@quick
@given(seeds, st.integers(0, 200))
def test_a_snapshot_that_travelled_gives_the_same_decision(seed: int, index: int) -> None:
    world = world_of(seed)
    at = instants(world)[index % len(instants(world))]
    here = world.snapshot(at)
    there = decode(encode(here))
    travelled = ask(world, at, world.closed(at), quotes=there.quotes, open_bar=there.open_bar, spot=there.spot)
    assert travelled == ask(world, at, world.closed(at))


@quick
@given(seeds, st.lists(st.integers(0, 49), max_size=6))
def test_a_state_folded_in_any_parts_is_bit_identical(seed: int, cuts: list[int]) -> None:
    strategy, bars = strategy_of(), world_of(seed).bars
    memory = blank(strategy)
    for cut in sorted(cuts):
        memory = advance(strategy, memory, bars, bars[cut].end)
    whole = advance(strategy, blank(strategy), bars, bars[-1].end)
    assert advance(strategy, memory, bars, bars[-1].end) == whole
