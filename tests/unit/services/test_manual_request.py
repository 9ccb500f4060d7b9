from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htbot.domain.errors import Refused
from htbot.domain.signals import Direction
from htbot.services.manual_signal import ManualRequest


def wanted(long: str, short: str, right: str | None = None) -> ManualRequest:
    return ManualRequest("vertical_spread", "SPX", 1, Decimal(long), Decimal(short), right)


@pytest.mark.parametrize(
    ("long", "short", "right", "direction"),
    [
        ("4100", "4140", None, Direction.BULL),
        ("4100", "4140", "P", Direction.BULL),
        ("4240", "4200", None, Direction.BEAR),
        ("4240", "4200", "C", Direction.BEAR),
    ],
)
def test_strikes_tell_the_direction(long: str, short: str, right: str | None, direction: Direction) -> None:
    assert wanted(long, short, right).direction is direction


@pytest.mark.parametrize(("long", "short", "right"), [("4100", "4140", "C"), ("4240", "4200", "P"), ("1", "1", None)])
def test_spread_that_pays_premium_is_refused(long: str, short: str, right: str | None) -> None:
    with pytest.raises(Refused, match="spread_shape"):
        _ = wanted(long, short, right).direction


@given(st.integers(1, 9999), st.integers(1, 9999))
def test_long_below_short_is_bullish_and_the_rest_mirrors(long: int, short: int) -> None:
    if long == short:
        return
    assert wanted(str(long), str(short)).direction == -wanted(str(short), str(long)).direction
