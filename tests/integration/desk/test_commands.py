"""Commands of people are driven to their end, through restarts, and are done once (INTERFACE; FAULTS 8)."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from tests.support import record
from tests.support.desk import FIRST_ID, SESSION, Running, World

from htbot.desk.protecting import SHOWN_WITHIN
from htbot.domain.orders import ExitReason, IntentState, OrderIntent
from htbot.domain.trades import TradeState
from htbot.persistence.records import Command
from htbot.persistence.repositories import CommandRepository, CommandRequest
from htbot.persistence.states import CommandState
from htbot.services.commands import CANCEL, CLOSE_ALL, CLOSE_TRADE


def tell(world: World, kind: str, key: str = "key-1", **params: object) -> UUID:
    """A person's command, as the API stores it."""
    with world.database.transaction() as session:
        request = CommandRequest(key, kind, "user:1", world.now, params)
        return CommandRepository(session).create(request)[0].id


def command(world: World, command_id: UUID) -> Command:
    with world.database.transaction() as session:
        found = CommandRepository(session).get(command_id)
    assert found is not None
    return found


@pytest.mark.fault(8)
@pytest.mark.ruling(14)
async def test_everything_is_closed_and_only_then_done(world: World) -> None:
    desk = await world.desk()
    intent = await desk.opened()
    asked = tell(world, CLOSE_ALL, scope="all")
    await desk.turn()
    [exit_] = world.exits(intent.trade_id)
    assert (exit_.intent.exit_reason, exit_.state) == (ExitReason.MANUAL, IntentState.WORKING)
    assert command(world, asked).state is CommandState.RUNNING
    await desk.turn()
    world.broker.fill(exit_.intent.ref)
    await desk.turn()
    done = command(world, asked)
    told = {"flat": True, "closed": [intent.trade_id], "cancelled": [], "withdrawn": [], "left_alone": []}
    assert (done.state, done.result) == (CommandState.DONE, told)
    assert len(world.exits(intent.trade_id)) == 1
    assert (len(desk.session.placed), world.broker.held) == (2, {})


@pytest.mark.fault(8)
async def test_a_close_survives_the_desk(world: World) -> None:
    first = await world.desk()
    intent = await first.opened()
    asked = tell(world, CLOSE_ALL, scope=record.ACCOUNT)
    first.session.deaf = True
    await first.turn()
    first.die()
    assert command(world, asked).state is CommandState.RUNNING
    second = await world.desk()
    await second.turn()
    [exit_] = world.exits(intent.trade_id)
    assert exit_.state is IntentState.WORKING
    world.broker.fill(exit_.intent.ref)
    await second.turn()
    done = command(world, asked)
    assert (done.state, done.result["closed"]) == (CommandState.DONE, [intent.trade_id])
    assert len(world.broker.of(exit_.intent.ref)) == 1
    assert world.trade(intent.trade_id).state is TradeState.CLOSED


@pytest.mark.fault(8)
async def test_two_closes_are_one_exit(world: World) -> None:
    desk = await world.desk()
    intent = await desk.opened()
    both = [tell(world, CLOSE_ALL, key, scope="all") for key in ("one", "two")]
    await desk.turn()
    await desk.turn()
    [exit_] = world.exits(intent.trade_id)
    world.broker.fill(exit_.intent.ref)
    await desk.turn()
    assert [command(world, one).state for one in both] == [CommandState.DONE] * 2
    assert len(desk.session.placed) == 2


async def test_a_waiting_entry_does_not_leave_any_more(world: World) -> None:
    desk = await world.desk()
    intent = world.enter()
    asked = tell(world, CLOSE_ALL, scope="all")
    await desk.turn()
    stored = world.stored(intent.ref)
    assert (stored.state, stored.reason) == (IntentState.WITHDRAWN, "everything is closed")
    assert world.trade(intent.trade_id).state is TradeState.VOID
    done = command(world, asked)
    assert (desk.session.placed, done.state, done.result["withdrawn"]) == ([], CommandState.DONE, [intent.ref])


async def test_what_was_withdrawn_is_told_when_the_last_trade_is_closed_later(world: World) -> None:
    desk = await world.desk()
    held = await desk.opened()
    waiting = world.enter(2, strategy="other")
    asked = tell(world, CLOSE_ALL, scope="all")
    await desk.turn()
    await desk.turn()
    [exit_] = world.exits(held.trade_id)
    world.broker.fill(exit_.intent.ref)
    await desk.turn()
    result = command(world, asked).result
    assert (result["closed"], result["cancelled"], result["withdrawn"]) == ([held.trade_id], [], [waiting.ref])


@pytest.mark.parametrize("filled", [0, 1])
async def test_a_working_entry_is_cancelled_and_what_it_got_is_closed(world: World, filled: int) -> None:
    desk = await world.desk()
    intent = world.enter(quantity=2)
    await desk.turn()
    if filled:
        world.broker.fill(intent.ref, "-4.25", filled)
    asked = tell(world, CLOSE_ALL, scope="all")
    await desk.turn()
    await desk.turn()
    assert world.state(intent.ref) is IntentState.CANCELLED
    assert desk.session.cancels == [FIRST_ID]
    for exit_ in world.exits(intent.trade_id):
        assert exit_.intent.quantity == filled
        world.broker.fill(exit_.intent.ref)
    await desk.turn()
    assert len(world.exits(intent.trade_id)) == filled
    done = command(world, asked)
    assert done.state is CommandState.DONE
    assert done.result["closed" if filled else "cancelled"] == [intent.trade_id]
    assert world.broker.held == {}


async def test_another_account_is_left_alone(world: World) -> None:
    desk = await world.desk()
    intent = await desk.opened()
    asked = tell(world, CLOSE_ALL, scope="DU9")
    await desk.turn()
    assert world.exits(intent.trade_id) == []
    assert command(world, asked).state is CommandState.DONE


async def test_a_close_hurries_the_exit_that_is_under_way(world: World) -> None:
    desk = await world.desk()
    intent = await desk.opened()
    world.now = record.at(181)  # exit time: a slow ladder
    await desk.turn()
    [exit_] = world.exits(intent.trade_id)
    assert exit_.intent.exit_reason is ExitReason.TIME
    slow = world.broker.working(exit_.intent.ref).limit
    tell(world, CLOSE_ALL, scope="all")
    await desk.turn()
    await desk.turn()
    assert len(world.exits(intent.trade_id)) == 1
    assert world.broker.working(exit_.intent.ref).limit < slow  # pays more: natural and a tick


@pytest.mark.parametrize("which", ["ref", "all"])
async def test_a_cancel_is_done_when_nothing_works(world: World, which: str) -> None:
    desk = await world.desk()
    intent = world.enter()
    await desk.turn()
    asked = tell(world, CANCEL, ref=intent.ref if which == "ref" else "all")
    await desk.turn()
    assert world.state(intent.ref) is IntentState.CANCELLED
    await desk.turn()
    assert command(world, asked).state is CommandState.DONE
    assert desk.session.cancels == [FIRST_ID]


async def test_a_lost_cancel_is_asked_again(world: World) -> None:
    desk = await world.desk()
    intent = world.enter()
    await desk.turn()
    asked = tell(world, CANCEL, ref=intent.ref)
    desk.session.lost_requests = 1
    await desk.turn()
    assert world.state(intent.ref) is IntentState.WORKING
    world.after(host_s=11)
    await desk.doubt_silent()
    assert world.state(intent.ref) is IntentState.UNKNOWN
    await desk.look_up()
    await desk.turn()
    await desk.turn()
    assert world.state(intent.ref) is IntentState.CANCELLED
    assert (desk.session.cancels, command(world, asked).state) == ([FIRST_ID] * 2, CommandState.DONE)


async def test_commands_wait_for_the_broker(world: World) -> None:
    desk = await world.desk()
    await desk.opened()
    desk.session.hang_up()
    await desk.hear()
    asked = tell(world, CLOSE_ALL, scope="all")
    await desk.turn()
    assert command(world, asked).state is CommandState.PENDING


SHORT, LONG = (record.ACCOUNT, record.SHORT.con_id), (record.ACCOUNT, record.LONG.con_id)


async def close_filled(world: World, desk: Running, intent: OrderIntent) -> None:
    """The close leaves and is filled."""
    await desk.turn()
    await desk.turn()
    [exit_] = world.exits(intent.trade_id)
    world.broker.fill(exit_.intent.ref)


@pytest.mark.parametrize("kind", [CLOSE_ALL, CLOSE_TRADE])
async def test_a_close_is_done_when_the_brokers_positions_say_so_too(world: World, kind: str) -> None:
    """An execution is told before the position that it makes."""
    desk = await world.desk()
    intent = await desk.opened()
    asked = tell(world, kind, **({"scope": "all"} if kind == CLOSE_ALL else {"trade": intent.trade_id}))
    before = dict(world.broker.held)
    await close_filled(world, desk, intent)
    world.broker.held |= before
    await desk.turn()
    assert world.trade(intent.trade_id).state is TradeState.CLOSED
    assert command(world, asked).state is CommandState.RUNNING
    world.broker.held.clear()
    await desk.turn()
    done = command(world, asked)
    assert (done.state, done.result["flat"], done.result["left_alone"]) == (CommandState.DONE, True, [])


async def test_a_close_that_the_broker_never_shows_ends_and_names_what_stays(world: World) -> None:
    desk = await world.desk()
    intent = await desk.opened()
    asked = tell(world, CLOSE_ALL, scope="all")
    before = world.broker.held[LONG]
    await close_filled(world, desk, intent)
    world.broker.held[LONG] = before
    world.now += SHOWN_WITHIN - timedelta(seconds=1)
    await desk.turn()
    assert command(world, asked).state is CommandState.RUNNING
    world.after(market_s=1)
    await desk.turn()
    done = command(world, asked)
    assert (done.state, done.result["flat"], done.result["left_alone"]) == (CommandState.DONE, False, [])
    assert done.result["still_shown"] == ["1 SPX 2022-08-26 4110 P in DU1000001"]


async def test_what_a_person_holds_in_the_same_contract_is_named_and_not_waited_for(world: World) -> None:
    desk = await world.desk()
    intent = await desk.opened()
    world.broker.move(record.ACCOUNT, world.broker.held[LONG][0], 5)
    asked = tell(world, CLOSE_ALL, scope="all")
    await close_filled(world, desk, intent)
    await desk.turn()
    done = command(world, asked)
    assert (done.state, done.result["flat"]) == (CommandState.DONE, True)
    assert done.result["left_alone"] == ["5 SPX 2022-08-26 4110 P in DU1000001"]
    assert "still_shown" not in done.result
    assert world.broker.held[LONG][1] == 5


async def test_what_another_trade_holds_in_the_same_contract_is_not_waited_for(world: World) -> None:
    desk = await world.desk()
    one = await desk.opened()
    await desk.opened(number=2, strategy="other", id="other-1")
    asked = tell(world, CLOSE_TRADE, trade=one.trade_id)
    await close_filled(world, desk, one)
    await desk.turn()
    assert (command(world, asked).state, world.broker.held[SHORT][1]) == (CommandState.DONE, -1)


@pytest.mark.ruling(11)
async def test_a_close_of_the_night_waits_for_no_order_of_another_trade(world: World) -> None:
    desk = await world.desk()
    one = await desk.opened()
    two = await desk.opened(number=2, strategy="other", id="other-1")
    desk.session.deaf = True  # nobody answers the close of the first
    doubtful = tell(world, CLOSE_TRADE, "one", trade=one.trade_id)
    await desk.turn()
    world.now = SESSION.closes + timedelta(minutes=1)
    asked = tell(world, CLOSE_TRADE, "two", trade=two.trade_id)
    await desk.turn()
    failed = command(world, asked)
    assert (failed.state, failed.result["left"]) == (CommandState.FAILED, [two.trade_id])
    assert command(world, doubtful).state is CommandState.RUNNING, "its own order is waited for"
