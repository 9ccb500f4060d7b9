from __future__ import annotations

import math

import pytest

from htbot.domain.instruments import Right
from htbot.pricing.black import price
from htbot.pricing.smile import INDEX_SHAPE, SmilePoint, SmileShape, SmileSlice, fit_smile

SLICE = SmileSlice(forward=5500.0, discount=0.9995, years=0.004, level=0.13)


def test_stated_skew() -> None:
    assert [round(INDEX_SHAPE.factor(x), 3) for x in (-3, -1, 0, 1, 3)] == [1.249, 1.072, 1.0, 0.975, 0.98]


@pytest.mark.parametrize("right", list(Right))
@pytest.mark.parametrize("strike", [4800.0, 5400.0, 5500.0, 5560.0, 6300.0])
def test_price_is_black_at_the_volatility_of_the_strike(right: Right, strike: float) -> None:
    deviation = SLICE.volatility(strike) * math.sqrt(SLICE.years)
    expected = price(right, SLICE.forward, strike, deviation, SLICE.discount)
    assert SLICE.price(right, strike) == pytest.approx(expected, abs=1e-9)


def test_value_at_expiry_is_intrinsic() -> None:
    over = SmileSlice(5500.0, 1.0, 0.0, 0.13)
    assert (over.price(Right.CALL, 5450.0), over.price(Right.PUT, 5450.0)) == (50.0, 0.0)


def observed(shape: SmileShape, deviation: float, moneyness: list[float]) -> list[SmilePoint]:
    """Points on a smile."""
    return [SmilePoint(k, deviation * shape.factor(k / deviation), 1.0) for k in moneyness]


def test_a_smile_is_found_again() -> None:
    shape = SmileShape(slope=-0.10, bend=0.15)
    deviation, found = fit_smile(observed(shape, 0.011, [-0.03, -0.02, -0.01, 0.0, 0.01, 0.02]), guess=0.008)
    assert deviation == pytest.approx(0.011, rel=1e-3)
    assert (found.slope, found.bend) == pytest.approx((-0.10, 0.15), abs=3e-3)


@pytest.mark.parametrize("deviations", [(0.0095, 0.0053), (0.0060, 0.0060), (0.0055, 0.0065)])
def test_two_strikes_are_met(deviations: tuple[float, float]) -> None:
    points = [SmilePoint(-0.0177, deviations[0], 1.0), SmilePoint(0.0090, deviations[1], 1.0)]
    middle, shape = fit_smile(points, guess=0.007)
    for point in points:
        assert middle * shape.factor(point.moneyness / middle) == pytest.approx(point.deviation, rel=2e-3)


def test_one_strike_sets_the_level_of_the_stated_skew() -> None:
    middle, shape = fit_smile([SmilePoint(-0.01, 0.012, 5.0)], guess=0.008)
    assert middle * shape.factor(-0.01 / middle) == pytest.approx(0.012, rel=1e-3)
    assert (shape.slope, shape.bend) == pytest.approx((INDEX_SHAPE.slope, INDEX_SHAPE.bend), abs=0.02)


def test_wings_never_turn_down() -> None:
    points = [SmilePoint(k, 0.010 - 0.3 * abs(k), 1.0) for k in (-0.01, -0.005, 0.0, 0.005, 0.01)]
    _, shape = fit_smile(points, guess=0.01)
    assert abs(shape.slope) <= shape.bend + 1e-12
