from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from tests.support.paper_world import SESSIONS, START, HandMarket

from htbot.market.instants import last_instant, next_instant

CLOSES = SESSIONS.all()[0].closes


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def test_without_orders_the_grid_and_the_market_say_when() -> None:
    assert next_instant(HandMarket(), after(0), []) == after(30)
    assert next_instant(HandMarket(step_s=7), after(0), []) == HandMarket(step_s=7).next_event(after(0))


@pytest.mark.parametrize(
    ("now", "working", "expected"),
    [
        (0, [None], 5),
        (3, [None], 5),
        (0, [after(2)], 2),
        (5, [after(2)], 10),
        (28, [None], 30),
    ],
)
def test_a_working_order_sees_every_five_seconds_and_its_end(
    now: float, working: list[datetime | None], expected: float
) -> None:
    assert next_instant(HandMarket(), after(now), working) == after(expected)


def test_other_instants_are_not_skipped() -> None:
    assert next_instant(HandMarket(), after(0), [], [after(-1), after(12)]) == after(12)


def test_the_close_is_an_instant_and_orders_end_with_it() -> None:
    market = HandMarket(step_s=3600)
    assert next_instant(market, CLOSES - timedelta(seconds=10), []) == CLOSES
    assert next_instant(market, CLOSES, [None]) == CLOSES + timedelta(seconds=30)


def test_tasks_go_on_for_five_minutes_and_a_world_that_ends_has_them() -> None:
    market = HandMarket(end=CLOSES)
    assert last_instant(market) == CLOSES + timedelta(minutes=5)
    assert next_instant(market, CLOSES + timedelta(minutes=4, seconds=30), []) == CLOSES + timedelta(minutes=5)
    assert next_instant(market, CLOSES + timedelta(minutes=5), []) is None


def test_a_world_may_end_within_a_session() -> None:
    market = HandMarket(end=after(40))
    assert last_instant(market) == after(40)
    assert next_instant(market, after(30), []) is None
    assert last_instant(HandMarket()) is None
