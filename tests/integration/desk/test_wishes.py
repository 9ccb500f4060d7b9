"""Whoever wanted a trade closed gets it closed: also when the close was not sent, and its desk has died."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from tests.support import record
from tests.support.desk import Running, World

from htbot.domain.orders import ExitReason, IntentState, OrderIntent
from htbot.persistence.repositories import CommandRepository, CommandRequest, IntentRepository
from htbot.services.command_kinds import CANCEL, EVERY_ACCOUNT
from htbot.services.trade_record import manual_decision, request_exit


def wish(world: World, trade_id: str) -> str:
    """A task asks for the close, for a reason that no quote and no time repeats; its reference."""
    with world.database.transaction() as session:
        stored = request_exit(session, trade_id, manual_decision(ExitReason.SIGNAL, world.now, "it has seen enough"))
    assert stored is not None
    return stored.intent.ref


def show(world: World, held: Mapping[tuple[str, int], object]) -> None:
    """What the broker shows as held."""
    world.broker.held.clear()
    world.broker.held.update(held)  # type: ignore[arg-type]


async def withdrawn(world: World, desk: Running) -> tuple[OrderIntent, dict[tuple[str, int], object]]:
    """A spread whose close did not leave, because the broker did not show what it would close; and what is held."""
    intent = await desk.opened()
    held: dict[tuple[str, int], object] = dict(world.broker.held)
    ref = wish(world, intent.trade_id)
    show(world, {})
    await desk.turn()
    assert world.state(ref) is IntentState.WITHDRAWN
    assert [order.intent.ref for order in world.broker.orders] == [intent.ref]
    return intent, held


def closes(world: World, intent: OrderIntent) -> list[tuple[ExitReason | None, int]]:
    """Closes at the broker: reason and quantity."""
    orders = (order for order in world.broker.orders if order.intent.ref != intent.ref)
    return [(order.intent.exit_reason, order.quantity) for order in orders]


@pytest.mark.fault(3)
async def test_a_withdrawn_close_of_a_spread_is_taken_up_by_the_next_desk(world: World) -> None:
    first = await world.desk()
    intent, held = await withdrawn(world, first)
    first.die()
    show(world, held)
    second = await world.desk()
    for _ in range(3):
        world.after(market_s=5)
        await second.turn()
    assert closes(world, intent) == [(ExitReason.SIGNAL, 1)]


async def test_a_withdrawn_close_of_a_spread_leaves_as_soon_as_it_can(world: World) -> None:
    desk = await world.desk()
    intent, held = await withdrawn(world, desk)
    world.after(market_s=5)
    await desk.turn()
    assert closes(world, intent) == [], "there is nothing to close yet"
    show(world, held)
    for _ in range(3):
        world.after(market_s=5)
        await desk.turn()
    assert closes(world, intent) == [(ExitReason.SIGNAL, 1)]


@pytest.mark.parametrize("again", [False, True])
async def test_a_close_that_has_expired_unseen_is_wanted_all_the_same(world: World, again: bool) -> None:
    """Lost on its way, and by the time that it could be sent again the broker does not show what it closes."""
    desk = await world.desk()
    intent = await desk.opened()
    held: dict[tuple[str, int], object] = dict(world.broker.held)
    ref = wish(world, intent.trade_id)
    desk.session.lost_requests = 1
    await desk.turn()
    show(world, {})
    world.after(host_s=11)
    await desk.doubt_silent()
    await desk.look_up(after_s=11)
    assert world.state(ref) is IntentState.EXPIRED
    if again:
        desk.die()
        desk = await world.desk(recover=False)
        show(world, held)
        await desk.recover()
    show(world, held)
    for _ in range(3):
        world.after(market_s=5)
        await desk.turn()
    assert closes(world, intent) == [(ExitReason.SIGNAL, 1)]


async def test_a_close_that_a_person_took_back_is_not_wanted_any_more(world: World) -> None:
    first = await world.desk()
    intent = await first.opened()
    ref = wish(world, intent.trade_id)
    request = CommandRequest("key", CANCEL, "person", world.now, {"ref": ref})
    with world.database.transaction() as session:
        CommandRepository(session).create(request)
    await first.turn()
    assert world.state(ref) is IntentState.WITHDRAWN
    first.die()
    second = await world.desk()
    for _ in range(3):
        world.after(market_s=5)
        await second.turn()
    assert closes(world, intent) == []


async def go_on(world: World, desk: Running, *, again: bool) -> None:
    """Some turns of the same desk, or of the next one."""
    if again:
        desk.die()
        desk = await world.desk()
        await desk.look_up(after_s=11)
    for _ in range(3):
        world.after(market_s=5)
        await desk.turn()


@pytest.mark.parametrize(("again", "heard"), [(False, True), (True, True), (True, False)])
async def test_a_close_that_the_exchange_cancelled_is_wanted_all_the_same(
    world: World, again: bool, heard: bool
) -> None:
    desk = await world.desk()
    intent = await desk.opened()
    ref = wish(world, intent.trade_id)
    await desk.turn()
    world.broker.end(ref, "Cancelled")
    if heard:
        await desk.hear()
    await go_on(world, desk, again=again)
    assert closes(world, intent) == [(ExitReason.SIGNAL, 1)] * 2
    assert [order.status for order in world.broker.orders] == ["Filled", "Cancelled", "Submitted"]


@pytest.mark.parametrize("again", [False, True])
async def test_a_close_of_a_part_is_followed_by_one_of_the_rest(world: World, again: bool) -> None:
    desk = await world.desk()
    intent = await desk.opened(quantity=3)
    decision = manual_decision(ExitReason.SIGNAL, world.now, "it has seen enough")
    shown = {record.SHORT.con_id: -1, record.LONG.con_id: 1}
    with world.database.transaction() as session:
        stored = request_exit(session, intent.trade_id, decision, broker=shown)
    assert stored is not None
    await desk.turn()
    world.broker.fill(stored.intent.ref)
    await desk.hear()
    await go_on(world, desk, again=again)
    assert closes(world, intent) == [(ExitReason.SIGNAL, 1), (ExitReason.SIGNAL, 2)]


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("again", [False, True])
async def test_a_working_close_that_a_person_cancels_is_not_wanted_any_more(
    world: World, again: bool, named: bool
) -> None:
    """Also when the desk dies before it has heard of the end."""
    desk = await world.desk()
    intent = await desk.opened()
    ref = wish(world, intent.trade_id)
    await desk.turn()
    world.after(market_s=1)
    request = CommandRequest("key", CANCEL, "person", world.now, {"ref": ref if named else EVERY_ACCOUNT})
    with world.database.transaction() as session:
        CommandRepository(session).create(request)
    await desk.desk.act(world.now)
    await go_on(world, desk, again=again)
    assert closes(world, intent) == [(ExitReason.SIGNAL, 1)]
    assert world.state(ref) is IntentState.CANCELLED
    if not again:  # what is in the record by then says the same
        await go_on(world, desk, again=True)
        assert closes(world, intent) == [(ExitReason.SIGNAL, 1)]


async def test_a_close_that_was_claimed_and_given_back_is_not_wanted_once_a_person_took_it_back(world: World) -> None:
    """Its claimant died before it had an order id, and the next desk finds the command before it sends anything."""
    first = await world.desk()
    intent = await first.opened()
    ref = wish(world, intent.trade_id)
    with world.database.transaction() as session:
        IntentRepository(session).claim_some(first.desk.trading.record.epoch, world.now, 1)
    first.die()
    second = await world.desk()
    assert world.state(ref) is IntentState.PENDING
    request = CommandRequest("key", CANCEL, "person", world.now, {"ref": ref})
    with world.database.transaction() as session:
        CommandRepository(session).create(request)
    await second.turn()
    assert world.state(ref) is IntentState.WITHDRAWN
    await go_on(world, second, again=True)
    assert closes(world, intent) == []
