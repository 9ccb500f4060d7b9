"""Floods and slow senders at real sockets (FAULTS 49, 50)."""

from __future__ import annotations

import gzip
import json
import selectors
import socket
import time
from collections.abc import Iterable
from contextlib import suppress

import httpx
import pytest
from tests.support.api_process import TOKEN, Served
from tests.support.waiting import PATIENCE_S, wait_for

from htbot.api.connection import BODY_S, HEAD_S

AUTHORIZED = f"Authorization: {TOKEN['Authorization']}\r\n"
JSON = {"Content-Type": "application/json", **TOKEN}
MORE_MB = 20.0


def talk(served: Served, chunks: Iterable[bytes]) -> int:
    """Send until nobody listens; the status of the answer."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=PATIENCE_S) as connection:
        try:
            for chunk in chunks:
                connection.sendall(chunk)
        except OSError:
            pass  # it hung up on us, and may have said why before
        head = connection.recv(4096)
    return int(head.split(b" ")[1])


@pytest.mark.fault(49)
def test_a_hundred_megabytes_are_refused_at_once_and_not_kept(served: Served) -> None:
    size = 100 * 2**20
    httpx.post(f"{served.url}/halt", headers=JSON, content=b"{}", timeout=PATIENCE_S)
    before = served.resident_mb()
    head = f"POST /halt HTTP/1.1\r\nHost: 127.0.0.1\r\n{AUTHORIZED}Content-Type: application/json\r\n"
    whole = (f"{head}Content-Length: {size}\r\n\r\n".encode(), *[b"x" * 2**20] * 100)
    assert talk(served, whole[:2]) == 413, "the rest is not waited for"
    chunk = b"100000\r\n" + b"x" * 2**20 + b"\r\n"
    in_pieces = (f"{head}Transfer-Encoding: chunked\r\n\r\n".encode(), *[chunk] * 100)
    for chunks in (whole, in_pieces):
        assert talk(served, chunks) == 413
    assert served.resident_mb() - before < MORE_MB


@pytest.mark.fault(49)
def test_a_hundred_thousand_headers_are_refused(served: Served) -> None:
    before = served.resident_mb()
    lines = b"".join(b"x-%d: y\r\n" % number for number in range(100_000))
    assert talk(served, (b"GET /status HTTP/1.1\r\nHost: 127.0.0.1\r\n", lines)) == 431, "their end is not waited for"
    one = b"GET /status HTTP/1.1\r\nHost: 127.0.0.1\r\nx: " + b"y" * 2**20
    assert talk(served, (one, b"\r\n\r\n")) == 431
    assert talk(served, (b"GET /" + b"a" * 2**20,)) == 431
    assert served.resident_mb() - before < MORE_MB


@pytest.mark.fault(49)
def test_packed_and_deep_bodies_are_refused_at_once(served: Served) -> None:
    bomb = gzip.compress(b"x" * 2**25)
    assert len(bomb) < 64 * 1024
    before = served.resident_mb()
    answer = httpx.post(
        f"{served.url}/halt", headers={**JSON, "Content-Encoding": "gzip"}, content=bomb, timeout=PATIENCE_S
    )
    assert answer.status_code == 415
    for depth in (b"[" * 65_000, b'{"a":' * 13_000, b'{"reason":' + b"[" * 30_000 + b"]" * 30_000 + b"}"):
        answer = httpx.post(f"{served.url}/halt", headers=JSON, content=depth, timeout=PATIENCE_S)
        assert answer.status_code in {400, 422}
        assert answer.headers["content-type"] == "application/problem+json"
    assert served.resident_mb() - before < MORE_MB


@pytest.mark.fault(50)
def test_half_sent_requests_end_within_ten_seconds_and_keep_nobody_out(served: Served) -> None:
    assert HEAD_S + BODY_S <= 10
    heads = [b"GET /status HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ", b"GE", b""]
    bodies = [f"POST /close/all HTTP/1.1\r\nHost: 127.0.0.1\r\n{AUTHORIZED}Content-Length: 50\r\n\r\n{{".encode()]
    before = served.sockets()
    opened = [socket.create_connection(("127.0.0.1", served.port)) for _ in range(900)]
    for number, one in enumerate(opened):
        one.sendall((heads + bodies)[number % 4])
    with httpx.Client(headers=TOKEN, timeout=PATIENCE_S) as client:
        assert client.get(f"{served.url}/status").status_code == 200

        def ended() -> bool:
            _trickle(opened)
            assert client.get(f"{served.url}/status").status_code == 200
            assert client.post(f"{served.url}/close/all").status_code < 500
            return served.sockets() <= before + 1

        wait_for(ended, "half-sent requests stay")
    assert len(_closed(opened)) == 900
    for one in opened:
        one.close()


def _trickle(opened: list[socket.socket]) -> None:
    """A byte now and then, so that no time-out of silence would end them."""
    for one in opened[::4]:
        with suppress(ConnectionError):  # it has been ended
            one.send(b"x")


def _closed(opened: list[socket.socket]) -> list[socket.socket]:
    """Those that the other side has ended."""
    with selectors.DefaultSelector() as waiting:
        for one in opened:
            waiting.register(one, selectors.EVENT_READ)
        return [key.fileobj for key, _ in waiting.select(timeout=1)]  # type: ignore[misc]


@pytest.mark.fault(50)
def test_an_answer_that_nobody_reads_is_given_up(served: Served) -> None:
    request = f"GET /openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n{AUTHORIZED}\r\n".encode()
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        connection.connect(("127.0.0.1", served.port))
        connection.sendall(request * 50)  # pipelined: they would queue behind an answer that is never read
        time.sleep(0.3)
        assert httpx.get(f"{served.url}/status", headers=TOKEN, timeout=PATIENCE_S).status_code == 200
        connection.settimeout(PATIENCE_S)
        received = 0
        try:
            while piece := connection.recv(65536):
                received += len(piece)
        except ConnectionResetError:
            pass
        assert received < 50 * len(
            json.dumps(httpx.get(f"{served.url}/openapi.json", headers=TOKEN, timeout=PATIENCE_S).json())
        )
