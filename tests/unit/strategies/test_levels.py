from __future__ import annotations

import math

import pytest

from htbot.strategies.levels import above, below, confidence, nearness, reward_to_risk


@pytest.mark.parametrize(
    ("price", "is_above", "is_below"),
    [(512, True, True), (512.5, True, False), (512.51, False, False), (511.5, False, True), (511.49, False, False)],
)
def test_near_a_level_is_at_it_or_on_one_side_of_it(price: float, is_above: bool, is_below: bool) -> None:
    assert (above(price, 512, 1 / 1024), below(price, 512, 1 / 1024)) == (is_above, is_below)


def test_an_unknown_level_is_near_nothing() -> None:
    assert (above(500, math.nan, 0.1), below(500, math.nan, 0.1)) == (False, False)


@pytest.mark.parametrize(
    ("price", "stop", "target", "ratio"), [(500, 498, 503, 1.5), (500, 502, 497, 1.5), (500, 499.95, 500.1, 2)]
)
def test_reward_over_risk_on_either_side(price: float, stop: float, target: float, ratio: float) -> None:
    assert reward_to_risk(price, stop, target) == pytest.approx(ratio, rel=1e-9)


@pytest.mark.parametrize(("stop", "target"), [(500, 510), (math.nan, 510), (490, math.nan)])
def test_reward_over_risk_is_unknown_without_a_risk(stop: float, target: float) -> None:
    assert math.isnan(reward_to_risk(500, stop, target))


def test_confidence_of_an_unknown_volume_counts_it_as_nothing() -> None:
    assert confidence(0.5, math.nan, 0.9) == pytest.approx(0.5 + 0.15 + 0.18)
    assert confidence(0.5, 0.0, 0.9) == confidence(0.5, math.nan, 0.9)
    assert confidence(0.0, 5.0, 0.0) == pytest.approx(0.7)
    assert confidence(1.0, 1.0, 1.0) == 1.0


def test_nearness_falls_from_1_to_0() -> None:
    assert [nearness(price, 500, 0.01) for price in (500, 502.5, 497.5, 505)] == pytest.approx([1, 0.5, 0.5, 0])
