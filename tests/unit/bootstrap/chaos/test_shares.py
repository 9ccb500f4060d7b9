from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random

import pytest

from htbot.bootstrap.chaos.shares import FAR, NEAR, SYMBOL, draw_shares, side_of
from htbot.domain.errors import Refused
from htbot.domain.quotes import Quote
from htbot.domain.windows import TradingWindow
from htbot.marketdata.snapshot import Snapshot
from htbot.risk.limits import Limits

NOW = datetime(2026, 3, 4, 15, tzinfo=UTC)
WINDOW = TradingWindow(NOW, *(NOW + timedelta(hours=hours) for hours in (4, 5, 5)))
LIMITS = Limits(Decimal(400), Decimal(200), Decimal(12_000))
CHART = Snapshot(
    NOW, "w", "DU1", "SPX", 1, 6900.0, None, None,
    quotes={1: Quote(1, NOW, 6899.0, 6901.0), 756: Quote(756, NOW, 690.00, 690.02)}, shares={SYMBOL: 756},
)  # fmt: skip


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("near", [True, False])
def test_stop_and_target_are_on_their_sides_of_the_touch_near_or_out_of_reach(side: int, near: bool) -> None:
    after = timedelta(seconds=20)
    asked = draw_shares("chaos001", side, after, Random(4), near=near).ask(CHART, WINDOW, LIMITS)
    rules, plan = asked.rules, asked.plan
    assert rules.stop_price is not None
    assert rules.target_price is not None
    low, high = (Decimal(str(bound)) * Decimal("690.01") for bound in (NEAR if near else FAR))
    assert low <= side * (Decimal("690.01") - rules.stop_price) <= high
    assert low <= side * (rules.target_price - Decimal("690.01")) <= high
    assert rules.exit_at == NOW + after
    assert (plan.underlying, plan.legs[0].con_id, plan.legs[0].ratio) == (SYMBOL, 756, side)
    assert (asked.told.symbol, asked.told.underlying_con_id, asked.floor_credit) == (SYMBOL, 756, None)


@pytest.mark.parametrize(
    "chart",
    [
        replace(CHART, shares={}),
        replace(CHART, quotes={1: CHART.quotes[1]}),
        replace(CHART, quotes={756: Quote(756, NOW, None, 690.02)}),
    ],
)
def test_shares_that_are_not_streamed_or_have_no_price_are_refused(chart: Snapshot) -> None:
    with pytest.raises(Refused, match=SYMBOL) as refused:
        draw_shares("chaos001", 1, None, Random(4), near=True).ask(chart, WINDOW, LIMITS)
    assert refused.value.rule == "quotes"


def test_one_run_has_one_side_and_seeds_have_both() -> None:
    assert side_of(7) == side_of(7)
    assert {side_of(seed) for seed in range(20)} == {1, -1}
