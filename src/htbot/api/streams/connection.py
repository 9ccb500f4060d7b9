"""The WebSocket protocol of uvicorn, with an end for clients that do not read."""

from __future__ import annotations

import asyncio
import logging
from functools import lru_cache
from typing import Any

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame, Opcode

_quiet = logging.getLogger(f"{__name__}.uvicorn")
_quiet.setLevel(logging.WARNING)


@lru_cache(maxsize=64)
def framed(text: str) -> bytes:
    """A text message as a server sends it; made once for all who are told the same."""
    return Frame(Opcode.TEXT, text.encode()).serialize(mask=False)


class StreamConnection(WebSocketsSansIOProtocol):
    """Aborts where uvicorn would wait for ever, and tells no log of addresses and messages: tokens may be in both."""

    READING_S = 10.0
    """How long what was sent may wait for a client that does not read it. After that no closing is polite any more."""

    def __init__(self, *arguments: Any, **uvicorns: Any) -> None:
        super().__init__(*arguments, **uvicorns)
        self.logger = self.conn.logger = _quiet
        self._stalled: asyncio.TimerHandle | None = None

    async def send(self, message: Any) -> None:
        """As uvicorn does; a message that brings its frame is written as it is, the same bytes for everybody."""
        frame = message.get("frame")
        if frame is None:
            await super().send(message)
            return
        await self.writable.wait()
        if self.disconnected:
            raise ClientDisconnected
        if self.handshake_complete and not self.close_sent:
            self.transport.write(frame)

    def pause_writing(self) -> None:
        """The client does not read: from here on it has a deadline."""
        super().pause_writing()
        if self._stalled is None:
            self._stalled = self.loop.call_later(self.READING_S, self.transport.abort)

    def resume_writing(self) -> None:
        """It reads again."""
        super().resume_writing()
        self._calm()

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave no timer behind."""
        self._calm()
        super().connection_lost(exc)

    def _calm(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None
