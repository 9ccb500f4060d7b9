"""Stops and targets inside a bar, and the touch around a price."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htbot.domain.bars import TapeBar
from htbot.domain.instruments import SecType
from htbot.engine.bar_account import MICRO
from htbot.engine.bar_parts import Leave
from htbot.engine.bar_path import first_hit, touch_u
from htbot.market.touch import touch_of  # the gateway's own, to compare with


def bar(opened: float, high: float, low: float, close: float) -> TapeBar:
    return TapeBar(0, 1, 570, 575, 960, False, opened, high, low, close, 1.0)


def hit(prices: tuple[float, float, float, float], side: int, stop: float, target: float) -> tuple[Leave, float]:
    found = first_hit(bar(*prices), side, round(stop * MICRO), round(target * MICRO))
    return Leave(found.reason), found.price_u / MICRO


@pytest.mark.ruling(19)
@pytest.mark.parametrize(
    ("prices", "side", "stop", "target", "expected"),
    [
        ((100, 101, 99.5, 100.5), 1, 99, 102, (Leave.STAY, 0)),
        ((100, 102, 99.5, 101), 1, 99, 102, (Leave.PROFIT_TARGET, 102)),
        ((100, 101, 98.5, 101), 1, 99, 102, (Leave.STOP_LOSS, 99)),
        # both: the nearer extreme comes first
        ((100, 103, 98.5, 100), 1, 99, 102, (Leave.STOP_LOSS, 99)),
        ((100, 102, 96, 100), 1, 99, 102, (Leave.PROFIT_TARGET, 102)),
        # equally near: the low first when the bar rises, else the high
        ((100, 103, 97, 101), 1, 99, 102, (Leave.STOP_LOSS, 99)),
        ((100, 103, 97, 99.5), 1, 99, 102, (Leave.PROFIT_TARGET, 102)),
        # gaps are taken at the open
        ((98, 99.5, 97, 99), 1, 99, 102, (Leave.STOP_LOSS, 98)),
        ((104, 105, 103, 104), 1, 99, 102, (Leave.PROFIT_TARGET, 104)),
        # short positions mirror
        ((100, 101.5, 99.5, 100), -1, 101, 98, (Leave.STOP_LOSS, 101)),
        ((100, 100.5, 97, 98), -1, 101, 98, (Leave.PROFIT_TARGET, 98)),
        ((102, 103, 101, 102), -1, 101, 98, (Leave.STOP_LOSS, 102)),
        ((100, 101.5, 95, 100), -1, 101, 98, (Leave.STOP_LOSS, 101)),
    ],
)
def test_the_first_of_stop_and_target_on_the_path(
    prices: tuple[float, float, float, float],
    side: int,
    stop: float,
    target: float,
    expected: tuple[Leave, float],
) -> None:
    assert hit(prices, side, stop, target) == expected


@given(st.integers(1_000, 10_000_000))
def test_the_touch_is_the_paper_gateways(hundredths_of_a_cent: int) -> None:
    price = hundredths_of_a_cent / 10_000
    touch = touch_of(SecType.STOCK, Decimal("0.01"))
    assert touch_u(hundredths_of_a_cent * 100, +1) / MICRO == pytest.approx(touch.above(price), abs=1e-9)
    assert touch_u(hundredths_of_a_cent * 100, -1) / MICRO == pytest.approx(touch.below(price), abs=1e-9)
