"""Classes of routes, and how many calls of each are worked on at once: a crowd before one leaves the others free."""

from __future__ import annotations

import asyncio
import ipaddress
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from htbot.services.doorman import counted_as

DASHBOARD_PATH = "/dashboard"
_PROBES = frozenset({"/", "/ready"})
_STATUS = frozenset({"/health", "/status", "/positions", "/metrics"})
_READING = frozenset({"GET", "HEAD", "OPTIONS"})


class RouteClass(StrEnum):
    """What a call wants; the names stand in the limits below and in the answer of a full room."""

    PROBE = "probe"
    """Open to everybody and asks the record: `/`, `/ready`."""
    STATUS = "status"
    """What a person or a monitor looks at first: `/health`, `/status`, `/positions`, `/metrics`."""
    READ = "read"
    ACT = "act"
    STREAM = "stream"
    """WebSockets of the API."""
    DASHBOARD = "dashboard"
    """Pages, static files and WebSockets of the dashboard."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one class.

    Attributes:
        at_once: calls that are worked on at the same time; of WebSockets, those that are open.
        queue: calls that may wait for a place, so that a burst is served late and not refused.
        share: places that one client address may have, queue included. Programs of this machine all have one address
            and are not told apart.
        body: largest body, bytes.
    """

    at_once: int
    queue: int
    share: int
    body: int = 64 * 1024


PATIENCE_S = 5.0
"""How long a call waits for a place."""

LIMITS: Mapping[RouteClass, Limits] = {
    RouteClass.PROBE: Limits(at_once=2, queue=32, share=8, body=0),
    RouteClass.STATUS: Limits(at_once=8, queue=256, share=32, body=0),
    RouteClass.READ: Limits(at_once=6, queue=128, share=32),
    RouteClass.ACT: Limits(at_once=6, queue=128, share=32),
    RouteClass.STREAM: Limits(at_once=600, queue=0, share=32),
    RouteClass.DASHBOARD: Limits(at_once=120, queue=120, share=60, body=256 * 1024),
}
"""The first four ask the record from threads: together they stay below its connections (`htbot.bootstrap.api`)."""


def class_of(kind: str, method: str, path: str) -> RouteClass:
    """The class of a call. `kind` is the type of the ASGI scope, `method` is empty for a WebSocket."""
    if path == DASHBOARD_PATH or path.startswith(f"{DASHBOARD_PATH}/"):
        return RouteClass.DASHBOARD
    if kind == "websocket":
        return RouteClass.STREAM
    if method not in _READING:
        return RouteClass.ACT
    if path in _STATUS:
        return RouteClass.STATUS
    return RouteClass.PROBE if path in _PROBES else RouteClass.READ


class Full(Exception):
    """No place came free in time, or the client has its share."""


class Room:
    """The places of one class. A call `enter`s, and `leave`s whatever became of it. One event loop uses it."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._places = asyncio.Semaphore(limits.at_once)
        self._inside = 0
        self._shares: Counter[str] = Counter()

    async def enter(self, client: str, patience_s: float = PATIENCE_S) -> None:
        """Take a place.

        Raises:
            Full: too many are before, or this client has its share.
        """
        if self._inside >= self._limits.at_once + self._limits.queue:
            raise Full
        if not is_local(client):
            key = counted_as(client)
            if self._shares[key] >= self._limits.share:
                raise Full
            self._shares[key] += 1
        self._inside += 1
        if not self._places.locked():
            await self._places.acquire()  # is there: nothing is waited for
            return
        try:
            async with asyncio.timeout(patience_s):
                await self._places.acquire()
        except TimeoutError:
            self._forget(client)
            raise Full from None
        except BaseException:
            self._forget(client)
            raise

    def leave(self, client: str) -> None:
        """Give the place back."""
        self._places.release()
        self._forget(client)

    def _forget(self, client: str) -> None:
        self._inside -= 1
        if is_local(client):
            return
        key = counted_as(client)
        self._shares[key] -= 1
        if self._shares[key] <= 0:
            del self._shares[key]


def is_local(client: str) -> bool:
    """True for an address of this machine."""
    if client in {"127.0.0.1", "::1"}:
        return True
    try:
        return ipaddress.ip_address(client).is_loopback
    except ValueError:
        return True  # a UNIX socket has no address
