from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from htbot.domain.bars import Bar
from htbot.domain.errors import CallerMistake
from htbot.engine.memory import advance, blank
from htbot.strategies.spx_breakout import BreakoutConfig, SpxBreakout

START = datetime(2022, 8, 26, 13, 30, tzinfo=UTC)
STRATEGY = SpxBreakout(BreakoutConfig(rsi_window=3, ema_span=4))
BARS = [
    Bar("SPX", START + number * timedelta(minutes=5), 5, 100, 101, 99, 100 + number % 3 - number % 2)
    for number in range(30)
]


def test_folding_in_parts_is_folding_at_once() -> None:
    whole = advance(STRATEGY, blank(STRATEGY), BARS, BARS[-1].end)
    for cut in range(len(BARS)):
        part = advance(STRATEGY, blank(STRATEGY), BARS, BARS[cut].end)
        assert part.through == BARS[cut].end
        assert advance(STRATEGY, part, BARS[cut + 1 :], BARS[-1].end) == whole


def test_bars_are_never_folded_twice() -> None:
    once = advance(STRATEGY, blank(STRATEGY), BARS, BARS[-1].end)
    assert advance(STRATEGY, once, BARS, BARS[-1].end) == once


def test_bars_that_have_not_ended_are_left_out() -> None:
    memory = advance(STRATEGY, blank(STRATEGY), BARS, BARS[9].end + timedelta(minutes=4))
    assert memory.state.bars == 10


def test_a_memory_cannot_be_wound_back() -> None:
    memory = advance(STRATEGY, blank(STRATEGY), BARS, BARS[9].end)
    assert memory.serves(BARS[9].end)
    assert not memory.serves(BARS[8].end)
    with pytest.raises(CallerMistake, match="is younger than"):
        advance(STRATEGY, memory, BARS, BARS[8].end)
