from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import talib
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.indicators import agree, case, fed_with, market, pandas_ta

from htbot.indicators import batch, stream
from htbot.indicators.volatility import true_range

DATA = market("cents", 13, 1500)
HIGH, LOW, CLOSE = pd.Series(DATA.high), pd.Series(DATA.low), pd.Series(DATA.close)
BARS = [(11.0, 9.0, 10.0), (13.0, 12.0, 12.5), (12.0, 8.0, 9.0), (9.0, 8.5, 9.0)]  # ranges 2, 3, 4.5, 0.5


@given(st.floats(1, 100), st.floats(0, 10), st.floats(0, 200))
def test_true_range_is_wilders(low: float, span: float, last: float) -> None:
    high = low + span
    assert true_range(high, low, last) == max(high - low, abs(high - last), abs(low - last))


def test_atr_by_hand() -> None:
    simple, wilder = stream.SimpleAtr(2), stream.WilderAtr(2)
    assert [simple.add(*bar) for bar in BARS][1:] == [2.5, 3.75, 2.5]
    assert [wilder.add(*bar) for bar in BARS][2:] == [3.75, 2.125]  # ranges from bar 2 on


def test_deviation_by_hand() -> None:
    assert fed_with(stream.StandardDeviation(4), 2, 4, 4, 6)[-1] == pytest.approx(math.sqrt(8 / 3), rel=1e-15)
    deviation = stream.StandardDeviation(4, ddof=0)
    assert fed_with(deviation, 2, 4, 4, 6)[-1] == pytest.approx(math.sqrt(2), rel=1e-15)
    assert deviation.mean == 4


def test_bands_by_hand() -> None:
    bands = stream.Bollinger(4, 2.0, ddof=0)
    fed_with(bands, 2, 4, 4, 6)
    assert (bands.middle, bands.upper, bands.lower) == pytest.approx((4, 4 + 2 * 2**0.5, 4 - 2 * 2**0.5), rel=1e-15)


@pytest.mark.parametrize("offset", [1e6, 1e9, -1e6])
def test_deviation_keeps_its_digits_far_from_zero(offset: float) -> None:
    """Numbers that are exact at the offset: the deviation is then the same as near zero."""
    moves = np.round(np.random.default_rng(4).normal(0, 500, 3000)) * 2.0**-20
    near = case(stream.StandardDeviation, "close", window=20)
    data = market("walk", 1, 3000)
    object.__setattr__(data, "close", moves)
    expected = np.array([np.nan] * 19 + [window.std(ddof=1) for window in rolling(moves, 20)])
    agree(near.streamed(data)[0], expected, rtol=1e-13)
    object.__setattr__(data, "close", moves + offset)
    agree(near.streamed(data)[0], expected, rtol=1e-12)
    agree(near.whole(data)[0], expected, rtol=1e-9, atol=1e-15 * abs(offset))  # TA-Lib's digits


def rolling(values: np.ndarray, window: int) -> np.ndarray:
    return np.lib.stride_tricks.sliding_window_view(values, window)


@settings(max_examples=60, derandomize=True)
@given(
    st.integers(2, 9),
    st.lists(st.sampled_from([0.0, 1e-6, 1.0, 3.25, 1e6, 1e6 + 2**-10, -1e9]), min_size=9, max_size=60),
)
def test_deviation_survives_jumps(window: int, numbers: list[float]) -> None:
    values = np.array(numbers)
    anchored = rolling(values, window) - rolling(values, window)[:, :1]
    expected = np.append([np.nan] * (window - 1), anchored.std(axis=1, ddof=1))
    agree(fed_with(stream.StandardDeviation(window), *numbers), expected, rtol=1e-9, atol=0)


def test_still_closes_have_no_deviation_whatever_came_before() -> None:
    closes = [17.31, 1e7, 3.3, *[100.7] * 9]
    assert fed_with(stream.StandardDeviation(4), *closes)[6:] == [0.0] * 6
    bands = stream.Bollinger(4)
    fed_with(bands, *closes)
    assert (bands.middle, bands.upper, bands.lower) == (100.7, 100.7, 100.7)


def test_talib_has_the_same() -> None:
    agree(case(stream.WilderAtr, "high low close").streamed(DATA)[0], talib.ATR(DATA.high, DATA.low, DATA.close, 14))
    ranges = talib.TRANGE(DATA.high, DATA.low, DATA.close)
    simple = case(stream.SimpleAtr, "high low close").streamed(DATA)[0]
    agree(simple, talib.SMA(ranges, 14), late=14)  # TA-Lib has no range of the first bar, and so one value less
    deviation = case(stream.StandardDeviation, "close", window=20, ddof=0).streamed(DATA)[0]
    agree(deviation, talib.STDDEV(DATA.close, 20))
    upper, middle, lower = talib.BBANDS(DATA.close, 20, 2, 2)
    agree(case(stream.Bollinger, "close", "middle upper lower", ddof=0).streamed(DATA), (middle, upper, lower))
    agree(batch.bollinger(DATA.close, ddof=0), (middle, upper, lower))


def test_pandas_ta_has_the_same() -> None:
    ta = pandas_ta()
    agree(case(stream.WilderAtr, "high low close").streamed(DATA)[0], ta.atr(HIGH, LOW, CLOSE, 14, talib=False))
    simple = ta.atr(HIGH, LOW, CLOSE, 14, mamode="sma", talib=False)
    agree(case(stream.SimpleAtr, "high low close").streamed(DATA)[0], simple, late=14)
    deviation = ta.stdev(CLOSE, 20, ddof=1, talib=False)
    agree(case(stream.StandardDeviation, "close", window=20).streamed(DATA)[0], deviation)
    bands = ta.bbands(CLOSE, 20, 2, ddof=1, talib=False).to_numpy().T[[1, 2, 0]]
    agree(case(stream.Bollinger, "close", "middle upper lower").streamed(DATA), bands)


def test_the_spec_is_pandas() -> None:
    rolled = CLOSE.rolling(20)
    reach = 2 * rolled.std()
    expected = (rolled.mean(), rolled.mean() + reach, rolled.mean() - reach)
    agree(case(stream.Bollinger, "close", "middle upper lower").streamed(DATA), expected)
    last = CLOSE.shift()
    ranges = pd.concat([HIGH - LOW, (HIGH - last).abs(), (LOW - last).abs()], axis=1).max(axis=1)
    agree(case(stream.SimpleAtr, "high low close").streamed(DATA)[0], ranges.rolling(14).mean())
