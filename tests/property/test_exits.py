from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.spreads import AS_OF, LEGS, SESSION, Sides, quotes, trade

from htbot.domain.orders import ExitReason
from htbot.execution.exits import ExitWatch, exit_decision
from htbot.portfolio.marks import mark_spread
from htbot.portfolio.pnl import open_pnl

sides = st.one_of(
    st.none(),
    st.sampled_from([-1.0, 0.0, float("nan"), float("inf")]),
    st.integers(1, 2000).map(lambda cents: cents / 100),
)
legs = st.tuples(sides, sides)
Look = tuple[int, int, Sides, Sides]
looks = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 8), legs, legs), min_size=1, max_size=12)


@pytest.mark.ruling(6)
@given(looks)
def test_a_price_exit_always_rests_on_a_believable_price_that_reached_its_limit(seen: list[Look]) -> None:
    held, watch, now = trade("4.20"), ExitWatch(), AS_OF
    for wait_s, age_s, short, long in seen:
        now += timedelta(seconds=wait_s)
        marks = mark_spread(LEGS, quotes(short, long, now - timedelta(seconds=age_s)), now)
        decision, watch = exit_decision(held, marks, watch, now)
        if decision is None or decision.reason is ExitReason.OTHER:
            continue
        assert marks.believable
        pnl = open_pnl(held, marks, "mid")
        assert pnl is not None
        if decision.reason is ExitReason.STOP_LOSS:
            assert pnl <= Decimal(-200)
        else:
            assert decision.reason is ExitReason.PROFIT_TARGET
            assert pnl >= Decimal(400)


@pytest.mark.ruling(6)
@given(looks)
def test_a_believable_stop_never_waits(seen: list[Look]) -> None:
    held, watch, now = trade("4.20"), ExitWatch(), AS_OF
    for wait_s, age_s, short, long in seen:
        now += timedelta(seconds=wait_s)
        marks = mark_spread(LEGS, quotes(short, long, now - timedelta(seconds=age_s)), now)
        decision, watch = exit_decision(held, marks, watch, now)
        pnl = open_pnl(held, marks, "mid")
        if marks.believable and pnl is not None and pnl <= Decimal(-200):
            assert decision is not None


@given(legs, legs, st.integers(0, 3600))
def test_from_the_exit_time_on_every_look_closes_whatever_the_quotes(short: Sides, long: Sides, late_s: int) -> None:
    now = SESSION.at(15, 0) + timedelta(seconds=late_s)
    marks = mark_spread(LEGS, quotes(short, long, now), now)
    decision, _ = exit_decision(trade("4.20"), marks, ExitWatch(), now)
    assert decision is not None
    assert decision.reason is (ExitReason.TIME if late_s < 45 * 60 else ExitReason.MARKET_CLOSE)
