from __future__ import annotations

from decimal import Decimal

import pytest
from tests.support.spreads import AS_OF, LEGS, intent, marks_at, quotes

from htbot.domain.orders import OrderIntent, PriceStyle, Purpose
from htbot.execution.ladder import LadderPace, limit_at, next_change_s
from htbot.portfolio.marks import mark_spread

ENTRY = intent()
TARGET = intent(Purpose.EXIT, limit="-0.20", worst="-40")
TIME = intent(Purpose.EXIT, PriceStyle.TIME, limit="-2.00", worst="-40")
URGENT = intent(Purpose.EXIT, PriceStyle.URGENT, limit="-6.40", worst="-40")


@pytest.mark.ruling(28)
def test_rulings_28_entry_walks_from_mid_to_natural_in_ticks_of_the_combination() -> None:
    marks = marks_at("5.00", half_width="0.40")  # natural credit 4.60
    walk = [limit_at(ENTRY, marks, 5.0 * attempt, None) for attempt in range(10)]
    expected = ["5.00", "4.95", "4.90", "4.85", "4.80", "4.75", "4.70", "4.65", "4.60", "4.60"]
    assert walk == [-Decimal(credit) for credit in expected]


def test_a_wide_quote_walks_in_longer_steps_and_still_arrives() -> None:
    marks = marks_at("6.00", half_width="1.00")
    assert limit_at(ENTRY, marks, 5.0, None) == Decimal("-5.85")
    assert limit_at(ENTRY, marks, 40.0, None) == Decimal("-5.00")


def test_an_entry_never_walks_below_its_floor() -> None:
    marks = marks_at("4.10", half_width="0.40")
    assert limit_at(ENTRY, marks, 49.0, Decimal("-4.10")) == Decimal("-4.00")


def test_an_entry_follows_fresh_quotes() -> None:
    assert limit_at(ENTRY, marks_at("5.00"), 45.0, None) == Decimal("-4.90")
    assert limit_at(ENTRY, marks_at("5.50"), 45.0, Decimal("-4.90")) == Decimal("-5.40")


def test_an_entry_without_quotes_is_not_sent_and_its_last_limit_stands() -> None:
    assert limit_at(ENTRY, None, 0.0, None) is None
    assert limit_at(ENTRY, None, 20.0, Decimal("-4.80")) == Decimal("-4.80")


def test_prices_between_ticks_round_in_our_favour_until_natural() -> None:
    marks = mark_spread(LEGS, quotes((6.96, 7.01), (2.00, 2.03)), AS_OF)  # mid 4.97, natural 4.93
    assert limit_at(ENTRY, marks, 0.0, None) == Decimal("-5.00")
    assert limit_at(ENTRY, marks, 45.0, None) == Decimal("-4.90")


@pytest.mark.parametrize("exit_", [TARGET, TIME])
def test_an_exit_without_a_mid_follows_the_natural_price(exit_: OrderIntent) -> None:
    for ask, wanted in ((3.05, "-1.05"), (4.05, "-2.05")):
        marks = mark_spread(LEGS, quotes((None, ask), (2.00, 2.10)), AS_OF)
        assert (marks.mid_cost, limit_at(exit_, marks, 10.0, Decimal("-9.00"))) == (None, Decimal(wanted))


@pytest.mark.ruling(11)
def test_rulings_11_target_walks_from_mid_up_to_natural() -> None:
    marks = marks_at("0.20", half_width="0.10")
    assert limit_at(TARGET, marks, 0.0, None) == Decimal("-0.20")
    assert limit_at(TARGET, marks, 45.0, None) == Decimal("-0.30")


@pytest.mark.ruling(11)
def test_rulings_11_time_reaches_natural_within_60_s() -> None:
    marks = marks_at("2.00", half_width="0.60")
    slow = LadderPace(step_s=5.0, attempts=60)
    assert limit_at(TIME, marks, 0.0, None, slow) == Decimal("-2.00")
    assert limit_at(TIME, marks, 59.9, None, slow) > Decimal("-2.60")
    assert limit_at(TIME, marks, 60.0, None, slow) == Decimal("-2.60")
    assert limit_at(TARGET, marks, 60.0, None, slow) > Decimal("-2.60")


@pytest.mark.ruling(11)
@pytest.mark.parametrize(
    ("elapsed_s", "cost"), [(0.0, "6.35"), (2.9, "6.35"), (3.0, "6.45"), (6.0, "6.55"), (30.0, "7.35")]
)
def test_rulings_11_urgent_is_natural_and_a_tick_then_two_more_every_3_s(elapsed_s: float, cost: str) -> None:
    assert limit_at(URGENT, marks_at("6.20"), elapsed_s, None) == -Decimal(cost)


@pytest.mark.ruling(10)
@pytest.mark.ruling(16)
def test_rulings_10_the_debit_is_capped_at_the_width() -> None:
    assert limit_at(URGENT, marks_at("39.90"), 60.0, None) == Decimal(-40)
    assert limit_at(TARGET, marks_at("41.00"), 0.0, None) == Decimal(-40)


def test_an_exit_pays_at_least_one_tick() -> None:
    worthless = mark_spread(LEGS, quotes((None, 0.05), (None, 0.05)), AS_OF)
    assert limit_at(TARGET, worthless, 0.0, None) == Decimal("-0.05")  # no bid on the sold leg, so no mid
    cheap = mark_spread(LEGS, quotes((0.05, 0.10), (0.05, 0.10)), AS_OF)
    assert limit_at(TARGET, cheap, 0.0, None) == Decimal("-0.05")


def test_an_exit_without_quotes_keeps_its_last_limit() -> None:
    assert limit_at(URGENT, None, 30.0, Decimal("-6.55")) == Decimal("-6.55")
    assert limit_at(URGENT, None, 0.0, None) == Decimal("-6.40")


def test_an_exit_can_become_urgent_on_its_way() -> None:
    assert limit_at(TIME, marks_at("2.00"), 3.0, None, style=PriceStyle.URGENT) == Decimal("-2.25")


def test_next_change() -> None:
    assert next_change_s(ENTRY, 0.0) == 5.0
    assert next_change_s(ENTRY, 44.9) == 45.0
    assert next_change_s(ENTRY, 45.0) is None
    assert next_change_s(TARGET, 100.0) == 105.0
    assert next_change_s(URGENT, 3.0) == 6.0
    assert next_change_s(TIME, 4.0, style=PriceStyle.URGENT) == 6.0


@pytest.mark.parametrize(("attempts", "steps"), [(1, 0), (2, 1), (3, 1), (10, 8)])
def test_the_last_attempts_stand_at_natural(attempts: int, steps: int) -> None:
    pace = LadderPace(5.0, attempts)
    assert pace.steps_to_natural == steps
    assert limit_at(ENTRY, marks_at("5.00"), 5.0 * (attempts - 1), None, pace) == Decimal("-4.90")


@pytest.mark.parametrize(("step_s", "attempts"), [(0.0, 10), (-1.0, 10), (5.0, 0)])
def test_a_ladder_without_steps_is_refused(step_s: float, attempts: int) -> None:
    with pytest.raises(ValueError, match="attempts >= 1 and step_s > 0"):
        LadderPace(step_s, attempts)
