"""The gateway's sockets and time as faults and the control port move them."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from datetime import datetime
from typing import Any

from htbot.paper.clock import instants_between
from htbot.paper.dispatch import dispatch
from htbot.paper.faults.reading import read_fault
from htbot.paper.gateway import Gateway, Pace
from htbot.paper.session import Session

_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER on, zero seconds: closing the socket sends RST."""


class NoPipe:
    """The outgoing side of a client that is gone: nothing arrives."""

    def write(self, data: bytes) -> None:
        """Drop bytes."""

    def close(self) -> None:
        """Nothing to close."""

    def abort(self) -> None:
        """Nothing to close."""

    def get_write_buffer_size(self) -> int:
        """Nothing waits."""
        return 0

    def get_extra_info(self, name: str) -> None:
        """There is no socket."""


class GatewayStage:
    """`Stage` on a serving gateway; `close_port` ends every socket and refuses new ones for seconds of the host."""

    def __init__(self, gateway: Gateway, pace: Pace, close_port: Callable[[float], None]) -> None:
        self._gateway = gateway
        self._pace = pace
        self._close_port = close_port

    def cut(self, session: Session, how: str) -> None:
        """End a client's connection: `reset` or `close`."""
        session.flush()  # what a deaf session was to be told is dropped
        session.deaf = False
        if how == "close":
            session.close()
            return
        peer = session.pipe.get_extra_info("socket")
        if peer is not None:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        session.pipe.abort()

    def deafen(self, session: Session) -> None:
        """Read and answer nothing more; a stepped client is not waited for."""
        session.deaf = True
        session.stepped = False

    def restart(self, for_s: float) -> None:
        """Close every socket and refuse new ones; a stepped world stands still, so its seconds are the host's."""
        speed = self._gateway.config.speed
        for session in self._gateway.sessions.values():
            session.close()
        self._gateway.sessions.clear()
        self._close_port(for_s if speed == "max" else for_s / float(speed))

    def deliver(self, client_id: int, version: int, texts: list[str]) -> None:
        """Handle a request that was held back, of a client that may be gone."""
        session = self._gateway.sessions.get(client_id)
        if session is None or session.version != version:
            session = Session(NoPipe())
            session.client_id, session.version, session.started = client_id, version, True
        dispatch(self._gateway, self._pace, session, texts, again=True)

    def catch_up(self, until: datetime) -> None:
        """Settle every instant from the gateway's time on that may not be skipped, nights and days off jumped over."""
        gateway = self._gateway
        for day in gateway.market.sessions.all():
            if day.closes <= gateway.now or until <= day.opens:
                continue
            if gateway.now < day.opens:
                gateway.settle(day.opens)
            for instant in instants_between(gateway, until):
                gateway.settle(instant)
        gateway.move_to(until)


class ControlBoard:
    """What the control port turns: each call is a turn of the gateway."""

    def __init__(self, gateway: Gateway, pace: Pace) -> None:
        self._gateway = gateway
        self._pace = pace

    def rows(self) -> list[dict[str, Any]]:
        """Every fault."""
        return self._gateway.faults.rows()

    def add(self, name: str, given: dict[str, str]) -> dict[str, Any]:
        """Arm a fault; one that is due at once happens at once.

        Raises:
            CallerMistake: it is no fault, or its time is over.
        """
        fault = read_fault(name, given)
        self._pace.refresh()
        row = self._gateway.faults.arm(fault, "control")
        self._done()
        return row

    def clear(self, number: int | None) -> int:
        """Remove one fault or all; how many.

        Raises:
            NotFound: no fault has the number.
        """
        self._pace.refresh()
        removed = self._gateway.faults.clear(number)
        self._done()
        return removed

    def status(self) -> dict[str, Any]:
        """Market time, world, clients, and what is in force."""
        self._pace.refresh()
        gateway = self._gateway
        return {
            "market_time": gateway.now.isoformat(),
            "world": gateway.world_id,
            "speed": gateway.config.speed,
            "clients": sorted(gateway.sessions),
            **gateway.faults.in_words(),
        }

    def _done(self) -> None:
        self._gateway.faults.turn()
        for session in list(self._gateway.sessions.values()):
            if session.deaf:
                self._pace.left(session)  # others may have been waiting for it
        self._gateway.turn_done()
