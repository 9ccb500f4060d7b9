"""One number for two wishes: tasks number closes from the record, the desk from memory, and both are right at once."""

from __future__ import annotations

import os
import threading

import pytest
from tests.integration.desk.test_bought import CALL, PUT, enter
from tests.integration.desk.test_wishes import wish
from tests.support import record
from tests.support.desk import World

from htbot.domain.orders import ExitReason, IntentState
from htbot.domain.trades import TradeState
from htbot.persistence.repositories import CommandRepository, CommandRequest, IntentRepository
from htbot.services.command_kinds import CANCEL

STOP = {record.SHORT.con_id: (8.60, 8.70), record.LONG.con_id: (2.00, 2.10)}


@pytest.mark.parametrize("restart", [False, True])
async def test_the_guard_closes_a_call_under_the_number_that_a_task_has_given_to_the_put(
    world: World, *, restart: bool
) -> None:
    world.broker.quotes |= {CALL.con_id: (0.90, 1.00), PUT.con_id: (0.90, 1.00)}
    desk = await world.desk()
    call, put = enter(world, 1, CALL), enter(world, 2, PUT)
    await desk.turn()
    for entry in (call, put):
        world.broker.fill(entry.ref, "0.95")
    await desk.turn()
    held = desk.desk.book.get(call.trade_id)
    assert held is not None
    assert held.trade.rules.exit_at is not None
    world.now = held.trade.rules.exit_at
    await desk.hear()
    ref = wish(world, put.trade_id)
    assert desk.desk.guard.look(world.now, {CALL.con_id}) == 1
    await desk.turn()
    if restart:
        desk.die()
        desk = await world.desk()
    for _ in range(4):
        for order in [order for order in world.broker.orders if order.working]:
            world.broker.fill(order.intent.ref, "0.90")
        world.after(market_s=5)
        await desk.turn()
        await desk.look_up(after_s=11)
    assert world.stored(ref).intent.trade_id == call.trade_id
    assert [world.trade(one.trade_id).state for one in (call, put)] == [TradeState.CLOSED, TradeState.CLOSED]
    assert (world.halts(), world.broker.held) == ([], {})


@pytest.mark.parametrize("restart", [False, True])
async def test_a_close_under_the_number_of_a_wish_that_was_taken_back_is_in_the_record(
    world: World, *, restart: bool
) -> None:
    desk = await world.desk()
    intent = await desk.opened()
    ref = wish(world, intent.trade_id)
    with world.database.transaction() as session:
        assert IntentRepository(session).withdraw(ref, world.now, "cancelled")
    world.broker.quotes |= STOP
    world.after(market_s=5)
    await desk.hear()
    assert desk.desk.guard.look(world.now) == 1
    await desk.turn()
    if restart:
        desk.die()
        desk = await world.desk()
        await desk.look_up(after_s=11)
        world.after(market_s=5)
        await desk.turn()
    stored = world.stored(ref)
    assert (stored.state, stored.intent.exit_reason, stored.reason) == (IntentState.WORKING, ExitReason.STOP_LOSS, "")
    assert [order.intent.ref for order in world.broker.orders if order.working] == [ref]
    assert world.halts() == []


async def test_what_a_person_cancels_while_a_slow_disk_takes_it_does_not_leave(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = await world.desk()
    intent = await desk.opened()
    ref = wish(world, intent.trade_id)
    disk = threading.Event()
    monkeypatch.setattr(desk.journal, "_quick", False)
    monkeypatch.setattr(os, "fdatasync", lambda _descriptor: disk.wait())
    world.broker.quotes |= STOP
    world.after(market_s=5)
    await desk.hear()
    with world.database.transaction() as session:
        CommandRepository(session).create(CommandRequest("k", CANCEL, "user:1", world.now, {"ref": ref}))
    try:
        assert desk.desk.guard.look(world.now) == 1
        await desk.desk.act(world.now)
        assert world.state(ref) is IntentState.WITHDRAWN
    finally:
        disk.set()
    await desk.desk.guard.settle()
    await desk.turn()
    assert desk.session.cancels == []
    assert (world.state(ref), [one.intent.ref for one in world.broker.orders]) == (IntentState.WITHDRAWN, [intent.ref])
    world.broker.quotes |= STOP
    world.after(market_s=30)
    await desk.turn()
    [close] = [order for order in world.broker.orders if order.working]
    assert close.intent.exit_reason is ExitReason.STOP_LOSS, "the price still wants it closed"
