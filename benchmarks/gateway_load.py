"""The paper gateway and a bare echo server as processes of their own, and clients that load them."""

from __future__ import annotations

import asyncio
import json
import os
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from ib_async import Contract, Order
from ib_async.client import Client

_PROC_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_LENGTH = struct.Struct(">I")
VERSION = 178

_GATEWAY = """
import json, sys
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from htbot.bootstrap.paper import PaperOptions, run

given = json.loads(sys.argv[1])
given["state_dir"] = Path(given["state_dir"])
given["calendar_dir"] = Path(given["calendar_dir"])
given["data"] = tuple(Path(path) for path in given.get("data", ()))
if "start" in given:
    given["start"] = datetime.fromisoformat(given["start"])
run(PaperOptions(**given), lambda gateway, port: print(port, flush=True))
"""
_ECHO = """
import asyncio, sys

class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)

async def main():
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


class ServerProcess:
    """A server on a free port of loopback that ends with the block; `cpu_s` is what it has used."""

    def __init__(self, program: str, *arguments: str) -> None:
        command = [sys.executable, "-c", program, *arguments]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.port = 0

    def __enter__(self) -> Self:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.strip().isdigit():
                self.port = int(line)
                return self
        raise RuntimeError("the server did not start")

    def __exit__(self, *_error: object) -> None:
        self._process.terminate()
        self._process.wait(timeout=10)

    @property
    def cpu_s(self) -> float:
        """User and system time so far."""
        stat = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(stat[11]) + int(stat[12])) / _PROC_TICKS_PER_S


def gateway(folder: Path, **options: object) -> ServerProcess:
    """A paper gateway with books of its own; options as in `PaperOptions`."""
    given = {"state_dir": str(folder / f"state-{time.monotonic_ns()}"), "calendar_dir": str(folder), "port": 0}
    return ServerProcess(_GATEWAY, json.dumps({**given, **options}))


def echo_server() -> ServerProcess:
    """What asyncio does on this machine at this moment."""
    return ServerProcess(_ECHO)


def framed(*fields: object) -> bytes:
    """One request."""
    payload = "".join(f"{field}\0" for field in fields).encode()
    return _LENGTH.pack(len(payload)) + payload


class _Recorder(Client):
    """ib_async's encoder, writing to a list."""

    def __init__(self) -> None:
        super().__init__(wrapper=None)
        self.connState = Client.CONNECTED
        self._serverVersion = VERSION
        self.recorded: list[str] = []

    def sendMsg(self, msg: str) -> None:  # noqa: N802 - the library's name
        self.recorded.append(msg)


def order_frame(order_id: int, contract: Contract, order: Order) -> bytes:
    """A placeOrder as ib_async sends it."""
    recorder = _Recorder()
    recorder.placeOrder(order_id, contract, order)
    return framed(*recorder.recorded[0].split("\0")[:-1])


class RawSession(asyncio.Protocol):
    """A client that speaks frames; `on_message` is given the fields of each message as bytes, None drops them."""

    def __init__(self, client_id: int, on_message: Callable[[list[bytes]], None] | None = None) -> None:
        self._client_id = client_id
        self._on_message = on_message
        self._pending = bytearray()
        self.transport: asyncio.Transport | None = None
        self.messages = 0
        self.ready = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        versions = f"v157..{VERSION}".encode()
        transport.write(b"API\0" + _LENGTH.pack(len(versions)) + versions + framed(71, 2, self._client_id, ""))

    def data_received(self, data: bytes) -> None:
        self._pending += data
        start, size = 0, len(self._pending)
        while size - start >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._pending, start)
            end = start + _LENGTH.size + length
            if end > size:
                break
            self._take(bytes(self._pending[start + _LENGTH.size : end]))
            start = end
        del self._pending[:start]

    def _take(self, payload: bytes) -> None:
        self.messages += 1
        if not self.ready.done() and payload.startswith(b"9\0"):
            self.ready.set_result(None)
        if self._on_message is not None:
            self._on_message(payload.split(b"\0"))

    def send(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(data)


async def join(port: int, client_id: int, on_message: Callable[[list[bytes]], None] | None = None) -> RawSession:
    """A raw client that has its first order id."""
    loop = asyncio.get_running_loop()
    _transport, session = await loop.create_connection(lambda: RawSession(client_id, on_message), "127.0.0.1", port)
    await session.ready
    return session


async def echo_times(port: int, count: int, size: int = 64) -> list[float]:
    """Seconds of single round trips of a frame."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    frame, times = b"x" * size, []
    for _ in range(count):
        began = time.perf_counter()
        writer.write(frame)
        await reader.readexactly(size)
        times.append(time.perf_counter() - began)
    writer.close()
    return times


async def echo_rate(port: int, count: int, size: int = 64, window: int = 500) -> float:
    """Frames a second through the echo server when `window` of them are on the way."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    block = b"x" * size * window
    began = time.perf_counter()
    for _ in range(count // window):
        writer.write(block)
        await reader.readexactly(len(block))
    rate = count / (time.perf_counter() - began)
    writer.close()
    return rate
