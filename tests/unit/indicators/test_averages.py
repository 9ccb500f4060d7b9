from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import talib
from tests.support.indicators import agree, case, fed_with, market, pandas_ta

from htbot.indicators import batch, stream

DATA = market("cents", 11, 1500)
CLOSE = pd.Series(DATA.close)


def test_sma_by_hand() -> None:
    assert fed_with(stream.Sma(3), 1, 2, 6, 4)[2:] == [3, 4]


def test_sma_does_not_drift_and_forgets_what_was_large() -> None:
    mean = stream.Sma(4)
    for number in (1e17, 3.0, -1e17, 1.0, 1e-3, 0.1, 0.2):
        mean.add(number)
    assert mean.add(0.3) == pytest.approx(0.150_25, rel=1e-15)


def test_sma_of_zeros_is_zero_again() -> None:
    assert fed_with(stream.Sma(2), 0.1, 0.7, 0.0, 0.0)[-1] == 0.0


def test_ema_is_seeded_with_the_first_number_and_sma_seeded_ema_with_the_mean() -> None:
    assert fed_with(stream.Ema(3), 10, 20, 40) == [10, 15, 27.5]
    assert fed_with(stream.SmaSeededEma(3), 10, 20, 30, 40)[2:] == [20, 30]


def test_both_emas_are_the_same_once_the_seed_is_forgotten() -> None:
    first, mean = case(stream.Ema, "close", span=12), case(stream.SmaSeededEma, "close", span=12)
    assert abs(first.streamed(DATA)[0, 11] - mean.streamed(DATA)[0, 11]) > 1e-3
    agree(first.streamed(DATA), mean.streamed(DATA), late=300)


def test_slope_of_a_line_is_its_slope() -> None:
    line = [5.0 - 0.25 * place for place in range(50)]
    assert fed_with(stream.LinearSlope(8), *line)[7:] == pytest.approx([-0.25] * 43, abs=1e-15)


def test_slope_keeps_its_digits_far_from_zero() -> None:
    near, far = stream.LinearSlope(10), stream.LinearSlope(10)
    moves = np.round(np.random.default_rng(2).normal(0, 8, 200)) / 8  # exact beside 2**30
    for move in np.cumsum(moves).tolist():
        assert near.add(move) == pytest.approx(far.add(move + 2.0**30), rel=1e-12, abs=1e-12, nan_ok=True)


def test_talib_has_the_same() -> None:
    agree(case(stream.Sma, "close", window=20).streamed(DATA)[0], talib.SMA(DATA.close, 20))
    agree(case(stream.SmaSeededEma, "close", span=26).streamed(DATA)[0], talib.EMA(DATA.close, 26))
    slope = case(stream.LinearSlope, "close", window=14).streamed(DATA)[0]
    agree(slope, talib.LINEARREG_SLOPE(DATA.close, 14), atol=1e-11)


def test_pandas_ta_has_the_same() -> None:
    ta = pandas_ta()
    agree(case(stream.Sma, "close", window=20).streamed(DATA)[0], ta.sma(CLOSE, 20, talib=False))
    agree(case(stream.SmaSeededEma, "close", span=26).streamed(DATA)[0], ta.ema(CLOSE, 26, talib=False))
    slope = case(stream.LinearSlope, "close", window=14).streamed(DATA)[0]
    agree(slope, ta.linreg(CLOSE, 14, slope=True, talib=False), atol=1e-11)


def test_ema_is_that_of_pandas() -> None:
    agree(case(stream.Ema, "close", span=144).streamed(DATA)[0], CLOSE.ewm(span=144, adjust=False).mean())


def test_ema_keeps_what_is_unknown_at_the_start() -> None:
    found = batch.ema(np.array([math.nan, math.nan, 4.0, 8.0]), 3)
    assert np.isnan(found[:2]).all()
    assert found[2:].tolist() == [4, 6]
    assert np.isnan(batch.ema(np.array([math.nan]), 3)).all()
    assert batch.ema(np.zeros(0), 3).tolist() == []
