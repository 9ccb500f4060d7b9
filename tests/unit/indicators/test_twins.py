"""Every indicator of `stream` is its twin of `batch`, in value and in where the first value comes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.indicators import CASES, Case, Market, market

from htbot.domain.numeric import Numeric
from htbot.indicators import batch, stream

TOLERANCE = 1e-9
DIGITS = {"Macd": 1e-13, "LinearSlope": 1e-12, "StandardDeviation": 1e-9, "Bollinger": 1e-9}
"""Differences of large numbers: what may be wrong relative to the largest close. TA-Lib's deviations need most."""
KINDS = ("walk", "cents", "flat", "jumps", "far")


def named(case: Case) -> str:
    return f"{case.name}-{'-'.join(map(str, case.settings.values()))}"


def assert_twins(case: Case, data: Market) -> None:
    largest = float(np.max(data.close, initial=1.0))
    digits = DIGITS.get(case.name, 0.0) * largest
    np.testing.assert_allclose(case.streamed(data), case.whole(data), rtol=TOLERANCE, atol=max(1e-12, digits))


def test_every_indicator_has_a_case_and_a_twin() -> None:
    exported = set(stream.__all__)
    assert exported == {case.name for case in CASES}
    classes = {name for name, thing in vars(stream).items() if isinstance(thing, type) and issubclass(thing, Numeric)}
    assert exported == classes - {"Numeric"}
    assert all(case.twin.__module__ == batch.__name__ for case in CASES)


@pytest.mark.parametrize("case", CASES, ids=named)
@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.sampled_from(KINDS), st.integers(0, 2**32 - 1), st.integers(0, 300))
def test_stream_is_batch(case: Case, kind: str, seed: int, count: int) -> None:
    assert_twins(case, market(kind, seed, count))


@pytest.mark.parametrize("kind", KINDS)
def test_long_series(kind: str) -> None:
    data = market(kind, 7, 5_000)
    for case in CASES:
        assert_twins(case, data)


@pytest.mark.parametrize("case", [case for case in CASES if case.first is not None], ids=named)
def test_the_first_value_comes_where_it_is_said(case: Case) -> None:
    for values in (case.streamed(market("walk", 1, 60)), case.whole(market("walk", 1, 60))):
        assert np.isnan(values[:, : case.first]).all()
        assert np.isfinite(values[:, case.first :]).all()


@pytest.mark.parametrize("case", CASES, ids=named)
@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_refused_and_changes_nothing(case: Case, wrong: float) -> None:
    indicator = case.make()
    bars = market("walk", 3, 50).bars()

    def feed(bar: Any) -> float:
        return float(indicator.add(*([bar] if case.fed == ("bar",) else [getattr(bar, name) for name in case.fed])))

    for bar in bars[:40]:
        feed(bar)
    before = [getattr(indicator, name) for name in case.outputs]
    for name in ("high", "low", "close", "volume"):
        if name in case.fed or (case.fed == ("bar",) and (name != "volume" or case.name == "SessionVwap")):
            with pytest.raises(ValueError, match=f"^{case.name}: .*{wrong}"):
                feed(bars[40]._replace(**{name: wrong}))
    assert [getattr(indicator, name) for name in case.outputs] == before
    after = [feed(bar) for bar in bars[40:]]
    straight = case.streamed(market("walk", 3, 50))[0, 40:]
    assert after == straight.tolist()


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        (stream.Sma, (0,)),
        (stream.Ema, (0,)),
        (stream.SmaSeededEma, (-1,)),
        (stream.LinearSlope, (1,)),
        (stream.SimpleRsi, (0,)),
        (stream.WilderRsi, (1,)),
        (stream.Macd, (26, 12, 9)),
        (stream.Roc, (0,)),
        (stream.SimpleAtr, (0,)),
        (stream.WilderAtr, (0,)),
        (stream.StandardDeviation, (1, 1)),
        (stream.Bollinger, (1, 2.0, 0)),
        (stream.VolumeRatio, (0,)),
        (stream.Highest, (0,)),
        (stream.Lowest, (0,)),
        (stream.Stochastic, (0, 3, 3)),
    ],
)
def test_lengths_that_are_too_short_are_refused(kind: Any, arguments: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="too short"):
        kind(*arguments)
