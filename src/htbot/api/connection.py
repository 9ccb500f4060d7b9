"""What a connection may do until its request has been received whole, and while its answer is being sent.

uvicorn knows one time-out, of an idle connection that has been answered. Here each stage has a deadline: the head, the
body, the reading of the answer. Connections that are still being received stand in a lobby; when it is full the one
that has stood there longest, of the client that holds most, is closed. So half-sent requests, however many, keep nobody
out: an honest head is there within a round trip.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from enum import Enum, auto
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from htbot.services.doorman import counted_as

HEAD_S = 5.0
"""From the first byte of a request, or from the connection, until its headers are there."""
BODY_S = 5.0
"""From the headers until the end of the body."""
READING_S = 10.0
"""How long an answer may wait for a client that does not read it."""
LINGER_S = 1.0
"""How long a refused client may go on reading why."""
LARGEST_RAW_HEAD = 16 * 1024
"""Bytes of a head that is not complete yet; the guard's own limit is lower and is told in full."""
LOBBY_PLACES = 1000


class Stage(Enum):
    """Of one connection."""

    IDLE = auto()
    HEAD = auto()
    BODY = auto()
    SERVED = auto()
    """Received whole, being answered."""
    ENDED = auto()
    """Refused, or a WebSocket by now."""


class Lobby:
    """The connections whose request has not been received whole, of one server."""

    def __init__(self, places: int = LOBBY_PLACES) -> None:
        self._places = places
        self._count = 0
        self._clients: dict[str, dict[Connection, None]] = {}

    def enter(self, connection: Connection) -> None:
        """Take a place, as the last of its client; when there is none, somebody else has to go."""
        mine = self._clients.setdefault(connection.counted_as, {})
        if connection not in mine:
            self._count += 1
        mine[connection] = None
        if self._count > self._places:
            most = max(self._clients.values(), key=len)
            next(iter(most)).evict()

    def leave(self, connection: Connection) -> None:
        """Free the place, if it has one."""
        mine = self._clients.get(connection.counted_as, {})
        if connection in mine:
            del mine[connection]
            self._count -= 1
            if not mine:
                del self._clients[connection.counted_as]


class Connection(HttpToolsProtocol):
    """One connection with its deadlines. `httptools` parses; its callbacks tell the stage."""

    def __init__(self, lobby: Lobby, **uvicorns: Any) -> None:
        super().__init__(**uvicorns)
        self.counted_as = ""
        self._lobby = lobby
        self._stage = Stage.IDLE
        self._head_bytes = 0
        self._deadline: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None

    # --- asyncio's callbacks ---------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Stand in the lobby."""
        super().connection_made(transport)
        self.counted_as = counted_as(self.client[0]) if self.client else ""
        self._lobby.enter(self)
        self._expect(HEAD_S, self._too_late)

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave no timer behind."""
        self._lobby.leave(self)
        self._drop_timers()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse, unless this connection has been refused; start the clock of what is not complete."""
        if self._stage is Stage.ENDED:
            return
        if self._stage is Stage.IDLE:
            self._stage = Stage.HEAD
        if self._stage is Stage.HEAD:
            self._head_bytes += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._stage is Stage.HEAD:
            if self._head_bytes > LARGEST_RAW_HEAD:
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"more than {LARGEST_RAW_HEAD} bytes of head")
            elif self._deadline is None:
                self._expect(HEAD_S, self._too_late)

    def pause_writing(self) -> None:
        """The client does not read: from here on it has a deadline."""
        super().pause_writing()
        if self._stalled is None:
            self._stalled = self.loop.call_later(READING_S, self.transport.abort)

    def resume_writing(self) -> None:
        """It reads again."""
        super().resume_writing()
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    # --- the parser's callbacks ------------------------------------------------------------------------------------

    def on_headers_complete(self) -> None:
        """The head is there. A request before the last one was answered is nobody's who means well: it would queue."""
        self._stage, self._head_bytes = Stage.BODY, 0
        if self._is_answering:
            self.evict()
            return
        self._expect(BODY_S, self._too_late)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is there: out of the lobby."""
        super().on_message_complete()
        if self._stage is not Stage.BODY:
            return
        self._drop_deadline()
        if self._is_answering:
            self._stage = Stage.SERVED
            self._lobby.leave(self)
        else:
            self._wait_for_next()

    # --- uvicorn's callbacks ---------------------------------------------------------------------------------------

    def on_response_complete(self) -> None:
        """Answered: back into the lobby, or out of the house."""
        super().on_response_complete()
        if self.transport.is_closing():
            self.loop.call_later(READING_S, self.transport.abort)
        elif self._stage is Stage.SERVED:
            self._wait_for_next()

    def timeout_keep_alive_handler(self) -> None:
        """Close, also when the client never reads the end of its answer."""
        super().timeout_keep_alive_handler()
        self.loop.call_later(LINGER_S, self.transport.abort)

    def handle_websocket_upgrade(self) -> None:
        """From here on it is a WebSocket, which the guard counts."""
        self._stage = Stage.ENDED
        self._lobby.leave(self)
        self._drop_timers()
        super().handle_websocket_upgrade()

    # --- the ends --------------------------------------------------------------------------------------------------

    def evict(self) -> None:
        """Make room at once."""
        self._stage = Stage.ENDED
        self._lobby.leave(self)
        self._drop_timers()
        self.transport.abort()

    @property
    def _is_answering(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle  # uvicorn says that there always is one
        return cycle is not None and not cycle.response_complete

    def _wait_for_next(self) -> None:
        self._stage, self._head_bytes = Stage.IDLE, 0
        self._lobby.enter(self)
        if self.timeout_keep_alive_task is None:
            self._expect(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def _too_late(self) -> None:
        if self._stage is Stage.IDLE:
            self.evict()
        else:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, "the request did not come whole in time")

    def _refuse(self, status: HTTPStatus, detail: str) -> None:
        """Say why, hear nothing more, and close."""
        self._stage = Stage.ENDED
        self._lobby.leave(self)
        self._drop_timers()
        if self._is_answering:
            self.transport.abort()  # an answer may be on its way: a second one would be read as part of it
            return
        told = {"type": "about:blank", "title": status.phrase, "status": status.value, "detail": detail}
        body = json.dumps(told).encode()
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/problem+json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(LINGER_S, self.transport.abort)

    def _expect(self, seconds: float, or_else: Callable[[], None]) -> None:
        self._drop_deadline()
        self._deadline = self.loop.call_later(seconds, or_else)

    def _drop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _drop_timers(self) -> None:
        self._drop_deadline()
        self._unset_keepalive_if_required()
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None
