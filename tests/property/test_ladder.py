from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.examples import some_hundred
from tests.support.spreads import AS_OF, LEGS, LONG, SHORT, intent, quotes

from htbot.domain.orders import WALKING, OrderIntent, PriceStyle, Purpose
from htbot.execution.ladder import DEFAULT_PACE, LadderPace, limit_at, next_change_s
from htbot.portfolio.marks import Marks, mark_spread

ticks = st.sampled_from(["0.01", "0.05"])
cents = st.integers(min_value=1, max_value=6000)


@st.composite
def spread_marks(draw: st.DrawFn) -> Marks:
    """Any two-sided quotes of both legs, also wide or upside down."""
    sides = []
    for _leg in (SHORT, LONG):
        low = draw(cents)
        sides.append((low / 100, (low + draw(st.integers(0, 400))) / 100))
    return mark_spread(LEGS, quotes(sides[0], sides[1]), AS_OF)


@st.composite
def intents(draw: st.DrawFn) -> OrderIntent:
    purpose = draw(st.sampled_from(Purpose))
    worst = "-40" if purpose is Purpose.EXIT else draw(st.sampled_from(["-0.20", "-2.00", "-4.00"]))
    limit = "-6.00"
    return intent(purpose, draw(st.sampled_from(sorted(WALKING))), limit, worst, draw(ticks))


def check_limit(order: OrderIntent, limit: Decimal) -> None:
    """On the grid, never beyond the floor or the strike width."""
    assert limit % order.tick == 0
    if order.purpose is Purpose.ENTRY:
        assert limit <= order.worst_limit < 0  # receives at least the floor
    else:
        assert order.worst_limit <= limit <= -order.tick  # pays at most the width


@some_hundred
@given(intents(), st.lists(spread_marks(), min_size=1, max_size=4), st.floats(0, 200))
def test_every_limit_is_on_the_grid_and_within_the_worst(
    order: OrderIntent, seen: list[Marks], elapsed_s: float
) -> None:
    current = None
    for step, marks in enumerate(seen):
        current = limit_at(order, marks, elapsed_s + step, current)
        assert current is not None
        check_limit(order, current)


paces = st.builds(LadderPace, step_s=st.sampled_from([0.5, 1.0, 5.0, 7.5]), attempts=st.integers(1, 25))


@pytest.mark.ruling(11)
@pytest.mark.ruling(28)
@some_hundred
@given(intents(), paces, spread_marks(), st.lists(st.one_of(st.none(), spread_marks()), min_size=30, max_size=30))
def test_a_walk_over_any_books_keeps_its_promises(
    order: OrderIntent, pace: LadderPace, first: Marks, later: list[Marks | None]
) -> None:
    """Quotes move, widen, turn upside down and go missing between any two steps."""
    current = limit_at(order, first, 0.0, None, pace)
    assert current is not None
    check_limit(order, current)
    elapsed_s, steps = 0.0, 1
    for marks in later:
        following = next_change_s(order, elapsed_s, pace)
        if following is None:
            break
        assert following > elapsed_s
        elapsed_s, steps = following, steps + 1
        limit = limit_at(order, marks, elapsed_s, current, pace)
        assert limit is not None
        if marks is None:
            assert limit == current, "without quotes the last limit stands"
        check_limit(order, limit)
        current = limit
    if order.purpose is Purpose.ENTRY:
        assert steps <= pace.attempts
        assert elapsed_s < pace.budget_s
        assert steps == min(pace.attempts, 31)


@pytest.mark.ruling(11)
@some_hundred
@given(intents(), paces, spread_marks())
def test_while_quotes_stand_a_limit_only_gives_way(order: OrderIntent, pace: LadderPace, marks: Marks) -> None:
    """An entry asks for less and less, an exit pays more and more."""
    walk, elapsed_s = [limit_at(order, marks, 0.0, None, pace)], 0.0
    for _ in range(30):
        following = next_change_s(order, elapsed_s, pace)
        if following is None:
            break
        elapsed_s = following
        walk.append(limit_at(order, marks, elapsed_s, walk[-1], pace))
    sign = 1 if order.purpose is Purpose.ENTRY else -1
    for before, after in pairwise(walk):
        assert before is not None
        assert after is not None
        assert sign * after >= sign * before


@some_hundred
@given(spread_marks(), ticks)
def test_an_entry_only_gives_way_and_ends_at_natural_within_its_budget(marks: Marks, tick: str) -> None:
    order = intent(worst="-0.05", tick=tick)
    walk, elapsed_s = [], 0.0
    while True:
        limit = limit_at(order, marks, elapsed_s, walk[-1] if walk else None)
        assert limit is not None
        walk.append(limit)
        following = next_change_s(order, elapsed_s)
        if following is None:
            break
        assert elapsed_s < following < DEFAULT_PACE.budget_s
        elapsed_s = following
    assert len(walk) == DEFAULT_PACE.attempts
    assert walk == sorted(walk)
    natural = marks.natural_credit
    assert natural is not None
    # marketable: asks for no more than natural, or stands at its floor
    assert -walk[-1] <= natural or walk[-1] == order.worst_limit


@some_hundred
@given(spread_marks(), ticks, st.sampled_from([PriceStyle.LADDER, PriceStyle.TIME]))
def test_an_exit_reaches_natural_within_60_s(marks: Marks, tick: str, style: PriceStyle) -> None:
    order = intent(Purpose.EXIT, style, worst="-40", tick=tick)
    walk = [limit_at(order, marks, float(second), None) for second in range(61)]
    costs = [-limit for limit in walk if limit is not None]
    assert costs == sorted(costs)
    assert marks.natural_cost is not None
    assert costs[-1] >= min(marks.natural_cost, Decimal(40))


@some_hundred
@given(spread_marks(), ticks, st.floats(0, 120))
def test_an_urgent_exit_is_always_marketable(marks: Marks, tick: str, elapsed_s: float) -> None:
    order = intent(Purpose.EXIT, PriceStyle.URGENT, worst="-40", tick=tick)
    limit = limit_at(order, marks, elapsed_s, None)
    assert limit is not None
    assert marks.natural_cost is not None
    assert -limit >= min(marks.natural_cost, Decimal(40))
