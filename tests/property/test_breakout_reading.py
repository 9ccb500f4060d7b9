"""The independent reading walks the same path inside a bar as the paper gateway does (RULINGS 19)."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from tests.support.breakout_reading import Row, seen_until

from htbot.market.path import PathBar, SessionPath

prices = st.integers(40_000, 40_040).map(lambda cents: cents / 100)


@given(st.lists(prices, min_size=4, max_size=4), st.sampled_from([1, 2, 3, 5, 10, 15]), st.integers(0, 30))
def test_extremes_and_last_price_agree_at_every_grid_instant(four: list[float], minutes: int, grid_point: int) -> None:
    first, second, *_ = four
    candle = PathBar(first, max(four), min(four), second, 0.0)
    path = SessionPath(0, minutes * 60, minutes * 60, [0], [candle])
    passed_s = min(grid_point * 30, minutes * 60)
    row = Row(datetime(2022, 8, 26, tzinfo=UTC), candle.open, candle.high, candle.low, candle.close)
    seen = path.stretch(0, 0, passed_s)
    assert seen_until(row, passed_s, minutes * 60) == (seen.high, seen.low, seen.close)
