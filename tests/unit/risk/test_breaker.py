from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.record import NOON

from htbot.risk.breaker import BreakerLimits, Cause, DayFigures, daily_result, drawdown, judge_breaker, loss_limit

LIMITS = BreakerLimits(daily_loss_usd=Decimal(500))
CALM = DayFigures(
    realized_usd=Decimal(0),
    commissions_usd=Decimal(0),
    unrealized_usd=Decimal(0),
    start_unrealized_usd=Decimal(0),
    equity_usd=Decimal(100_000),
    start_equity_usd=Decimal(100_000),
    peak_equity_usd=Decimal(100_000),
)
dollars = st.decimals(-10_000, 10_000, places=2)


def cause(**changes: object) -> Cause | None:
    trip = judge_breaker(replace(CALM, **changes), LIMITS, NOON)
    return None if trip is None else trip.cause


def test_a_calm_day_trips_nothing() -> None:
    assert cause() is None


@pytest.mark.ruling(13)
@pytest.mark.parametrize(("pnl", "trips"), [("-499.99", None), ("-500.00", Cause.DAILY_LOSS)])
def test_the_daily_loss_trips_at_its_limit(pnl: str, trips: Cause | None) -> None:
    assert cause(realized_usd=Decimal(pnl)) is trips
    assert cause(unrealized_usd=Decimal(pnl)) is trips
    assert cause(broker_daily_usd=Decimal(pnl)) is trips
    assert cause(commissions_usd=-Decimal(pnl)) is trips


def test_every_part_of_the_day_counts_with_its_sign() -> None:
    figures = replace(
        CALM,
        realized_usd=Decimal(-200),
        unrealized_usd=Decimal(-350),
        start_unrealized_usd=Decimal(-100),
        commissions_usd=Decimal("9.84"),
    )
    assert daily_result(figures).usd == Decimal("-459.84")


@given(own=dollars, broker=dollars)
def test_the_worse_of_ours_and_the_brokers_counts(own: Decimal, broker: Decimal) -> None:
    result = daily_result(replace(CALM, realized_usd=own, broker_daily_usd=broker))
    assert result.usd == min(own, broker)


@pytest.mark.parametrize("part", ["realized_usd", "commissions_usd", "unrealized_usd", "start_unrealized_usd"])
def test_an_unknown_part_is_unknown_and_named(part: str) -> None:
    figures = replace(CALM, **{part: None}, equity_usd=None)
    result = daily_result(figures)
    assert (result.usd, result.own_usd, len(result.unknown)) == (None, None, 1)
    assert judge_breaker(figures, LIMITS, NOON) is None
    told = judge_breaker(replace(figures, broker_daily_usd=Decimal(-500)), LIMITS, NOON)
    assert told is not None
    assert result.unknown[0] in told.reason
    assert told.figures["Not known"] == result.unknown[0]


def test_net_liquidation_stands_in_only_where_the_day_is_unknown() -> None:
    fallen = {"equity_usd": Decimal(99500), "peak_equity_usd": Decimal(100_000)}
    assert cause(**fallen) is None
    assert cause(**fallen, unrealized_usd=None) is Cause.DAILY_LOSS


def test_the_share_of_the_starts_equity_is_the_tighter_limit() -> None:
    limits = replace(LIMITS, daily_loss_fraction=Decimal("0.01"))
    assert loss_limit(limits, Decimal(30_000)) == 300
    assert loss_limit(limits, Decimal(100_000)) == 500
    assert loss_limit(limits, None) == 500
    small = replace(CALM, start_equity_usd=Decimal(30_000))
    assert judge_breaker(replace(small, realized_usd=Decimal("-299.99")), limits, NOON) is None
    assert judge_breaker(replace(small, realized_usd=Decimal(-300)), limits, NOON) is not None


@pytest.mark.parametrize(("equity", "trips"), [("90000.01", None), ("90000.00", Cause.DRAWDOWN)])
def test_the_drawdown_trips_at_its_limit(equity: str, trips: Cause | None) -> None:
    assert cause(equity_usd=Decimal(equity)) is trips


def test_drawdown_is_zero_above_the_peak_and_unknown_without_one() -> None:
    assert drawdown(Decimal(101), Decimal(100)) == 0
    assert drawdown(Decimal(101), None) is None
    assert drawdown(None, Decimal(100)) is None


@pytest.mark.parametrize(
    ("ages_s", "trips"),
    [((1, 2, 3, 4), None), ((1, 2, 3, 4, 299.9), Cause.ORDER_REJECTS), ((1, 2, 3, 4, 300), None)],
)
def test_five_rejects_within_five_minutes_trip(ages_s: tuple[float, ...], trips: Cause | None) -> None:
    assert cause(rejected_at=tuple(NOON - timedelta(seconds=age) for age in ages_s)) is trips


def test_what_a_person_must_look_at_is_not_hidden_by_a_daily_loss() -> None:
    lost = {"realized_usd": Decimal(-900)}
    assert cause(**lost, mismatch_unresolved=True) is Cause.RECONCILIATION
    assert cause(**lost, broken_invariant="-2 filled, -1 asked for") is Cause.INVARIANT
    assert cause(**lost, equity_usd=Decimal(80_000)) is Cause.DRAWDOWN
    assert [each for each in Cause if each.ends_with_session] == [Cause.DAILY_LOSS]


def test_after_a_reset_only_what_was_lost_since_counts() -> None:
    assert cause(realized_usd=Decimal(-700), loss_base_usd=Decimal(-600)) is None
    assert cause(realized_usd=Decimal(-1100), loss_base_usd=Decimal(-600)) is Cause.DAILY_LOSS
