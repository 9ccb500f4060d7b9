from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import talib
from tests.support.indicators import agree, case, fed_with, market, pandas_ta
from tests.support.shared_data import shared_file

from htbot.indicators import batch, stream
from htbot.indicators.trend import TrendState

DATA = market("cents", 12, 1500)
CLOSE = pd.Series(DATA.close)


@pytest.mark.parametrize("kind", [stream.SimpleRsi, stream.WilderRsi])
def test_rsi_of_rising_closes_is_100_of_falling_0_of_still_ones_50(kind: type[stream.WilderRsi]) -> None:
    assert fed_with(kind(3), 1, 2, 3, 4)[-1] == 100
    assert fed_with(kind(3), 4, 3, 2, 1)[-1] == 0
    assert fed_with(kind(3), 2, 2, 2, 2, 2)[-1] == 50


def test_still_closes_are_50_in_the_twins_where_talib_says_0() -> None:
    still = np.full(10, 7.3)
    assert talib.RSI(still, 3)[-1] == 0
    assert batch.wilder_rsi(still, 3)[-1] == 50
    assert batch.simple_rsi(still, 3)[-1] == 50


def test_simple_rsi_stands_at_50_after_its_last_move_has_left() -> None:
    closes = [100.1, 103.7, 99.3, *[100.3] * 6]
    assert fed_with(stream.SimpleRsi(3), *closes)[-1] == 50
    assert batch.simple_rsi(np.array(closes), 3)[-1] == 50


def test_rsi_by_hand() -> None:
    # changes +3, -1, +2: gains 5, losses 1; then -3: plain gains 2, losses 4; Wilder (10/9) and (2/9 + 1)
    assert fed_with(stream.SimpleRsi(3), 10, 13, 12, 14, 11)[3:] == pytest.approx([500 / 6, 200 / 6], rel=1e-15)
    assert fed_with(stream.WilderRsi(3), 10, 13, 12, 14, 11)[3:] == pytest.approx([500 / 6, 1000 / 21], rel=1e-15)


def test_roc_by_hand() -> None:
    assert fed_with(stream.Roc(2), 50, 1, 55, 0)[2:] == pytest.approx([10, -100])
    assert fed_with(stream.Roc(1), 0, 5)[-1] == 0


def test_macd_of_a_line_settles_at_the_lag_of_its_means() -> None:
    # an EMA of span n runs (n - 1) / 2 behind a line
    macd = stream.Macd()
    for place in range(600):
        macd.add(100 + 0.5 * place)
    assert (macd.macd, macd.signal) == pytest.approx((0.5 * 7, 0.5 * 7))
    assert macd.hist == pytest.approx(0, abs=1e-9)


def test_macd_of_spec_03_is_made_of_emas_and_becomes_the_same() -> None:
    fast, slow, signal = stream.Ema(12), stream.Ema(26), stream.Ema(9)
    found = [(line := fast.add(close) - slow.add(close), signal.add(line)) for close in DATA.close.tolist()]
    pandas_line = CLOSE.ewm(span=12, adjust=False).mean() - CLOSE.ewm(span=26, adjust=False).mean()
    agree([line for line, _ in found], pandas_line)
    agree([mean for _, mean in found], pandas_line.ewm(span=9, adjust=False).mean())
    streamed = case(stream.Macd, "close", "macd signal").streamed(DATA)
    assert abs(streamed[0, 33] - found[33][0]) > 1e-4
    agree(streamed, np.array(found).T, late=450, atol=1e-12)


def test_talib_has_the_same() -> None:
    agree(case(stream.WilderRsi, "close").streamed(DATA)[0], talib.RSI(DATA.close, 14))
    agree(case(stream.Macd, "close", "macd signal hist").streamed(DATA), talib.MACD(DATA.close, 12, 26, 9))
    agree(case(stream.Roc, "close").streamed(DATA)[0], talib.ROC(DATA.close, 10))
    expected = talib.STOCH(DATA.high, DATA.low, DATA.close, 14, 3, 0, 3, 0)
    agree(case(stream.Stochastic, "high low close", "k d").streamed(DATA), expected)


def test_pandas_ta_has_the_same() -> None:
    ta = pandas_ta()
    agree(case(stream.WilderRsi, "close").streamed(DATA)[0], ta.rsi(CLOSE, 14, talib=False))
    agree(case(stream.Roc, "close").streamed(DATA)[0], ta.roc(CLOSE, 10, talib=False))
    found = ta.stoch(pd.Series(DATA.high), pd.Series(DATA.low), CLOSE, 14, 3, 3, talib=False)
    agree(
        case(stream.Stochastic, "high low close", "k d").streamed(DATA), found.to_numpy().T, late=17
    )  # its k is earlier
    macd = ta.macd(CLOSE, 12, 26, 9, talib=False).to_numpy().T[[0, 2, 1]]
    agree(case(stream.Macd, "close", "macd signal hist").streamed(DATA), macd, late=450)  # its fast EMA starts earlier


def test_stream_gives_the_numbers_of_the_oracle() -> None:
    """RSI(60) and EMA(144) of it on every set of real 5-minute bars."""
    frame = pq.read_table(shared_file("oracle/expected_indicators_5m.parquet")).to_pandas()
    compared = 0
    for _, rows in frame.groupby(["set", "symbol", "history"], sort=False):
        bars = rows.sort_values(["session", "start_min"])
        rsi, ema = stream.SimpleRsi(60), stream.Ema(144)
        found = []
        for close in bars["close"].tolist():
            value = rsi.add(close)
            found.append((value, math.nan if math.isnan(value) else ema.add(value)))
        expected = bars[["rsi60", "ema144"]].to_numpy(float)
        agree(found, expected, rtol=0, atol=1e-9)
        compared += int(np.isfinite(expected).sum())
    assert compared > 50_000


def test_the_trend_of_strategy_1_is_these_indicators() -> None:
    trend, rsi, ema = TrendState.start(14, 20), stream.SimpleRsi(14), stream.Ema(20)
    for close in DATA.close.tolist():
        trend = trend.add(close)
        value = rsi.add(close)
        if not math.isnan(value):
            ema.add(value)
            assert (trend.rsi.value, trend.ema.value) == pytest.approx((value, ema.value), rel=1e-12)
    assert trend.ema.count == ema.count == len(CLOSE) - 14
