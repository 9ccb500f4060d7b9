"""Flatten by the desk's own line: at once is once, and a key is that of one command (RULINGS 1)."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import UUID

import pytest
from tests.support.desk import Running, World

from htbot.desk.line import Line
from htbot.domain.trades import TradeState
from htbot.persistence.records import Command
from htbot.persistence.repositories import CommandRepository, CommandRequest
from htbot.persistence.states import CommandState
from htbot.services.commands import CANCEL, CLOSE_ALL, EVERY_ACCOUNT

pytestmark = pytest.mark.ruling(1)
KEY = "key-1"


def line_of(desk: Running) -> Line:
    stop_file = desk.world.stop_file
    return Line(desk.desk, stop_file.parent, stop_file)


async def flatten(desk: Running, key: str = "", by: str = "user:1") -> dict[str, Any]:
    """What the line answers."""
    asked = {"do": "flatten", "scope": EVERY_ACCOUNT, "key": key, "by": by}
    return await line_of(desk)._answer(json.dumps(asked).encode())


def tell(world: World, kind: str = CLOSE_ALL, *, done: bool = False, **params: str) -> UUID:
    """A command of KEY in the record, ended if wanted."""
    with world.database.transaction() as session:
        commands = CommandRepository(session)
        told = commands.create(CommandRequest(KEY, kind, "user:1", world.now, params))[0].id
        if done:
            commands.advance(told, CommandState.PENDING, CommandState.DONE, world.now)
    return told


def command(world: World, told: dict[str, Any]) -> Command:
    with world.database.transaction() as session:
        found = CommandRepository(session).get(UUID(told["command_id"]))
    assert found is not None
    return found


async def closed(desk: Running, trade_id: str) -> None:
    """The close of a trade leaves, if it has not, and is filled."""
    await desk.turn()
    [exit_] = desk.world.exits(trade_id)
    desk.world.broker.fill(exit_.intent.ref)
    await desk.turn()
    assert desk.world.trade(trade_id).state is TradeState.CLOSED


async def test_two_at_once_with_postgres_dead_are_one(world: World) -> None:
    desk = await world.desk()
    intent = await desk.opened()
    desk.postgres(dead=True)
    one, two = await asyncio.gather(flatten(desk), flatten(desk, by="user:2"))
    assert one["command_id"] == two["command_id"]
    desk.postgres(dead=False)
    await closed(desk, intent.trade_id)
    assert command(world, one).state is CommandState.DONE


@pytest.mark.parametrize("done", [False, True])
@pytest.mark.parametrize(
    ("kind", "params", "whose"),
    [(CLOSE_ALL, {"scope": "DU9"}, "a close_all of DU9"), (CANCEL, {"ref": "all"}, "a cancel of all")],
)
async def test_the_key_of_another_command_is_refused(
    world: World, kind: str, params: dict[str, str], whose: str, done: bool
) -> None:
    desk = await world.desk()
    await desk.opened()
    tell(world, kind, done=done, **params)
    for dead in (False, True):
        desk.postgres(dead=dead)
        assert await flatten(desk, KEY) == {
            "ok": False,
            "error": f"idempotency key '{KEY}' belongs to another command, {whose}: use a new key",
        }
    assert len(desk.session.placed) == 1, "nothing but the entry"


async def test_the_key_of_a_command_that_is_done_is_known_with_postgres_dead(world: World) -> None:
    desk = await world.desk()
    tell(world, CANCEL, ref="all")
    await desk.turn()
    await desk.turn()
    await desk.opened()
    desk.postgres(dead=True)
    assert (await flatten(desk, KEY))["ok"] is False


async def test_the_same_key_is_the_same_command_and_tells_how_far_it_is(world: World) -> None:
    desk = await world.desk()
    intent = await desk.opened()
    first = await flatten(desk, KEY)
    assert await flatten(desk, KEY) == first
    assert first["state"] == "PENDING"
    await closed(desk, intent.trade_id)
    later = await desk.opened(number=2)
    assert await flatten(desk, KEY) == first | {"state": "DONE"}
    await desk.turn()
    assert world.exits(later.trade_id) == [], "it has been asked for once"


async def test_what_was_promised_is_done_when_its_key_proves_to_be_that_of_another(world: World) -> None:
    """With PostgreSQL dead nobody can tell."""
    tell(world, done=True, scope="DU9")
    desk = await world.desk()
    intent = await desk.opened()
    desk.postgres(dead=True)
    told = await flatten(desk, KEY)
    assert (told["ok"], told["state"]) == (True, "PENDING")
    desk.postgres(dead=False)
    await closed(desk, intent.trade_id)
    assert command(world, told).state is CommandState.DONE


async def test_a_file_that_has_asked_before_is_known_to_the_next_desk_when_postgres_dies(world: World) -> None:
    first = await world.desk()
    world.stop_file.with_name("FLATTEN").touch()
    await line_of(first)._look_at_file()
    await first.turn()
    first.die()
    desk = await world.desk()
    await line_of(desk)._look_at_file()
    await desk.opened()
    desk.postgres(dead=True)
    await line_of(desk)._look_at_file()
    await desk.desk.guard.settle()
    assert len(desk.session.placed) == 1, "nothing but the entry"
