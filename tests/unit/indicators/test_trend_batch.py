from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from htbot.indicators import batch
from htbot.indicators.trend import TrendState

prices = st.lists(st.integers(10_000, 60_000).map(lambda cents: cents / 100), min_size=0, max_size=150)


@settings(max_examples=60)
@given(prices, st.integers(2, 20), st.integers(2, 30))
def test_batch_is_the_twin_of_stream(closes: list[float], window: int, span: int) -> None:
    rsi = batch.simple_rsi(np.array(closes, dtype=float), window)
    smoothed = batch.rsi_ema(np.array(closes, dtype=float), window, span)
    state = TrendState.start(window, span)
    for index, close in enumerate(closes):
        state = state.add(close)
        for value, twin in ((state.rsi.value, rsi[index]), (state.ema.value, smoothed[index])):
            assert (value is None) == np.isnan(twin)
            assert value is None or abs(value - twin) < 1e-9


def test_ema_keeps_what_is_unknown_at_the_start() -> None:
    assert np.isnan(batch.ema(np.array([np.nan, np.nan, 4.0]), 3)[:2]).all()
    assert np.isnan(batch.ema(np.array([np.nan]), 3)).all()
