"""The listening port of the gateway, which can be shut for a while."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable
from typing import Protocol

from htbot.telemetry.logs import get_logger

_RETRY_S = 1.0
_log = get_logger("htbot.paper.server")


class Guest(Protocol):
    """The protocol of one socket."""

    def end(self) -> None:
        """Close the socket."""
        ...


class Door:
    """Sockets come in through here, one `Guest` each."""

    def __init__(self, welcome: Callable[[], asyncio.Protocol], host: str, port: int) -> None:
        self._welcome = welcome
        self._host = host
        self._port = port
        self._server: asyncio.Server | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._opening: asyncio.Task[None] | None = None
        self._guests: weakref.WeakSet[Guest] = weakref.WeakSet()

    async def open(self) -> int:
        """Listen; the port (0 = any free one, kept from then on).

        Raises:
            OSError: the port is not free or not ours.
        """
        self._server = await asyncio.get_running_loop().create_server(self._come_in, self._host, self._port)
        self._port = int(self._server.sockets[0].getsockname()[1])
        return self._port

    def shut(self, for_s: float) -> None:
        """Close every socket, and refuse new ones for so many seconds of the host."""
        self.close()
        for guest in list(self._guests):
            guest.end()
        self._timer = asyncio.get_running_loop().call_later(for_s, self._open_again)

    def close(self) -> None:
        """Listen no more."""
        if self._timer is not None:
            self._timer.cancel()
        if self._opening is not None:
            self._opening.cancel()
        if self._server is not None:
            self._server.close()

    def _come_in(self) -> asyncio.Protocol:
        guest = self._welcome()
        self._guests.add(guest)  # type: ignore[arg-type]
        return guest

    def _open_again(self) -> None:
        self._opening = asyncio.get_running_loop().create_task(self._opened())

    async def _opened(self) -> None:
        """Listen again on the same port; whoever took it meanwhile is waited for."""
        while True:
            try:
                await self.open()
            except OSError as error:
                _log.warning("port is taken", port=self._port, reason=error.strerror)
                await asyncio.sleep(_RETRY_S)
            else:
                return
