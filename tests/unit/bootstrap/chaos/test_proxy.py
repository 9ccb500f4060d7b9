from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from tests.support.waiting import PATIENCE_S

from htbot.bootstrap.chaos.frames import CANCEL_ORDER, PLACE_ORDER, FrameCutter, message_id
from htbot.bootstrap.chaos.proxy import LOOPBACK, ChaosProxy, Disturbance, Kind


def frame(text: str) -> bytes:
    payload = text.replace("|", "\0").encode()
    return struct.pack(">I", len(payload)) + payload


ORDER, CANCEL, TIME = frame("3|1|buy|"), frame("4|1|"), frame("49|1|")
REPLY = frame("5|1|Submitted|")


class Gateway:
    """Keeps what it gets and says what it is told to."""

    def __init__(self) -> None:
        self.got = bytearray()
        self.news = asyncio.Event()
        self.ended = asyncio.Event()
        self.writer: asyncio.StreamWriter | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        with suppress(ConnectionError):
            while data := await reader.read(1000):
                self.got += data
                self.news.set()
        self.ended.set()
        writer.close()

    async def expect(self, wanted: bytes) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while bytes(self.got) != wanted:
                self.news.clear()
                await self.news.wait()


class Scene:
    def __init__(self, gateway: Gateway, proxy: ChaosProxy, port: int) -> None:
        self.gateway, self.proxy, self.port = gateway, proxy, port
        self.opened: list[asyncio.StreamWriter] = []

    async def open(self, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(LOOPBACK, port)
        self.opened.append(writer)
        return reader, writer

    async def close(self) -> None:
        for writer in self.opened:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await self.open(self.port)
        writer.write(b"API\0" + frame("v157..178"))
        await self.gateway.expect(b"API\0" + frame("v157..178"))
        self.gateway.got.clear()
        return reader, writer


@asynccontextmanager
async def scene() -> AsyncIterator[Scene]:
    gateway = Gateway()
    server = await asyncio.start_server(gateway.serve, LOOPBACK, 0)
    proxy = ChaosProxy(server.sockets[0].getsockname()[1])
    here = Scene(gateway, proxy, await proxy.start())
    try:
        yield here
    finally:
        await proxy.stop()
        await here.close()
        server.close()


async def test_everything_passes_in_both_directions_byte_for_byte() -> None:
    async with scene() as here:
        reader, writer = await here.connect()
        for start in range(0, len(ORDER + TIME), 3):  # frames come in pieces
            writer.write((ORDER + TIME)[start : start + 3])
            await writer.drain()
        await here.gateway.expect(ORDER + TIME)
        assert here.gateway.writer is not None
        here.gateway.writer.write(REPLY)
        assert await asyncio.wait_for(reader.readexactly(len(REPLY)), PATIENCE_S) == REPLY


async def test_a_lost_request_takes_whole_messages_of_its_kind_only() -> None:
    async with scene() as here:
        _, writer = await here.connect()
        await here.proxy.apply(Disturbance(Kind.DROP_REQUEST, frozenset({PLACE_ORDER}), times=2))
        writer.write(ORDER + TIME + ORDER + CANCEL + ORDER)
        await here.gateway.expect(TIME + CANCEL + ORDER)
        assert here.proxy.met["drop_request"] == 2


async def test_a_lost_reply_reaches_nobody_until_it_is_lifted() -> None:
    async with scene() as here:
        reader, writer = await here.connect()
        lost = await here.proxy.apply(Disturbance(Kind.DROP_REPLY))
        assert here.gateway.writer is not None
        here.gateway.writer.write(REPLY)
        writer.write(TIME)
        await here.gateway.expect(TIME)
        async with asyncio.timeout(PATIENCE_S):
            while not here.proxy.met["drop_reply"]:  # noqa: ASYNC110 - the proxy counts, it does not tell
                await asyncio.sleep(0)
        await here.proxy.lift(lost)
        later = frame("49|later|")
        here.gateway.writer.write(later)
        assert await asyncio.wait_for(reader.readexactly(len(later)), PATIENCE_S) == later


async def test_a_repeated_request_arrives_twice() -> None:
    async with scene() as here:
        _, writer = await here.connect()
        await here.proxy.apply(Disturbance(Kind.DUPLICATE, frozenset({PLACE_ORDER, CANCEL_ORDER}), times=1))
        writer.write(TIME + ORDER + CANCEL)
        await here.gateway.expect(TIME + ORDER + ORDER + CANCEL)


async def test_a_cut_message_ends_the_connection_in_its_middle() -> None:
    async with scene() as here:
        reader, writer = await here.connect()
        await here.proxy.apply(Disturbance(Kind.TRUNCATE, times=1))
        writer.write(TIME + ORDER)
        await asyncio.wait_for(here.gateway.ended.wait(), PATIENCE_S)
        assert here.gateway.got == TIME[: len(TIME) // 2]
        assert await asyncio.wait_for(reader.read(), PATIENCE_S) == b""


async def test_a_blackhole_holds_messages_and_the_end_of_the_connection_and_delivers_both_late() -> None:
    async with scene() as here:
        _, writer = await here.connect()
        held = await here.proxy.apply(Disturbance(Kind.BLACKHOLE))
        writer.write(ORDER)
        writer.close()
        await writer.wait_closed()
        await asyncio.sleep(0)
        assert here.gateway.got == b""
        assert not here.gateway.ended.is_set()
        await here.proxy.lift(held)
        await here.gateway.expect(ORDER)
        await asyncio.wait_for(here.gateway.ended.wait(), PATIENCE_S)


async def test_a_slow_line_loses_nothing() -> None:
    async with scene() as here:
        _, writer = await here.connect()
        await here.proxy.apply(Disturbance(Kind.SLOW, pause_s=0.0))
        long = frame("3|" + "x" * 100 + "|")
        writer.write(long)
        await here.gateway.expect(long)
        assert here.proxy.met["slow"] == 1


async def test_a_delayed_message_comes_after_its_pause() -> None:
    async with scene() as here:
        _, writer = await here.connect()
        await here.proxy.apply(Disturbance(Kind.DELAY, pause_s=0.2))
        loop = asyncio.get_running_loop()
        asked = loop.time()
        writer.write(ORDER)
        await here.gateway.expect(ORDER)
        assert loop.time() - asked >= 0.2


async def test_a_refused_port_resets_and_comes_back_under_its_number() -> None:
    async with scene() as here:
        reader, _ = await here.connect()
        refused = await here.proxy.apply(Disturbance(Kind.REFUSE))
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.read(), PATIENCE_S)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(LOOPBACK, here.port)
        await here.proxy.lift(refused)
        here.gateway.got.clear()
        await here.connect()


async def test_a_reset_ends_what_is_connected_and_nothing_after_it() -> None:
    async with scene() as here:
        reader, _ = await here.connect()
        await here.proxy.apply(Disturbance(Kind.RESET))
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.read(), PATIENCE_S)
        here.gateway.got.clear()
        _, writer = await here.connect()
        writer.write(ORDER)
        await here.gateway.expect(ORDER)


async def test_a_gateway_that_is_away_ends_the_connection() -> None:
    async with scene() as here:
        away = ChaosProxy(1)
        port = await away.start()
        reader, _ = await here.open(port)
        assert await asyncio.wait_for(reader.read(), PATIENCE_S) == b""
        await away.stop()
        assert here.proxy.connections == 0


def test_frames_are_cut_whatever_the_pieces() -> None:
    stream = b"API\0" + ORDER + TIME + CANCEL
    cutter = FrameCutter(greeted=False)
    pieces = [piece for byte in stream for piece in cutter.feed(bytes([byte]))]
    assert pieces == [b"API\0", ORDER, TIME, CANCEL]
    assert [message_id(piece) for piece in pieces] == [None, 3, 49, 4]
    assert cutter.feed(ORDER[:5]) == []
    assert cutter.rest == ORDER[:5]
    assert message_id(frame("v157..178")) is None
