from __future__ import annotations

import math

import numpy as np
import pandas as pd
import talib
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.indicators import agree, case, fed_with, market

from htbot.indicators import stream

DATA = market("cents", 15, 1500)


@settings(max_examples=100, derandomize=True)
@given(st.integers(1, 8), st.lists(st.integers(-3, 3), min_size=8, max_size=60))
def test_highest_and_lowest_are_max_and_min(window: int, numbers: list[int]) -> None:
    tops = fed_with(stream.Highest(window), *map(float, numbers))
    bottoms = fed_with(stream.Lowest(window), *map(float, numbers))
    for place in range(window - 1, len(numbers)):
        held = numbers[place - window + 1 : place + 1]
        assert (tops[place], bottoms[place]) == (max(held), min(held))
    assert all(math.isnan(value) for value in tops[: window - 1] + bottoms[: window - 1])


def test_talib_has_the_same() -> None:
    agree(case(stream.Highest, "high", window=20).streamed(DATA)[0], talib.MAX(DATA.high, 20), rtol=0, atol=0)
    agree(case(stream.Lowest, "low", window=20).streamed(DATA)[0], talib.MIN(DATA.low, 20), rtol=0, atol=0)


def test_the_day_before() -> None:
    days = pd.DataFrame(vars(DATA)).groupby("session").agg({"high": "max", "low": "min", "close": "last"}).shift()
    expected = days.loc[DATA.session].to_numpy().T
    found = case(stream.PreviousDay, "bar", "high low close").streamed(DATA)
    assert np.isnan(found[:, DATA.session == DATA.session[0]]).all()
    assert len(days) > 20
    agree(found, expected, rtol=0, atol=0)
