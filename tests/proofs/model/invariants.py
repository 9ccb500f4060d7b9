"""What must hold in every state, and what the end has to look like."""

from __future__ import annotations

from tests.proofs.model.world import (
    CANCELLED,
    ENTRY,
    EXIT,
    FILLED,
    INACTIVE,
    UP,
    WORKING,
    Bounds,
    Protocol,
    Request,
    Violation,
    World,
)

from htbot.domain.orders import IntentState, OrderState
from htbot.execution.states import INTENT_OVER

_ENDED_UNFILLED = INTENT_OVER - {IntentState.FILLED}
_RECORDED_AS = {
    OrderState.SENDING: frozenset({IntentState.SENDING}),
    OrderState.SUBMITTED: frozenset({IntentState.WORKING}),
    OrderState.UNKNOWN: frozenset({IntentState.SENDING, IntentState.WORKING, IntentState.UNKNOWN}),
}


def check(world: World, rules: Protocol, bounds: Bounds) -> None:
    """Raise on a state that must never be.

    Raises:
        Violation: names what is broken.
    """
    _never_twice(world, bounds)
    _ends_are_true(world, bounds)
    _record_is_what_its_desk_knows(world, bounds)


def _never_twice(world: World, bounds: Bounds) -> None:
    closed = 0
    for ref, name in enumerate(bounds.refs):
        alive = sum(order.ref == ref and order.status in {WORKING, FILLED} for order in world.orders)
        if alive > 1:
            raise Violation(f"{name} is at the broker {alive} times")
        if bounds.purposes[ref] is ENTRY and world.written[ref] > 1:
            raise Violation(f"{name} was written to the socket twice: an entry is never sent again")
        closed += bounds.purposes[ref] is EXIT and any(
            order.ref == ref and order.status == FILLED for order in world.orders
        )
    if closed > 1:
        raise Violation("the position was closed twice")


def _ends_are_true(world: World, bounds: Bounds) -> None:
    """What the record calls over is over; only an entry that hung for longer than the settle time may surprise."""
    for ref, intent in enumerate(world.intents):
        if intent.state not in _ENDED_UNFILLED:
            continue
        for order in world.orders:
            surprise = order.late and intent.state is IntentState.EXPIRED
            if order.ref == ref and order.status in {WORKING, FILLED} and not surprise:
                raise Violation(f"{bounds.refs[ref]} is {intent.state} in the record and {order.status} at the broker")
        if any(request.ref == ref and not request.late and not _used(world, request) for request in world.net):
            raise Violation(f"{bounds.refs[ref]} is {intent.state} in the record and on its way to the broker")


def _used(world: World, request: Request) -> bool:
    """Whether the broker will answer a request with 103."""
    key = (request.client, request.order_id)
    return any((order.client, order.order_id) == key and not order.forgotten for order in world.orders)


def _record_is_what_its_desk_knows(world: World, bounds: Bounds) -> None:
    """The desk of the present epoch, between two steps, remembers nothing that the record contradicts."""
    for number, desk in enumerate(world.desks):
        if desk.mode != UP or desk.epoch != world.epoch or desk.at or not desk.took_over or not world.record_up:
            continue
        for ref, live in enumerate(desk.lives):
            state = world.intents[ref].state
            ahead = desk.behind[ref] is not None or any(line.ref == ref and not line.taken for line in world.journal)
            if live is not None and not ahead and state not in _RECORDED_AS[live.state]:
                raise Violation(f"desk {number} holds {bounds.refs[ref]} as {live.state}, its record says {state}")


def done(world: World, bounds: Bounds) -> bool:
    """All is over, record and broker agree, nothing is under way, and the close is done or the broker ended all asked.

    This is what must stay within reach, without another fault, from every state.
    """
    if world.net or not world.record_up or not all(line.taken for line in world.journal):
        return False
    for ref, intent in enumerate(world.intents):
        statuses = [order.status for order in world.orders if order.ref == ref]
        if WORKING in statuses or (intent.state is not None and intent.state not in INTENT_OVER):
            return False
        if (intent.state is IntentState.FILLED) != (FILLED in statuses):
            return False
    closes = [ref for ref, purpose in enumerate(bounds.purposes) if purpose is EXIT]
    return not closes or any(_filled(world, ref) for ref in closes) or all(_ended(world, ref) for ref in closes)


def _filled(world: World, ref: int) -> bool:
    return any(order.ref == ref and order.status == FILLED for order in world.orders)


def _ended(world: World, ref: int) -> bool:
    return any(order.ref == ref and order.status in {CANCELLED, INACTIVE} for order in world.orders)
