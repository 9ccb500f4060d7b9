from __future__ import annotations

from itertools import product

import pytest

from htbot.domain.errors import StopTrading
from htbot.domain.orders import IntentState, OrderState
from htbot.execution.states import (
    INTENT_MOVES,
    INTENT_OVER,
    ORDER_MOVES,
    ORDER_OVER,
    IllegalTransition,
    IntentEvent,
    OrderEvent,
    intent_event_for,
    next_intent_state,
    next_order_state,
)

SENT_AGAIN = {IntentState.CLAIMED, IntentState.UNKNOWN}


def test_every_state_has_its_row() -> None:
    assert set(INTENT_MOVES) == set(IntentState)
    assert set(ORDER_MOVES) == set(OrderState)


@pytest.mark.parametrize(("state", "event"), list(product(IntentState, IntentEvent)))
def test_an_intent_moves_as_in_the_table_or_raises(state: IntentState, event: IntentEvent) -> None:
    if event in INTENT_MOVES[state]:
        assert next_intent_state(state, event) is INTENT_MOVES[state][event]
    else:
        with pytest.raises(IllegalTransition, match=f"intent in state {state}"):
            next_intent_state(state, event)


@pytest.mark.parametrize(("state", "event"), list(product(OrderState, OrderEvent)))
def test_an_order_moves_as_in_the_table_or_raises(state: OrderState, event: OrderEvent) -> None:
    if event in ORDER_MOVES[state]:
        assert next_order_state(state, event) is ORDER_MOVES[state][event]
    else:
        with pytest.raises(StopTrading, match=f"order in state {state}"):
            next_order_state(state, event)


def test_only_a_claim_or_a_doubt_leads_to_sending() -> None:
    leading = {state for state, moves in INTENT_MOVES.items() if IntentState.SENDING in moves.values()}
    assert leading == SENT_AGAIN


def test_nothing_goes_back_to_pending_after_sending() -> None:
    leading = {state for state, moves in INTENT_MOVES.items() if IntentState.PENDING in moves.values()}
    assert leading == {IntentState.CLAIMED}


def test_an_intent_that_may_be_at_the_broker_is_never_withdrawn() -> None:
    for state in (IntentState.WORKING, IntentState.UNKNOWN, IntentState.FILLED):
        with pytest.raises(IllegalTransition):
            next_intent_state(state, IntentEvent.WITHDRAW)


@pytest.mark.ruling(4)
@pytest.mark.parametrize("state", [IntentState.SENDING, IntentState.WORKING])
def test_doubt_is_unknown_never_rejected(state: IntentState) -> None:
    assert next_intent_state(state, IntentEvent.DOUBT) is IntentState.UNKNOWN


@pytest.mark.fault(37)
@pytest.mark.parametrize("state", sorted(ORDER_OVER - {OrderState.FILLED, OrderState.REJECTED}))
def test_faults_37_a_fill_after_the_end_is_booked(state: OrderState) -> None:
    assert next_order_state(state, OrderEvent.FULL_FILL) is OrderState.FILLED
    assert next_order_state(state, OrderEvent.PARTIAL_FILL) is state


def test_a_fill_of_a_rejected_order_stops() -> None:
    with pytest.raises(IllegalTransition):
        next_order_state(OrderState.REJECTED, OrderEvent.FULL_FILL)


@pytest.mark.parametrize("state", sorted(ORDER_OVER - {OrderState.FILLED}))
def test_a_sign_of_life_of_a_dead_order_is_looked_up(state: OrderState) -> None:
    assert next_order_state(state, OrderEvent.ACKNOWLEDGE) is OrderState.UNKNOWN


@pytest.mark.parametrize(
    ("state", "event"),
    [
        (OrderState.PARTIAL, OrderEvent.ACKNOWLEDGE),
        (OrderState.PENDING_CANCEL, OrderEvent.ACKNOWLEDGE),
        (OrderState.PENDING_CANCEL, OrderEvent.PARTIAL_FILL),
        (OrderState.FILLED, OrderEvent.FULL_FILL),
        (OrderState.FILLED, OrderEvent.ACKNOWLEDGE),
        (OrderState.CANCELLED, OrderEvent.CANCEL),
        (OrderState.REJECTED, OrderEvent.CANCEL),
    ],
)
def test_repeats_change_nothing(state: OrderState, event: OrderEvent) -> None:
    assert next_order_state(state, event) is state


@pytest.mark.parametrize("state", OrderState)
def test_an_order_s_end_is_its_intent_s_end(state: OrderState) -> None:
    event = intent_event_for(state)
    if state is OrderState.SENDING:
        assert event is None
    else:
        assert event is not None
        moved = next_intent_state(IntentState.WORKING, event)
        assert (moved in INTENT_OVER) is (state in ORDER_OVER)


def test_the_two_tables_agree_whatever_the_broker_says() -> None:
    """From the send on, no sequence of news brings an order to a state that its intent cannot follow to."""
    seen = {(IntentState.SENDING, OrderState.SENDING)}
    todo = list(seen)
    while todo:
        intent, order = todo.pop()
        for moved in ORDER_MOVES[order].values():
            event = intent_event_for(moved)
            pair = (intent if event is None else next_intent_state(intent, event), moved)
            if pair not in seen:
                seen.add(pair)
                todo.append(pair)
    assert {order for _, order in seen} == set(OrderState)
    assert all((order in ORDER_OVER) is (intent in INTENT_OVER) for intent, order in seen)


@pytest.mark.parametrize("state", [OrderState.CANCELLED, OrderState.EXPIRED])
def test_a_late_refusal_of_what_has_ended_changes_nothing(state: OrderState) -> None:
    assert next_order_state(state, OrderEvent.REJECT) is state
    event = intent_event_for(state)
    assert event is not None
    ended = next_intent_state(IntentState.WORKING, event)
    assert next_intent_state(ended, IntentEvent.REJECT) is ended
