"""One PostgreSQL connection in the event loop: it holds the desk's lock and hears NOTIFY, a hint to look."""

from __future__ import annotations

import asyncio
import logging

import psycopg2
from psycopg2.extensions import ISOLATION_LEVEL_AUTOCOMMIT, connection

from htbot.domain.errors import StopTrading

_log = logging.getLogger(__name__)


class Doorbell:
    """One asyncio event per channel. A lost connection rings every bell, so that whoever waits looks for himself."""

    def __init__(self, dsn: str, channels: tuple[str, ...], lock: str) -> None:
        self._dsn = dsn
        self._lock = lock
        self._bells = {channel: asyncio.Event() for channel in channels}
        self._connection: connection | None = None

    def bell(self, channel: str) -> asyncio.Event:
        """Set when something was announced on the channel; whoever waits clears it first and looks after."""
        return self._bells[channel]

    def listening(self) -> bool:
        """True while the connection stands."""
        return self._connection is not None

    async def open(self) -> None:
        """Take the lock and listen; goes without when the database is away (callers poll as well).

        Raises:
            StopTrading: another desk holds the lock.
        """
        loop = asyncio.get_running_loop()
        try:
            connected = await loop.run_in_executor(None, self._connect)
        except psycopg2.OperationalError as error:
            _log.warning("no notifications, polling: %s", str(error).strip())
            return
        self._connection = connected
        loop.add_reader(connected.fileno(), self._on_readable)

    def _connect(self) -> connection:
        connected = psycopg2.connect(self._dsn, connect_timeout=3)
        connected.set_isolation_level(ISOLATION_LEVEL_AUTOCOMMIT)
        with connected.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(hashtext(%s))", (self._lock,))
            held = cursor.fetchone()
            if held is None or not held[0]:
                connected.close()
                raise StopTrading(f"another desk holds the lock {self._lock!r}: stop it first, one desk per IB login")
            for channel in self._bells:
                cursor.execute(f'LISTEN "{channel}"')
        return connected

    def _on_readable(self) -> None:
        if self._connection is None:
            return
        try:
            self._connection.poll()
        except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
            _log.warning("notifications ended: %s", str(error).strip())
            self.close()
            self.ring_all()
            return
        for notice in self._connection.notifies:
            self._bells[notice.channel].set()
        self._connection.notifies.clear()

    def ring_all(self) -> None:
        """Make everybody look for himself."""
        for bell in self._bells.values():
            bell.set()

    def close(self) -> None:
        """Stop listening."""
        if self._connection is not None:
            asyncio.get_running_loop().remove_reader(self._connection.fileno())
            self._connection.close()
            self._connection = None
