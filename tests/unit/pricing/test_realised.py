from __future__ import annotations

import math

import pytest

from htbot.pricing.realised import close_to_close, modelled_level


def closes(changes: list[float]) -> list[float]:
    """Closes from log changes."""
    prices = [100.0]
    for change in changes:
        prices.append(prices[-1] * math.exp(change))
    return prices


def test_volatility_is_the_sample_deviation_of_log_changes_per_252_sessions() -> None:
    assert close_to_close(closes([0.01, -0.01, 0.01, -0.01])) == pytest.approx(math.sqrt(4e-4 / 3) * math.sqrt(252))


def test_two_changes_are_the_least() -> None:
    assert close_to_close([100.0, 101.0]) is None
    assert close_to_close(closes([0.01, 0.02])) is not None


def test_ruling_24_premium_floor_and_twenty_sessions() -> None:
    wild = closes([0.03, -0.03] * 10)
    shown = close_to_close(wild)
    assert shown is not None
    assert modelled_level(wild) == pytest.approx(1.1 * shown)
    assert modelled_level(closes([0.001, -0.001] * 10)) == 0.12
    assert modelled_level([100.0]) == 0.12
    before = [50.0, 90.0, 40.0, wild[0]]  # more than twenty changes ago: does not count
    assert modelled_level(before[:-1] + wild) == pytest.approx(1.1 * shown)
