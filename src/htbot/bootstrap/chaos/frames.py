"""Whole messages cut out of either direction of a TWS connection, so that a proxy can lose or repeat one of them."""

from __future__ import annotations

import struct

GREETING = b"API\0"
PLACE_ORDER, CANCEL_ORDER = 3, 4
"""Ids of the two requests that move money (TWS_PROTOCOL, outgoing messages)."""

_LENGTH = struct.Struct(">I")
_LONGEST_ID = 8


class FrameCutter:
    """Cuts a byte stream into frames with their 4-byte length; a client's greeting comes out as a piece of its own."""

    def __init__(self, *, greeted: bool) -> None:
        """`greeted` False is the client's side, whose stream begins with `API` and a zero byte."""
        self._pending = bytearray()
        self._greeted = greeted

    def feed(self, data: bytes) -> list[bytes]:
        """The pieces that are complete with `data`, each as it is sent on."""
        self._pending += data
        pieces: list[bytes] = []
        if not self._greeted:
            if len(self._pending) < len(GREETING):
                return []
            self._greeted = True
            pieces.append(self._take(len(GREETING)))
        while len(self._pending) >= _LENGTH.size:
            size = _LENGTH.size + _LENGTH.unpack_from(self._pending)[0]
            if len(self._pending) < size:
                break
            pieces.append(self._take(size))
        return pieces

    @property
    def rest(self) -> bytes:
        """What is there of a frame that has not come to its end."""
        return bytes(self._pending)

    def _take(self, size: int) -> bytes:
        piece = bytes(self._pending[:size])
        del self._pending[:size]
        return piece


def message_id(piece: bytes) -> int | None:
    """The message id of a frame, its first text field; None for the greeting and for the versions of the handshake."""
    head = piece[_LENGTH.size : _LENGTH.size + _LONGEST_ID].split(b"\0", 1)
    return int(head[0]) if len(head) == 2 and head[0].isdigit() else None
