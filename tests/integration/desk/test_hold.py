"""A person takes the desk off the broker and lets it back; nothing that is held is left alone by accident."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from uuid import UUID

import pytest
from tests.support import record
from tests.support.desk import Running, World
from tests.support.waiting import PATIENCE_S

from htbot.desk.clock import DeskClock
from htbot.desk.pace import SteppedPace, run, socket_closed
from htbot.marketdata.clock_state import Mode
from htbot.marketdata.messages import ConnectionMessage, TimeMessage
from htbot.persistence.records import Command
from htbot.persistence.repositories import CommandRepository, CommandRequest
from htbot.persistence.states import CommandState
from htbot.services.command_kinds import CLOSE_TRADE, CONNECT, DISCONNECT


def tell(world: World, kind: str, key: str, **params: object) -> UUID:
    with world.database.transaction() as session:
        return CommandRepository(session).create(CommandRequest(key, kind, "rest:first", world.now, params))[0].id


def command(world: World, command_id: UUID) -> Command:
    with world.database.transaction() as session:
        found = CommandRepository(session).get(command_id)
    assert found is not None
    return found


def ends(desk: Running) -> list[str]:
    """Why sessions ended, as far as the desk has not folded it yet."""
    inbox = desk.desk.parts.inbox
    messages = [inbox.get_nowait() for _ in range(inbox.qsize())]
    return [one.text for one in messages if isinstance(one, ConnectionMessage) and socket_closed(one)]


@pytest.mark.ruling(37)
async def test_it_leaves_stays_away_over_a_restart_and_comes_back(world: World) -> None:
    desk = await world.desk()
    gone = tell(world, DISCONNECT, "one")
    await desk.desk.act(world.now)
    assert (desk.session.connected, ends(desk)) == (False, ["disconnected by rest:first"])
    assert (command(world, gone).state, command(world, gone).result) == (
        CommandState.DONE,
        {"connection": "disconnected"},
    )
    desk.die()
    second = Running(world, desk.desk.clock)
    await second.begin()
    hold = second.desk.trading.hold
    assert await hold.keeps_away(world.now)
    assert hold.by == "rest:first"
    back = tell(world, CONNECT, "two")
    assert not await hold.keeps_away(world.now)
    assert command(world, back).state is CommandState.RUNNING
    await second.desk.connect()
    await second.recover()
    await second.desk.act(world.now)
    assert second.session.connected
    assert (command(world, back).state, command(world, back).result) == (CommandState.DONE, {"connection": "connected"})


async def test_a_record_that_hangs_keeps_nobody_from_the_broker(world: World) -> None:
    desk = await world.desk(clock=DeskClock(Mode.PAPER, 1.0))
    hold = desk.desk.trading.hold
    hold._parts = replace(hold._parts, patience_s=0.01)
    desk.postgres(dead=False, hangs=True)
    assert not await asyncio.wait_for(hold.keeps_away(world.now), PATIENCE_S)
    hold.by = "rest:first"
    assert await asyncio.wait_for(hold.keeps_away(world.now), PATIENCE_S), "what was known before counts"


async def test_nothing_held_is_left_alone_unless_it_is_forced(world: World) -> None:
    desk = await world.desk()
    intent = await desk.opened()
    asked = tell(world, DISCONNECT, "one", force=False)
    await desk.turn()
    refused = command(world, asked)
    assert refused.state is CommandState.FAILED
    assert intent.trade_id in refused.result["why"]
    assert desk.session.connected
    assert not await desk.desk.trading.hold.keeps_away(world.now)
    forced = tell(world, DISCONNECT, "two", force=True)
    await desk.desk.act(world.now)
    assert (command(world, forced).state, desk.session.connected) == (CommandState.DONE, False)


async def test_people_are_paged_while_a_trade_is_open_that_nobody_guards(world: World) -> None:
    first = await world.desk()
    for paged in (False, True):
        if paged:
            await first.opened()
        tell(world, DISCONNECT, f"leave-{paged}", force=True)
        await first.desk.act(world.now)
        first.die()
        held = Running(world, first.desk.clock)
        await held.begin()
        assert await held.desk.trading.hold.keeps_away(world.now)
        assert held.desk.trading.hold.unguarded is paged
        tell(world, CONNECT, f"back-{paged}")
        assert not await held.desk.trading.hold.keeps_away(world.now)
        await held.desk.connect()
        await held.recover()
        await held.turn()
        first = held


async def test_whoever_takes_it_off_between_two_instants_pages_nobody(world: World) -> None:
    desk = await world.desk()
    answered: list[bool] = []
    desk.session.request_time = lambda: answered.append(desk.session.connected)  # type: ignore[method-assign]
    tell(world, DISCONNECT, "one")
    desk.session.sink(TimeMessage(record.at(1, 10)))
    await SteppedPace(None).drive(desk.desk)  # type: ignore[arg-type] - decides nothing at such an instant
    await desk.desk.ledger.settle()
    assert (desk.desk.connection, answered) == ("lost", []), "a session that was left is not asked for the time"
    assert world.mails("connection_lost") == 0


@pytest.mark.parametrize("asked", [True, False], ids=["asked for", "by itself"])
async def test_an_end_that_a_person_asked_for_is_not_told_as_lost(world: World, asked: bool) -> None:
    desk = await world.desk()
    if asked:
        tell(world, DISCONNECT, "one")
        await desk.desk.act(world.now)
    else:
        desk.session.hang_up()
    await desk.hear()
    desk.desk.tell_connection(connected=False, detail="the session broke or went silent")  # another lane was faster
    await desk.desk.ledger.settle()
    assert desk.desk.connection == "lost"
    assert world.mails("connection_lost") == (0 if asked else 1)


async def test_taken_off_and_let_back_at_once_is_nothing(world: World) -> None:
    desk = await world.desk()
    tell(world, DISCONNECT, "one")
    world.after(market_s=1)
    back = tell(world, CONNECT, "two")
    await desk.turn()
    await desk.turn()
    assert (desk.session.connected, command(world, back).state) == (True, CommandState.DONE)
    assert not await desk.desk.trading.hold.keeps_away(world.now)


async def test_a_desk_that_starts_held_says_so_and_how_late_it_is(world: World) -> None:
    first = await world.desk()
    tell(world, DISCONNECT, "one")
    await first.desk.act(world.now)
    first.die()
    held = Running(world, first.desk.clock.__class__(first.desk.clock.mode, None))
    spoken = asyncio.Event()
    held.live.on_clock = spoken.set
    loop = asyncio.ensure_future(run(held.desk, None))  # type: ignore[arg-type] - it never drives a session
    try:
        await asyncio.wait_for(spoken.wait(), PATIENCE_S)
    finally:
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)
    said = held.live.clocks[0]
    assert (said.connection, said.reason) == ("disconnected", "disconnected by rest:first")
    assert not held.session.connected


async def test_one_trade_is_closed_and_another_stays(world: World) -> None:
    desk = await world.desk()
    one = await desk.opened()
    other = await desk.opened(number=2, strategy="other")
    asked = tell(world, CLOSE_TRADE, "one", trade=one.trade_id)
    await desk.turn()
    await desk.turn()
    [exit_] = world.exits(one.trade_id)
    assert world.exits(other.trade_id) == []
    world.broker.fill(exit_.intent.ref)
    await desk.turn()
    done = command(world, asked)
    told = {"flat": True, "closed": [one.trade_id], "cancelled": [], "withdrawn": [], "left_alone": []}
    assert (done.state, done.result) == (CommandState.DONE, told)
    assert exit_.intent.account == record.ACCOUNT
