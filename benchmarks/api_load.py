"""Load for the API from a process of its own: keep-alive connections that ask, WebSockets that listen.

    .venv/bin/python benchmarks/api_load.py ask PORT PATH TOKEN CONNECTIONS SECONDS
    .venv/bin/python benchmarks/api_load.py listen PORT TOKEN CLIENTS SECONDS

Prints one JSON object. Bare protocols: a client library would take more of the second core than the server of its own.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import struct
import sys
import time
from datetime import datetime

import uvloop

_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
_AT = re.compile(rb'"at":"([^"]+)"')
_SEQ = re.compile(rb'"seq":(\d+)')


class Asker(asyncio.Protocol):
    """One connection that asks again as soon as it is answered."""

    def __init__(self, request: bytes, times: list[float]) -> None:
        self.request = request
        self.times = times
        self.buffer = b""
        self.asked_s = 0.0
        self.wrong = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport
        self.ask()

    def ask(self) -> None:
        self.asked_s = time.perf_counter()
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, end, body = self.buffer.partition(b"\r\n\r\n")
        if not end:
            return
        found = _LENGTH.search(head)
        assert found is not None
        if len(body) < int(found[1]):
            return
        self.times.append(time.perf_counter() - self.asked_s)
        self.wrong += not head.startswith(b"HTTP/1.1 200")
        self.buffer = b""
        self.ask()


async def ask(port: int, path: str, token: str, connections: int, seconds: float) -> dict[str, float]:
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    loop, times = asyncio.get_running_loop(), list[float]()
    askers = [
        (await loop.create_connection(lambda: Asker(request, times), "127.0.0.1", port))[1] for _ in range(connections)
    ]
    await asyncio.sleep(0.3)  # warm
    warm = len(times)
    times.clear()
    began_s = time.perf_counter()
    await asyncio.sleep(seconds)
    took_s, measured = time.perf_counter() - began_s, sorted(times)
    for asker in askers:
        asker.transport.abort()
    return {
        "answers": warm + len(times),
        "per_s": len(measured) / took_s,
        "p50_ms": measured[len(measured) // 2] * 1000,
        "p99_ms": measured[int(len(measured) * 0.99)] * 1000,
        "wrong": sum(asker.wrong for asker in askers),
    }


class Listener(asyncio.Protocol):
    """One WebSocket on `/ws/prices`: notes how long after it was told each change came."""

    def __init__(self, port: int, token: str, ready: list[Listener]) -> None:
        self.port, self.token, self.ready = port, token, ready
        self.buffer = b""
        self.open = False
        self.delays: list[float] = []
        self.sequences: list[int] = []
        self.lost = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport
        key = base64.b64encode(os.urandom(16)).decode()
        transport.write(
            f"GET /ws/prices HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.lost = True

    def data_received(self, data: bytes) -> None:
        now = time.time()
        self.buffer += data
        if not self.open:
            head, end, rest = self.buffer.partition(b"\r\n\r\n")
            if not end:
                return
            assert head.startswith(b"HTTP/1.1 101"), head
            self.open, self.buffer = True, rest
            self.transport.write(_masked(json.dumps({"type": "auth", "token": self.token}).encode()))
        while (frame := self._frame()) is not None:
            self._heard(frame, now)

    def _frame(self) -> bytes | None:
        if len(self.buffer) < 2:
            return None
        length, begins = self.buffer[1] & 127, 2
        if length == 126:
            if len(self.buffer) < 4:
                return None
            (length,), begins = struct.unpack(">H", self.buffer[2:4]), 4
        if len(self.buffer) < begins + length:
            return None
        frame, self.buffer = self.buffer[begins : begins + length], self.buffer[begins + length :]
        return frame

    def _heard(self, frame: bytes, now: float) -> None:
        sequence, at = _SEQ.search(frame), _AT.search(frame)
        if sequence is None or at is None:
            return
        if not self.sequences:
            self.ready.append(self)
        self.sequences.append(int(sequence[1]))
        self.delays.append(now - datetime.fromisoformat(at[1].decode()).timestamp())


def _masked(payload: bytes) -> bytes:
    mask = os.urandom(4)
    assert len(payload) < 126
    return bytes([0x81, 0x80 | len(payload)]) + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))


async def listen(port: int, token: str, clients: int, seconds: float) -> dict[str, float]:
    loop, ready = asyncio.get_running_loop(), list[Listener]()
    everybody = []
    for _ in range(clients):
        listener = (await loop.create_connection(lambda: Listener(port, token, ready), "127.0.0.1", port))[1]
        everybody.append(listener)
        await asyncio.sleep(0.002)
    while len(ready) < clients and not any(listener.lost for listener in everybody):
        await asyncio.sleep(0.05)
    for listener in everybody:
        listener.delays.clear()
        del listener.sequences[:-1]
    await asyncio.sleep(seconds)
    delays = sorted(delay for listener in everybody for delay in listener.delays)
    gaps = sum(
        later != before + 1
        for listener in everybody
        for before, later in zip(listener.sequences, listener.sequences[1:], strict=False)
    )
    told = {
        "updates_per_s": len(delays) / clients / seconds,
        "p50_ms": delays[len(delays) // 2] * 1000,
        "p99_ms": delays[int(len(delays) * 0.99)] * 1000,
        "max_ms": delays[-1] * 1000,
        "lost": sum(listener.lost for listener in everybody),
        "gaps": gaps,
    }
    for listener in everybody:
        listener.transport.abort()
    return told


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    uvloop.install()
    if what == "ask":
        port, path, token, connections, seconds = rest
        print(json.dumps(asyncio.run(ask(int(port), path, token, int(connections), float(seconds)))))
    else:
        port, token, clients, seconds = rest
        print(json.dumps(asyncio.run(listen(int(port), token, int(clients), float(seconds)))))
