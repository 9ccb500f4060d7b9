"""The TCP server: sockets in, requests to their handlers, one turn for each packet."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any, Protocol, cast

from htbot.domain.errors import ConfigurationError
from htbot.paper.dispatch import dispatch
from htbot.paper.door import Door
from htbot.paper.errors import PACING_LIMIT
from htbot.paper.faults.stage import GatewayStage
from htbot.paper.gateway import Gateway, Pace
from htbot.paper.limits import MESSAGES_PER_SECOND
from htbot.paper.session import Session
from htbot.paper.wire.framing import ClientVersions, FrameReader, frame
from htbot.paper.wire.tables import HIGHEST_VERSION, LOWEST_VERSION
from htbot.paper.wire.times import connection_time
from htbot.paper.wire.values import WireError
from htbot.telemetry.logs import get_logger

_MOST_UNREAD_BYTES = 256 * 1024
_READ_PERIOD_S = 0.05
_LONG_TURN_S = 0.02
_GREETING_TIMEOUT_S = 30.0
_PACE_OPTION = "+PACEAPI"
# A peer that vanished without a word is given up after about a minute, where the system can be told so.
_KEEPALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}
_log = get_logger("htbot.paper.server")


class Host(Protocol):
    """The time of the host, in seconds that only go forward; an event loop is one."""

    def time(self) -> float:
        """Now."""
        ...

    def call_later(self, delay: float, callback: Callable[..., object], *args: Any) -> asyncio.TimerHandle:
        """Call something later."""
        ...


class ClientProtocol(asyncio.Protocol):
    """One socket. Bytes that are not the protocol close it and nothing else.

    Without a `host` nothing is timed: no limit of messages a second, no id is held.
    """

    def __init__(self, gateway: Gateway, pace: Pace, host: Host | None = None) -> None:
        self._gateway = gateway
        self._pace = pace
        self._host = host
        self._reader = FrameReader()
        self._waiting: deque[bytes] = deque()
        self._transport: asyncio.Transport | None = None
        self._session: Session | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._telling = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected; it has some time to say who it is."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(_MOST_UNREAD_BYTES)
        peer = self._transport.get_extra_info("socket")
        if peer is not None:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for name, value in _KEEPALIVE.items():
                if hasattr(socket, name):
                    peer.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        self._session = Session(self._transport)
        if self._host is not None:
            self._timer = self._host.call_later(_GREETING_TIMEOUT_S, self._expire)

    def pause_writing(self) -> None:
        """The client does not read what it gets."""
        if self._session is not None:
            self._session.reading.clear()

    def resume_writing(self) -> None:
        """The client has read most of it."""
        if self._session is not None:
            self._session.reading.set()

    def data_received(self, data: bytes) -> None:
        """Handle every complete request in the packet as one turn."""
        if self._transport is None or self._session is None or self._transport.is_closing() or self._session.deaf:
            return
        try:
            self._waiting.extend(self._reader.feed(data))
        except WireError as error:
            self._refuse(str(error))
        self._work_off()

    def _work_off(self) -> None:
        """Handle what waits, as far as the message rate lets it, as one turn.

        A turn that has become long ends after a request, and goes on when others have had theirs.
        """
        session, transport = self._session, self._transport
        if session is None or transport is None or transport.is_closing():
            return
        self._pace.refresh()
        self._begin_turn(session)
        while self._waiting and not transport.is_closing():
            if self._must_wait(session, transport):
                break
            if not session.in_time():
                self._read_later(transport, 0)
                break
            payload = self._waiting.popleft()
            try:
                if self._may_pass(session):
                    self._receive(session, payload)
            except WireError as error:
                self._refuse(str(error))
        self._tell_part(session)
        self._gateway.turn_done()
        session.flush()

    def _begin_turn(self, session: Session) -> None:
        """Nobody waits long for another client's turn; nothing is timed for a stepped one."""
        host = self._host
        if host is None or session.stepped:
            session.in_time = lambda: True
        else:
            ends = host.time() + _LONG_TURN_S
            session.in_time = lambda: host.time() <= ends

    def _tell_part(self, session: Session) -> None:
        """Long answers go on as the client reads."""
        if self._host is None:
            session.tell_part(None)
            return
        reads = session.reading.is_set()
        if reads:
            session.tell_part()
        if session.parts and not self._telling:
            self._telling = True
            self._host.call_later(0 if reads else _READ_PERIOD_S, self._tell_on)

    def _tell_on(self) -> None:
        self._telling = False
        session, transport = self._session, self._transport
        if session is None or transport is None or transport.is_closing():
            return
        self._begin_turn(session)
        self._tell_part(session)
        session.flush()

    def _refuse(self, reason: str) -> None:
        """The peer does not speak the protocol: its socket closes."""
        if self._session is not None and self._transport is not None:
            _log.warning("client closed", reason=reason, client_id=self._session.client_id)
            self._transport.close()

    # --- message rate ---------------------------------------------------------------------------------------------

    def _rate_counts(self, session: Session) -> bool:
        return session.started and not session.stepped and self._gateway.config.clients.pace != "off"

    def _must_wait(self, session: Session, transport: asyncio.Transport) -> bool:
        """True when the client is to be paced and has had its messages of this second: it is read later."""
        rule = self._gateway.config.clients.pace
        if self._host is None or not self._rate_counts(session) or not (rule == "queue" or session.wants_pace):
            return False
        wait_s = session.rate.wait_s(self._host.time())
        if wait_s > 0:
            self._read_later(transport, wait_s)
        return wait_s > 0

    def _read_later(self, transport: asyncio.Transport, wait_s: float) -> None:
        """Leave what a client sends in its socket for a while: it may not fill our memory."""
        if self._host is not None:
            transport.pause_reading()
            self._timer = self._host.call_later(wait_s, self._read_on, transport)

    def _read_on(self, transport: asyncio.Transport) -> None:
        transport.resume_reading()
        self._work_off()

    def _may_pass(self, session: Session) -> bool:
        """Count a message; False when it is one too many and not to be done (error 100, TWS_PROTOCOL section 7)."""
        if self._host is None or not self._rate_counts(session):
            return True
        told = session.rate.offences
        session.rate.count(self._host.time())
        if not session.rate.over:
            return True
        if session.rate.offences > told:
            text = (
                f"Max rate of messages per second has been exceeded:max={MESSAGES_PER_SECOND} rec={session.rate.over}"
            )
            session.error(-1, PACING_LIMIT, text)
        if self._gateway.config.clients.pace != "reject":
            return True
        if session.rate.hopeless:
            _log.warning("client closed", reason="too many messages a second", client_id=session.client_id)
            session.close()
        return False

    # --- end ------------------------------------------------------------------------------------------------------

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone; its orders stay. If its connection broke, its id stays taken for a while."""
        if self._timer is not None:
            self._timer.cancel()
        self.resume_writing()
        session = self._session
        if session is not None and session.started and self._gateway.sessions.get(session.client_id) is session:
            del self._gateway.sessions[session.client_id]
            self._gateway.history_pacing.forget(session.client_id)
            _log.info("client left", client_id=session.client_id)
            self._hold_id(session.client_id, exc, deaf=session.deaf)
            self._pace.left(session)
            self._gateway.turn_done()

    def _hold_id(self, client_id: int, error: Exception | None, *, deaf: bool) -> None:
        """A peer that ended its side has ended the session, even if it did not take our last bytes (a broken pipe).

        A session that had gone deaf has not seen the end.
        """
        seen = error is None or isinstance(error, BrokenPipeError)
        if self._host is None or (seen and not deaf):
            return
        held = self._gateway.held_ids
        held.add(client_id)
        self._host.call_later(self._gateway.config.clients.hold_s, held.discard, client_id)

    def end(self) -> None:
        """Close the socket."""
        if self._transport is not None:
            self._transport.close()

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
        dispatch(self._gateway, self._pace, session, texts)

    def _greet(self, session: Session, payload: bytes) -> None:
        versions = ClientVersions.parse(payload)
        version = min(versions.highest, HIGHEST_VERSION)
        if version < max(versions.lowest, LOWEST_VERSION):
            raise WireError(f"client speaks {versions.lowest}..{versions.highest}, not {LOWEST_VERSION} or later")
        session.version = version
        session.wants_pace = _PACE_OPTION in versions.options
        answer = f"{version}\0{connection_time(self._gateway.now)}\0"
        session.send_raw(frame(answer.encode()))


@contextlib.asynccontextmanager
async def serving(gateway: Gateway, pace: Pace, host: str, port: int) -> AsyncIterator[int]:
    """Listen on a port (0 = any free one, which is given back) until the block ends.

    Raises:
        ConfigurationError: the port is not free or not ours.
    """
    loop = asyncio.get_running_loop()
    door = Door(lambda: ClientProtocol(gateway, pace, loop), host, port)
    gateway.faults.begin(GatewayStage(gateway, pace, door.shut))
    try:
        chosen = await door.open()
    except OSError as error:
        gateway.close()
        taken = error.errno == errno.EADDRINUSE
        reason = "taken by another program" if taken else os.strerror(error.errno or errno.EADDRNOTAVAIL)
        text = f"paper gateway cannot listen on {host}:{port}: {reason}; choose another with --port (PAPER_PORT)"
        raise ConfigurationError(text) from error
    try:
        yield chosen
    finally:
        door.close()
        gateway.close()
