from __future__ import annotations

import math

import pyarrow.parquet as pq
import pytest
from tests.support.shared_data import shared_file

from htbot.domain.instruments import Right
from htbot.pricing.black import implied_deviation, normal_cdf, price, sensitivities


def test_textbook_value() -> None:
    # Hull, Options, Futures and Other Derivatives, Black's model: F 20, K 20, r 9 %, sigma 25 %, 4 months, a put: 1.12
    years = 4 / 12
    value = price(Right.PUT, 20.0, 20.0, 0.25 * math.sqrt(years), math.exp(-0.09 * years))
    assert value == pytest.approx(1.12, abs=0.005)


def test_normal_distribution_keeps_its_lower_tail() -> None:
    assert normal_cdf(0.0) == 0.5
    assert normal_cdf(1.96) == pytest.approx(0.9750021, abs=1e-7)
    assert normal_cdf(-10.0) == pytest.approx(7.6198530e-24, rel=1e-6)


@pytest.mark.parametrize(("right", "value"), [(Right.CALL, 9.0), (Right.PUT, 0.0)])
def test_without_time_the_value_is_discounted_intrinsic(right: Right, value: float) -> None:
    assert price(right, 110.0, 100.0, 0.0, 0.9) == value


def test_greeks_are_the_slopes_of_the_price() -> None:
    forward, strike, volatility, years, discount = 3760.0, 3720.0, 0.17, 0.003, 0.999
    for right in Right:
        shown = sensitivities(right, forward, strike, volatility, years, discount)

        def value(f: float, v: float, t: float, right: Right = right) -> float:
            return price(right, f, strike, v * math.sqrt(t), discount)

        up, down, here = (
            value(forward + 0.1, 0.17, years),
            value(forward - 0.1, 0.17, years),
            value(forward, 0.17, years),
        )
        assert shown.delta == pytest.approx((up - down) / 0.2, rel=1e-5)
        assert shown.gamma == pytest.approx((up - 2 * here + down) / 0.01, rel=1e-3)
        assert shown.vega == pytest.approx(
            (value(forward, 0.1701, years) - value(forward, 0.1699, years)) / 0.0002, rel=1e-5
        )
        later = value(forward, 0.17, years - 1e-7)
        assert shown.theta == pytest.approx((later - here) / 1e-7, rel=1e-3)


def test_greeks_at_expiry_are_those_of_the_intrinsic_value() -> None:
    assert sensitivities(Right.PUT, 90.0, 100.0, 0.2, 0.0).delta == -1.0
    assert sensitivities(Right.CALL, 90.0, 100.0, 0.2, 0.0).delta == 0.0
    assert sensitivities(Right.CALL, 90.0, 100.0, 0.2, 0.0).theta == 0.0


@pytest.mark.parametrize("value", [0.0, -1.0, 10.0, 110.0, 200.0, float("nan"), float("inf")])
def test_no_deviation_gives_a_value_outside_its_bounds(value: float) -> None:
    assert implied_deviation(Right.CALL, value, 110.0, 100.0) is None


def test_recorded_volatilities_are_found_again() -> None:
    path = shared_file("market/derived_spxw_0dte_vertical_20210104.parquet")
    rows = pq.read_table(path).to_pylist()
    compared = 0
    for row in rows:
        forward, years = row["fwd_3700"], row["t_years_at_bar_end"]
        for right, strike in ((Right.CALL, 3700.0), (Right.PUT, 3700.0), (Right.CALL, 3800.0), (Right.PUT, 3800.0)):
            mid, expected = row[f"mid_{right}{strike:.0f}"], row[f"iv_{right}{strike:.0f}"]
            if any(number is None or math.isnan(number) for number in (mid, expected, forward)) or years <= 0:
                continue
            deviation = implied_deviation(right, mid, forward, strike)
            assert deviation is not None
            assert deviation / math.sqrt(years) == pytest.approx(expected, rel=1e-6)
            compared += 1
    assert compared > 700
