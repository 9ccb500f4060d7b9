from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.examples import some_hundred
from tests.support.spreads import AS_OF, LONG, marks_at, trade

from htbot.domain.errors import StopTrading
from htbot.domain.orders import Action, ExitReason
from htbot.domain.signals import SpreadLeg
from htbot.execution.intents import closable_quantity, exit_intent

ratios = st.sampled_from([-3, -2, -1, 1, 2, 3])
Books = tuple[tuple[SpreadLeg, ...], dict[int, int], dict[int, int] | None]


@st.composite
def books(draw: st.DrawFn) -> Books:
    """Up to four legs of any ratio; both books hold whatever they like, of other contracts too; one may be unknown."""
    numbers = range(1, draw(st.integers(1, 4)) + 1)
    legs = tuple(replace(LONG, con_id=number, ratio=draw(ratios)) for number in numbers)
    held = st.dictionaries(st.integers(1, 6), st.integers(-20, 20))
    near = st.fixed_dictionaries(
        {leg.con_id: st.integers(0, 8).map(lambda units, leg=leg: units * leg.ratio) for leg in legs}
    )
    book = st.one_of(held, near)
    return legs, draw(book), draw(st.one_of(st.none(), book))


def opens_or_turns(legs: tuple[SpreadLeg, ...], book: Mapping[int, int], quantity: int) -> bool:
    """Whether selling so many spreads would make a leg larger, or cross zero, in a book."""
    for leg in legs:
        before = book.get(leg.con_id, 0)
        after = before - leg.ratio * quantity
        if quantity and (abs(after) >= abs(before) or after * before < 0):
            return True
    return False


@pytest.mark.ruling(10)
@some_hundred
@given(books())
def test_a_close_only_ever_reduces_and_leaves_nothing_that_it_could_close(held: Books) -> None:
    legs, ours, broker = held
    quantity = closable_quantity(legs, ours, broker)
    known = [ours] if broker is None else [ours, broker]
    assert quantity >= 0
    assert not any(opens_or_turns(legs, book, quantity) for book in known)
    assert any(opens_or_turns(legs, book, quantity + 1) for book in known)


@pytest.mark.ruling(10)
@some_hundred
@given(books(), st.integers(1, 6))
def test_what_the_broker_shows_can_only_make_a_close_smaller(held: Books, con_id: int) -> None:
    legs, ours, broker = held
    alone = closable_quantity(legs, ours)
    assert closable_quantity(legs, ours, broker) <= alone
    if any(leg.con_id == con_id for leg in legs):
        assert closable_quantity(legs, ours, {**(broker or ours), con_id: 0}) == 0


@pytest.mark.ruling(10)
@some_hundred
@given(st.integers(1, 20), st.integers(-2, 25), st.sampled_from(ExitReason))
def test_no_exit_of_more_than_the_trade_holds_can_be_made(holds: int, quantity: int, reason: ExitReason) -> None:
    held = trade(quantity=holds)
    if not 1 <= quantity <= holds:
        with pytest.raises(StopTrading, match=f"which holds {holds}"):
            exit_intent(held, reason, marks_at("3.00"), AS_OF, quantity)
        return
    order = exit_intent(held, reason, marks_at("3.00"), AS_OF, quantity)
    assert (order.action, order.quantity, order.legs) == (Action.SELL, quantity, held.legs)
    assert -order.worst_limit <= held.width
