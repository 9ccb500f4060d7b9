"""Order ids: each is given once, and they come to the socket in rising order, whatever is claimed and closed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from htbot.desk.order_numbers import GAP, OrderNumbers

HEAP = 4
MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("claim"), st.integers(0, HEAP)),
        st.tuples(st.just("send"), st.just(0)),
        st.tuples(st.just("close"), st.integers(1, GAP - 1)),
        st.tuples(st.just("broker"), st.integers(0, 500)),
    ),
    max_size=60,
)


@given(MOVES)
def test_ids_are_given_once_and_leave_in_rising_order(moves: list[tuple[str, int]]) -> None:
    """Fewer closes than a gap has ids come between two claimed orders: then no claimed order is overtaken."""
    bound, sent, waiting, closes = [1], [0], list[int](), 0
    numbers = OrderNumbers(lambda: bound[0])
    for kind, value in moves:
        if kind == "claim" and not waiting:  # one heap at a time, as the desk does it
            given_ids = numbers.claim_ids(HEAP)
            waiting = given_ids[:value]
            numbers.keep(waiting)
        elif kind == "send" and waiting:
            order_id = waiting.pop(0)
            assert numbers.pass_id(order_id)
            sent.append(order_id)
            closes = 0
        elif kind == "close" and closes + value < GAP:
            closes += value
            sent += [numbers.next_id() for _ in range(value)]
        elif kind == "broker" and not waiting:  # a session begins: its bound may go back
            bound[0] = value
    assert sent == sorted(set(sent))


def test_what_is_overtaken_when_a_gap_is_used_up_is_said_to_be() -> None:
    numbers = OrderNumbers(lambda: 1)
    first, second = numbers.claim_ids(2)
    numbers.keep([first, second])
    closes = [numbers.next_id() for _ in range(GAP)]
    assert closes == [*range(1, GAP), second + 1]
    assert (numbers.pass_id(first), numbers.pass_id(second)) == (False, False)
    assert numbers.next_id() == second + 2


def test_what_the_record_did_not_take_is_free_again() -> None:
    numbers = OrderNumbers(lambda: 1)
    given_ids = numbers.claim_ids(3)
    numbers.keep(given_ids[:1])
    assert numbers.pass_id(given_ids[0])
    assert numbers.next_id() == given_ids[0] + 1
