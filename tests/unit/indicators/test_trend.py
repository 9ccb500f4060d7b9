from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htbot.indicators.trend import Ema, SimpleRsi, TrendState

closes = st.lists(st.floats(1, 10_000, allow_nan=False), max_size=60)


def rsi_of(window: int, *prices: float) -> float | None:
    state = SimpleRsi(window)
    for price in prices:
        state = state.add(price)
    return state.value


def test_rsi_has_no_value_before_its_window_of_changes_is_full() -> None:
    assert rsi_of(3, 1, 2, 3) is None
    assert rsi_of(3, 1, 2, 3, 4) is not None


def test_rsi_of_rising_closes_is_100_of_falling_0_of_still_ones_50() -> None:
    assert rsi_of(3, 1, 2, 3, 4) == 100
    assert rsi_of(3, 4, 3, 2, 1) == 0
    assert rsi_of(3, 2, 2, 2, 2) == 50


def test_rsi_uses_plain_means_of_the_last_window() -> None:
    # changes of the window: +3, -1, +2: gains 5, losses 1
    assert rsi_of(3, 100, 10, 13, 12, 14) == pytest.approx(100 * 5 / 6, abs=1e-12)


def test_alternating_closes_give_50() -> None:
    assert rsi_of(60, *(10.0 + index % 2 for index in range(61))) == 50


@pytest.mark.parametrize("close", [float("nan"), float("inf")])
def test_a_close_that_is_no_number_is_refused(close: float) -> None:
    with pytest.raises(ValueError, match="is not a price"):
        SimpleRsi(3).add(close)


def test_ema_is_seeded_with_its_first_number_and_recursive() -> None:
    state = Ema(3).add(10.0)
    assert state.value == 10
    assert state.add(20.0).value == 15  # alpha = 2 / 4


def test_ema_of_a_constant_stays() -> None:
    state = Ema(144)
    for _ in range(500):
        state = state.add(61.7)
    assert state.value == 61.7


def test_trend_is_warm_at_close_number_204() -> None:
    state = TrendState.start(60, 144)
    assert state.bars_needed == 204
    state = state.extend(100.0 + index for index in range(203))
    assert not state.warm
    assert state.add(400.0).warm


def test_the_first_ema_is_the_first_rsi() -> None:
    state = TrendState.start(2, 5).extend([10, 11, 10.5])
    assert state.ema.value == state.rsi.value
    assert state.ema.count == 1


def test_adding_leaves_the_old_state_as_it_was() -> None:
    state = TrendState.start(2, 3).extend([1, 2, 3])
    before = state.to_fields()
    state.add(4.0)
    assert state.to_fields() == before


@given(closes, closes)
def test_a_stored_state_goes_on_bit_for_bit(earlier: list[float], later: list[float]) -> None:
    whole = TrendState.start(5, 8).extend([*earlier, *later])
    stored = json.dumps(TrendState.start(5, 8).extend(earlier).to_fields())
    assert TrendState.from_fields(json.loads(stored)).extend(later) == whole
