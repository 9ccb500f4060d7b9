"""A gateway that talks nonsense to the desk's session: nothing is guessed, and the next connection is whole again."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.broker_worlds import TcpWorld, tcp_world
from tests.support.waiting import settled

from htbot.execution.messages import LegExecutionMessage, OpenOrderMessage, OrderStatusMessage
from htbot.marketdata.messages import ConnectionMessage, TimeMessage

OF_ORDERS = OpenOrderMessage | OrderStatusMessage | LegExecutionMessage
UNKNOWN = ("9999", "1", "whatever", "1e400")
# orderStatus and execDetails with words where numbers belong
GARBLED = (("3", "x", "Filled", "many", "few", "1", "?", "0", "1", "1", "", "0"), ("11", "-1", "x", "y"), ("5", "7"))
pytestmark = [pytest.mark.fault(23)]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[TcpWorld]:
    async with tcp_world(tmp_path / "gateway.sqlite") as made:
        yield made


def frame(*fields: str) -> bytes:
    body = "".join(f"{field}\0" for field in fields).encode()
    return struct.pack(">I", len(body)) + body


def say(world: TcpWorld, data: bytes) -> None:
    """The gateway writes this to its client as it is."""
    [session] = world.gateway.sessions.values()
    session.pipe.write(data)


def beats(world: TcpWorld) -> int:
    """Answered heartbeats."""
    return sum(isinstance(message, TimeMessage) for message in world.told)


async def hears_time(world: TcpWorld) -> None:
    """The heartbeat is answered."""
    before = beats(world)
    world.session.request_time()
    await settled(lambda: beats(world) > before, "the heartbeat is not answered")


async def whole_again(world: TcpWorld) -> None:
    """The session leaves and comes back, as the desk does when a heartbeat is not answered."""
    world.session.disconnect()
    await settled(lambda: not world.gateway.sessions)
    await world.session.connect()
    await hears_time(world)


@pytest.mark.parametrize("fields", [UNKNOWN, *GARBLED])
async def test_a_message_that_nobody_understands_tells_nothing_and_ends_nothing(
    world: TcpWorld, fields: tuple[str, ...]
) -> None:
    told = len(world.told)
    say(world, frame(*fields))
    await hears_time(world)
    assert not [message for message in world.told[told:] if isinstance(message, OF_ORDERS)]
    assert world.session.connected


async def test_a_length_beyond_all_measure_is_a_silence_that_a_new_connection_ends(world: TcpWorld) -> None:
    say(world, struct.pack(">I", 0x7FFFFFFF) + b"rest")
    before = beats(world)
    world.session.request_time()
    await asyncio.sleep(1)
    assert beats(world) == before, "the stream is out of step: the heartbeat notices"
    await whole_again(world)


async def test_a_message_that_is_cut_off_is_told_as_the_end_and_never_as_a_message(world: TcpWorld) -> None:
    told = len(world.told)
    say(world, frame("3", "7", "Filled", "1", "0", "4.2", "9", "0", "4.2", "7", "", "0")[:20])
    world.hang_up()
    await settled(lambda: not world.session.connected)
    assert [message for message in world.told[told:] if not isinstance(message, TimeMessage)] == [
        ConnectionMessage(connected=False, text="socket closed")
    ]
    await whole_again(world)
