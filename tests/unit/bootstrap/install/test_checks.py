from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.support.waiting import PATIENCE_S

from htbot.bootstrap.install.checks import gateway_version
from htbot.bootstrap.install.outcome import NotReady, NotRunning, PositionsOpen, exit_code
from htbot.bootstrap.install.ports import answers, free_port, is_taken, require_free
from htbot.domain.errors import ConfigurationError, HtbotError


@contextmanager
def server(answer: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """A listener that reads one greeting and gives one answer."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                heard.append(connection.recv(100))
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1], heard
        thread.join(timeout=PATIENCE_S)


def framed(payload: bytes) -> bytes:
    return struct.pack(">I", len(payload)) + payload


def test_the_handshake_is_the_protocols() -> None:  # TWS_PROTOCOL section 2
    with server(framed(b"178\x0020220826 09:30:00 EST\x00")) as (port, heard):
        assert gateway_version("127.0.0.1", port) == 178
    assert heard == [b"API\x00\x00\x00\x00\x09v157..178"]


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n", framed(b"no version\x00")])
def test_something_else_is_no_gateway(answer: bytes) -> None:
    with server(answer) as (port, _), pytest.raises(ValueError, match=r"gateway|invalid literal"):
        gateway_version("127.0.0.1", port)


def test_hanging_up_is_an_error() -> None:
    with server(b"") as (port, _), pytest.raises(OSError, match="hung up"):
        gateway_version("127.0.0.1", port)


def test_a_taken_port_is_named_with_its_variable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert is_taken(port)
        assert answers("127.0.0.1", port)
        with pytest.raises(ConfigurationError, match=f"HTBOT_API_PORT={port} is taken"):
            require_free("HTBOT_API_PORT", port)
    assert not is_taken(port)


def test_a_free_port_is_free() -> None:
    port = free_port()
    assert not is_taken(port)
    assert not answers("127.0.0.1", port, timeout_s=0.2)


@pytest.mark.parametrize(
    ("error", "code"),
    [(NotRunning(), 3), (ConfigurationError(), 4), (NotReady(), 5), (PositionsOpen(), 1), (HtbotError(), 1)],
)
def test_exit_codes(error: HtbotError, code: int) -> None:
    assert exit_code(error) == code
