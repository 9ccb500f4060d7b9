"""A stepped day that stands still wherever a test wants it to.

Market time of a stepped world moves when every stepped client has answered its marker (docs/concepts/clock.md). This is
one more such client, which answers when the test says so: in between nothing moves, however long a browser takes.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Self

from tests.support.tws_client import framed, hello

CLIENT_ID = 77
_CURRENT_TIME = "49"
_PATIENCE_S = 120.0


class HeldDay:
    """A client of the gateway that holds the day; `now` is the market time at which it stands."""

    def __init__(self, peer: socket.socket) -> None:
        peer.settimeout(_PATIENCE_S)
        self._peer = peer
        self._incoming = peer.makefile("rb")
        self.now = self._marked()

    @classmethod
    def joined(cls, port: int) -> Self:
        """Take part in the step from now on; a gateway that is starting is waited for.

        Who joins before the desk does holds the day at its first instant.
        """
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            try:
                peer = socket.create_connection(("127.0.0.1", port), timeout=5)
            except OSError:
                assert time.monotonic() < deadline, f"nobody listens on port {port}"
                time.sleep(0.05)
                continue
            try:
                peer.sendall(hello() + framed(71, 2, CLIENT_ID, "stepped"))
                return cls(peer)
            except BaseException:
                peer.close()
                raise

    def close(self) -> None:
        """Leave: the day goes on without."""
        self._incoming.close()
        self._peer.close()

    def step(self) -> datetime:
        """Let one instant pass. What was decided and sent in the one before is in the record then."""
        self._peer.sendall(framed(_CURRENT_TIME, 1))
        self.now = self._marked()
        return self.now

    def go_to(self, instant: datetime) -> None:
        """Let the day go on to an instant."""
        while self.now < instant:
            self.step()

    def go_until(self, condition: Callable[[], object], latest: datetime, what: str) -> None:
        """Let the day go on until something has happened, at most to an instant."""
        while not condition():
            assert self.now < latest, f"never, until {latest}: {what}"
            self.step()

    def _marked(self) -> datetime:
        """The next marker, behind whatever else the gateway says."""
        while True:
            (length,) = struct.unpack(">I", self._read(4))
            fields = self._read(length).decode().split("\0")
            if fields[0] == _CURRENT_TIME:
                return datetime.fromtimestamp(int(fields[2]), UTC)

    def _read(self, length: int) -> bytes:
        data = self._incoming.read(length)
        assert len(data) == length, "the gateway has hung up"
        return data
