"""A TCP proxy between a TWS client and its gateway that disturbs what goes through it, told so by method calls.

It works on whole messages: one is lost or repeated and the stream stays well-formed, as when the gateway itself loses
it. What a blackhole holds back is delivered when it is lifted, the end of the connection included, as TCP does.

    proxy = ProxyThread(upstream_port)
    port = proxy.start()
    blackhole = proxy.apply(Disturbance(Kind.BLACKHOLE))
    ...
    proxy.lift(blackhole)
    proxy.stop()
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections import Counter
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

from htbot.bootstrap.chaos.frames import FrameCutter, message_id

T = TypeVar("T")
LOOPBACK = "127.0.0.1"
SLOW_BYTES = 16
_READ_BYTES = 65_536
_CONTROL_WITHIN_S = 10.0
_RESET = struct.pack("ii", 1, 0)


class Kind(StrEnum):
    """What can be done to the connections."""

    DELAY = "delay"
    BLACKHOLE = "blackhole"
    DROP_REPLY = "drop_reply"
    DROP_REQUEST = "drop_request"
    TRUNCATE = "truncate"
    DUPLICATE = "duplicate"
    SLOW = "slow"
    REFUSE = "refuse"
    RESET = "reset"


class _Way(StrEnum):
    REQUEST = "request"
    REPLY = "reply"


_WAYS: dict[Kind, frozenset[_Way]] = {
    Kind.DROP_REPLY: frozenset({_Way.REPLY}),
    Kind.DROP_REQUEST: frozenset({_Way.REQUEST}),
    Kind.TRUNCATE: frozenset({_Way.REQUEST}),
    Kind.DUPLICATE: frozenset({_Way.REQUEST}),
}


@dataclass(frozen=True, slots=True)
class Disturbance:
    """One disturbance, in force until it is lifted or has met `times` messages.

    `messages` are the ids that it meets, none named: all but the handshake. `pause_s` is the delay of each message, or
    the pause after each 16 bytes of a slow line. REFUSE closes the port and resets all connections, RESET resets once.
    """

    kind: Kind
    messages: frozenset[int] = frozenset()
    times: int | None = None
    pause_s: float = 0.0


@dataclass(slots=True)
class _Active:
    disturbance: Disturbance
    left: int | None

    def meets(self, way: _Way, piece: bytes) -> bool:
        """True when the piece is to be disturbed; counts it."""
        disturbance = self.disturbance
        number = message_id(piece)
        if way not in _WAYS.get(disturbance.kind, frozenset(_Way)) or self.left == 0 or number is None:
            return False
        if disturbance.messages and number not in disturbance.messages:
            return False
        if self.left is not None:
            self.left -= 1
        return True


@dataclass(eq=False, slots=True)
class _Link:
    """A client's connection and the one that was made for it."""

    client: asyncio.StreamWriter
    gateway: asyncio.StreamWriter

    def reset(self) -> None:
        """Both sides see a reset."""
        for writer in (self.client, self.gateway):
            connection = writer.get_extra_info("socket")
            if connection is not None:
                with contextlib.suppress(OSError):
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            writer.transport.abort()


@dataclass(slots=True)
class _State:
    active: dict[int, _Active] = field(default_factory=dict)
    links: set[_Link] = field(default_factory=set)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    met: Counter[str] = field(default_factory=Counter)


class ChaosProxy:
    """The proxy in an event loop. Every method is called in that loop."""

    def __init__(self, upstream_port: int, *, port: int = 0, upstream_host: str = LOOPBACK) -> None:
        """Pass connections of 127.0.0.1 on to a gateway; `port` 0 takes a free one."""
        self._upstream = (upstream_host, upstream_port)
        self._port = port
        self._server: asyncio.Server | None = None
        self._state = _State()
        self._through = asyncio.Event()
        self._through.set()
        self._numbers = 0

    @property
    def met(self) -> Counter[str]:
        """How many messages each kind of disturbance has met."""
        return self._state.met

    @property
    def connections(self) -> int:
        """Connections that stand now."""
        return len(self._state.links)

    async def start(self) -> int:
        """Listen; the port."""
        self._server = await asyncio.start_server(self._serve, LOOPBACK, self._port)
        self._port = int(self._server.sockets[0].getsockname()[1])
        return self._port

    async def stop(self) -> None:
        """Close the port and every connection."""
        await self._close_port()
        self._state.active.clear()
        self._through.set()
        self._reset_all()
        await asyncio.gather(*self._state.tasks, return_exceptions=True)

    async def apply(self, disturbance: Disturbance) -> int:
        """Begin a disturbance; the number by which it is lifted."""
        self._numbers += 1
        self._state.active[self._numbers] = _Active(disturbance, disturbance.times)
        if disturbance.kind is Kind.BLACKHOLE:
            self._through.clear()
        elif disturbance.kind is Kind.REFUSE:
            await self._close_port()
        if disturbance.kind in {Kind.REFUSE, Kind.RESET}:
            self._state.met[disturbance.kind] += len(self._state.links)
            self._reset_all()
        return self._numbers

    async def lift(self, number: int) -> None:
        """End a disturbance; one that has ended is left alone."""
        self._state.active.pop(number, None)
        kinds = {item.disturbance.kind for item in self._state.active.values()}
        if Kind.BLACKHOLE not in kinds:
            self._through.set()
        if Kind.REFUSE not in kinds and self._server is None:
            await self.start()

    async def _close_port(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()

    def _reset_all(self) -> None:
        for link in tuple(self._state.links):
            link.reset()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client's connection, until either side ends."""
        task = asyncio.current_task()
        if task is not None:
            self._state.tasks.add(task)
            task.add_done_callback(self._state.tasks.discard)
        try:
            gateway_reader, gateway_writer = await asyncio.open_connection(*self._upstream)
        except OSError:
            writer.close()  # the gateway is away: its client sees the connection end
            return
        link = _Link(writer, gateway_writer)
        self._state.links.add(link)
        ways = (
            asyncio.ensure_future(self._pump(_Way.REQUEST, reader, gateway_writer)),
            asyncio.ensure_future(self._pump(_Way.REPLY, gateway_reader, writer)),
        )
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            writer.close()
            gateway_writer.close()
            self._state.links.discard(link)

    async def _pump(self, way: _Way, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass one direction on until it ends or is cut."""
        cutter = FrameCutter(greeted=way is _Way.REPLY)
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(_READ_BYTES):
                for piece in cutter.feed(data):
                    await self._through.wait()
                    if not await self._pass_on(way, piece, writer):
                        return
        await self._through.wait()

    async def _pass_on(self, way: _Way, piece: bytes, writer: asyncio.StreamWriter) -> bool:
        """Send one message as the disturbances have it; False when the connection ends with it."""
        met = [item.disturbance for item in tuple(self._state.active.values()) if item.meets(way, piece)]
        self._state.met.update(item.kind.value for item in met)
        kinds = {item.kind for item in met}
        for item in met:
            if item.kind is Kind.DELAY:
                await asyncio.sleep(item.pause_s)
        if kinds & {Kind.DROP_REPLY, Kind.DROP_REQUEST}:
            return True
        if Kind.TRUNCATE in kinds:
            writer.write(piece[: len(piece) // 2])
            await writer.drain()
            return False
        slow = next((item for item in met if item.kind is Kind.SLOW), None)
        for copy in (piece, piece) if Kind.DUPLICATE in kinds else (piece,):
            await _write(writer, copy, None if slow is None else slow.pause_s)
        return True


async def _write(writer: asyncio.StreamWriter, piece: bytes, pause_s: float | None) -> None:
    """All at once, or 16 bytes at a time."""
    if pause_s is None:
        writer.write(piece)
        await writer.drain()
        return
    for start in range(0, len(piece), SLOW_BYTES):
        writer.write(piece[start : start + SLOW_BYTES])
        await writer.drain()
        await asyncio.sleep(pause_s)


class ProxyThread:
    """The proxy in a thread of its own, for callers without an event loop."""

    def __init__(self, upstream_port: int, *, port: int = 0) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="chaos-proxy", daemon=True)
        self._ends = (upstream_port, port)
        self._proxy: ChaosProxy | None = None

    def start(self) -> int:
        """Listen; the port."""
        self._thread.start()
        return self._call(self._begin())

    async def _begin(self) -> int:
        self._proxy = ChaosProxy(self._ends[0], port=self._ends[1])
        return await self._proxy.start()

    def apply(self, disturbance: Disturbance) -> int:
        """Begin a disturbance; the number by which it is lifted."""
        return self._call(self._running.apply(disturbance))

    def lift(self, numbers: Iterable[int]) -> None:
        """End disturbances."""
        for number in numbers:
            self._call(self._running.lift(number))

    @property
    def met(self) -> dict[str, int]:
        """How many messages each kind of disturbance has met."""
        return dict(self._running.met)

    def stop(self) -> None:
        """Close everything and end the thread."""
        if self._proxy is not None:
            self._call(self._proxy.stop())
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_CONTROL_WITHIN_S)
        self._loop.close()

    @property
    def _running(self) -> ChaosProxy:
        if self._proxy is None:
            raise RuntimeError("the proxy was used before it was started")
        return self._proxy

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_CONTROL_WITHIN_S)
