"""The TCP server: sockets in, requests to their handlers, one turn for each packet."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

from htbot.domain.errors import ConfigurationError
from htbot.paper.errors import UNREADABLE, RequestError
from htbot.paper.gateway import Gateway, Pace
from htbot.paper.handlers import HANDLERS
from htbot.paper.handlers.ports import Context
from htbot.paper.session import Session
from htbot.paper.wire import requests
from htbot.paper.wire.framing import ClientVersions, FrameReader, frame
from htbot.paper.wire.tables import HIGHEST_VERSION, LOWEST_VERSION, decode
from htbot.paper.wire.times import connection_time
from htbot.paper.wire.values import WireError
from htbot.telemetry import get_logger

_GREETING_TIMEOUT_S = 30.0
_START_API = 71
_log = get_logger("htbot.paper.server")

CallLater = Callable[[float, Callable[[], None]], asyncio.TimerHandle]


class ClientProtocol(asyncio.Protocol):
    """One socket. Bytes that are not the protocol close it and nothing else."""

    def __init__(self, gateway: Gateway, pace: Pace, call_later: CallLater | None = None) -> None:
        self._gateway = gateway
        self._pace = pace
        self._call_later = call_later
        self._reader = FrameReader()
        self._transport: asyncio.Transport | None = None
        self._session: Session | None = None
        self._greeting_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected; it has some time to say who it is."""
        self._transport = cast("asyncio.Transport", transport)
        self._session = Session(self._transport)
        if self._call_later is not None:
            self._greeting_timer = self._call_later(_GREETING_TIMEOUT_S, self._expire)

    def data_received(self, data: bytes) -> None:
        """Handle every complete request in the packet as one turn."""
        if self._transport is None or self._session is None or self._transport.is_closing():
            return
        self._pace.refresh()
        try:
            for payload in self._reader.feed(data):
                self._receive(self._session, payload)
                if self._transport.is_closing():
                    break
        except WireError as error:
            _log.warning("client closed", reason=str(error), client_id=self._session.client_id)
            self._transport.close()
        self._gateway.turn_done()
        self._session.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone; its orders stay."""
        del exc
        if self._greeting_timer is not None:
            self._greeting_timer.cancel()
        session = self._session
        if session is not None and session.started and self._gateway.sessions.get(session.client_id) is session:
            del self._gateway.sessions[session.client_id]
            _log.info("client left", client_id=session.client_id)
            self._pace.left(session)
            self._gateway.turn_done()

    def _expire(self) -> None:
        if self._session is not None and not self._session.started and self._transport is not None:
            self._transport.close()

    def _receive(self, session: Session, payload: bytes) -> None:
        if session.version == 0:
            self._greet(session, payload)
            return
        texts = payload.decode("utf-8", errors="replace").split("\0")
        if texts and texts[-1] == "":
            texts.pop()
        self._dispatch(session, texts)

    def _greet(self, session: Session, payload: bytes) -> None:
        versions = ClientVersions.parse(payload)
        version = min(versions.highest, HIGHEST_VERSION)
        if version < max(versions.lowest, LOWEST_VERSION):
            raise WireError(f"client speaks {versions.lowest}..{versions.highest}, not {LOWEST_VERSION} or later")
        session.version = version
        answer = f"{version}\0{connection_time(self._gateway.now)}\0"
        session.send_raw(frame(answer.encode()))

    def _dispatch(self, session: Session, texts: list[str]) -> None:
        number = texts[0] if texts else ""
        table = requests.BY_ID.get(int(number)) if number.isascii() and number.isdigit() and len(number) < 5 else None
        if table is None:
            session.error(-1, UNREADABLE, f"Error reading request. Unknown message id {number[:20]!r}")
            return
        if not session.started and table.message_id != _START_API:
            raise WireError(f"{table.name} before startApi")
        body = texts[1:]
        values: dict[str, Any] = {}
        try:
            decode(table, body, session.version, values)
            context = Context(self._gateway, self._pace, session, tuple(body))
            HANDLERS[table.name](context, values)
        except WireError as error:
            session.error(_request_id(values), UNREADABLE, f"Error reading request. {error}")
        except RequestError as error:
            session.error(_request_id(values), error.code, error.text)


def _request_id(values: dict[str, Any]) -> int:
    """The id that an error about a request carries."""
    number = values.get("reqId", values.get("orderId", -1))
    return int(number)


@contextlib.asynccontextmanager
async def serving(gateway: Gateway, pace: Pace, host: str, port: int) -> AsyncIterator[int]:
    """Listen on a port (0 = any free one, which is given back) until the block ends.

    Raises:
        ConfigurationError: the port is not free or not ours.
    """
    loop = asyncio.get_running_loop()
    try:
        server = await loop.create_server(lambda: ClientProtocol(gateway, pace, loop.call_later), host, port)
    except OSError as error:
        gateway.close()
        text = f"paper gateway cannot listen on {host}:{port}: {error.strerror}; choose another port"
        raise ConfigurationError(text) from error
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        gateway.close()
