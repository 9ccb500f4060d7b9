"""Frames of the TWS protocol: a 4-byte big-endian length and a payload (TWS_PROTOCOL section 2)."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

from htbot.paper.wire.values import WireError

MAX_FRAME = 0xFFFFFF
HELLO = b"API\0"
_LENGTH = struct.Struct(">I")
_VERSIONS = re.compile(r"v(\d{1,6})(?:\.\.(\d{1,6}))?(?: (.*))?", re.DOTALL)


def frame(payload: bytes) -> bytes:
    """The payload with its length in front."""
    return _LENGTH.pack(len(payload)) + payload


class FrameReader:
    """Cuts a byte stream into payloads; keeps what is incomplete."""

    def __init__(self) -> None:
        self._pending = bytearray()
        self._greeted = False

    def feed(self, data: bytes) -> list[bytes]:
        """The payloads that are complete with `data`.

        Raises:
            WireError: the stream does not begin with the API greeting, or a frame is longer than clients may send.
        """
        self._pending += data
        if not self._greeted and not self._greet():
            return []
        payloads = []
        start = 0
        pending = self._pending
        while len(pending) - start >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(pending, start)
            if length > MAX_FRAME:
                raise WireError(f"frame of {length} bytes is over the limit of {MAX_FRAME}")
            end = start + _LENGTH.size + length
            if len(pending) < end:
                break
            payloads.append(bytes(pending[start + _LENGTH.size : end]))
            start = end
        del pending[:start]
        return payloads

    def _greet(self) -> bool:
        head = bytes(self._pending[: len(HELLO)])
        if not HELLO.startswith(head):
            raise WireError(f"stream does not begin with the API greeting: {head!r}")
        if len(head) < len(HELLO):
            return False
        del self._pending[: len(HELLO)]
        self._greeted = True
        return True


@dataclass(frozen=True, slots=True)
class ClientVersions:
    """The range of protocol versions a client speaks, and its connect options."""

    lowest: int
    highest: int
    options: str = ""

    @staticmethod
    def parse(payload: bytes) -> ClientVersions:
        """Read the first payload of a client, `v157..178 +PACEAPI`.

        Raises:
            WireError: the payload is something else.
        """
        text = payload.decode("utf-8", errors="replace").rstrip("\0")
        match = _VERSIONS.fullmatch(text)
        if match is None:
            raise WireError(f"first frame is no version range: {text[:40]!r}")
        lowest = int(match[1])
        return ClientVersions(lowest, int(match[2] or lowest), match[3] or "")
