from __future__ import annotations

import math
from datetime import date
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htbot.domain.instruments import Right
from htbot.domain.recorded import OptionSeries
from htbot.market.options import option_terms, two_sided
from htbot.pricing.black import implied_deviation, price
from htbot.pricing.smile import SmilePoint, SmileShape, SmileSlice, fit_smile

forwards = st.floats(20.0, 7000.0)
moneyness = st.floats(-0.25, 0.25)
deviations = st.floats(1e-4, 0.5)


@st.composite
def slices(draw: st.DrawFn) -> SmileSlice:
    """Smiles of all the shapes that a fit may return, from the last minutes of a day to two years."""
    bend = draw(st.floats(0.0, 0.45))
    slope = draw(st.floats(-1.0, 1.0)) * bend
    years = draw(st.sampled_from([1e-5, 1e-4, 0.002, 0.004, 0.04, 0.5, 2.0]))
    level = draw(st.floats(0.05, 0.9))
    return SmileSlice(draw(forwards), draw(st.floats(0.9, 1.0)), years, level, SmileShape(slope, bend))


def grid(smile: SmileSlice) -> list[float]:
    """An even strike grid of 20 % around the forward."""
    return [smile.forward * (0.8 + 0.005 * number) for number in range(81)]


@given(st.sampled_from(list(Right)), forwards, moneyness, deviations)
def test_a_value_gives_its_deviation_back(right: Right, forward: float, k: float, deviation: float) -> None:
    strike = forward * math.exp(k)
    value = price(right, forward, strike, deviation)
    intrinsic = price(right, forward, strike, 0.0)
    if value - intrinsic < 1e-7 * forward:
        return  # the deviation is not in the digits of the value
    found = implied_deviation(right, value, forward, strike)
    assert found is not None
    assert price(right, forward, strike, found) == pytest.approx(value, abs=1e-9 * forward)


@given(slices())
def test_calls_and_puts_are_in_parity(smile: SmileSlice) -> None:
    for strike in grid(smile):
        gap = smile.price(Right.CALL, strike) - smile.price(Right.PUT, strike)
        assert gap == pytest.approx(smile.discount * (smile.forward - strike), abs=1e-9 * smile.forward)


@given(slices())
def test_no_crossed_vertical_and_no_negative_butterfly(smile: SmileSlice) -> None:
    slack = 1e-9 * smile.forward
    for right, sign in ((Right.CALL, -1.0), (Right.PUT, 1.0)):
        values = [smile.price(right, strike) for strike in grid(smile)]
        steps = [sign * (later - earlier) for earlier, later in pairwise(values)]
        width = smile.discount * 0.005 * smile.forward
        assert min(steps) >= -slack
        assert max(steps) <= width + slack
        slopes = [later - earlier for earlier, later in pairwise(values)]
        assert min(later - earlier for earlier, later in pairwise(slopes)) >= -slack


@given(
    st.lists(st.tuples(st.floats(-0.05, 0.05), st.floats(0.004, 0.02), st.floats(1e-6, 1e6)), min_size=1, max_size=12),
    st.floats(0.005, 0.02),
)
def test_every_fit_is_free_of_arbitrage(rows: list[tuple[float, float, float]], guess: float) -> None:
    middle, shape = fit_smile([SmilePoint(*row) for row in rows], guess)
    assert 0.25 * guess <= middle <= 4.0 * guess
    assert abs(shape.slope) <= shape.bend + 1e-12
    assert shape.bend <= 0.9


@given(
    st.sampled_from([("SPXW", 5), ("SPY", 1), ("AAPL", 1)]),
    st.lists(st.floats(0.0, 400.0), min_size=2, max_size=40),
    st.floats(1e-6, 1.0),
)
def test_both_sides_keep_the_order_of_values(kind: tuple[str, int], values: list[float], years: float) -> None:
    terms = option_terms(1, OptionSeries(kind[0], date(2026, 11, 20), Decimal(kind[1]) * 100, Right.CALL))
    quotes = [two_sided(terms, value, years) for value in sorted(values)]
    bids = [bid or 0.0 for bid, _ in quotes]
    asks = [ask for _, ask in quotes]
    assert bids == sorted(bids)
    assert asks == sorted(asks)
    for (bid, ask), value in zip(quotes, sorted(values), strict=True):
        assert (bid or 0.0) < ask
        assert bid is None or bid > 0.0
        assert {terms.grid.nearest(side) for side in (bid or 0.0, ask)} == {bid or 0.0, ask}
        assert (bid or 0.0) <= value + 0.05 * 1.01
