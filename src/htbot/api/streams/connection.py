"""The WebSocket protocol of uvicorn, with an end for clients that do not read."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

_quiet = logging.getLogger(f"{__name__}.uvicorn")
_quiet.setLevel(logging.WARNING)


class StreamConnection(WebSocketsSansIOProtocol):
    """Aborts where uvicorn would wait for ever, and tells no log of addresses and messages: tokens may be in both."""

    READING_S = 10.0
    """How long what was sent may wait for a client that does not read it. After that no closing is polite any more."""

    def __init__(self, *arguments: Any, **uvicorns: Any) -> None:
        super().__init__(*arguments, **uvicorns)
        self.logger = self.conn.logger = _quiet
        self.conn.debug = False
        self._stalled: asyncio.TimerHandle | None = None

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
