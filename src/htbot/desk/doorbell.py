"""The desk's locks, and PostgreSQL's notifications as asyncio events: hints to look, never the thing itself."""

from __future__ import annotations

import asyncio
import logging

from htbot.domain.errors import Retryable
from htbot.persistence.listener import COMMANDS, HALTS, INTENTS, TASKS, Listener
from htbot.persistence.singleton import SingletonLock

_CHANNELS = (INTENTS, TASKS, COMMANDS, HALTS)
_log = logging.getLogger(__name__)


class Bell(asyncio.Event):
    """Set when it has rung; `rings` counts the announcements heard since the start."""

    def __init__(self) -> None:
        super().__init__()
        self.rings = 0

    def ring(self) -> None:
        """One announcement."""
        self.rings += 1
        self.set()


class Doorbell:
    """One bell per channel. A lost connection rings every bell, so that whoever waits looks for himself."""

    def __init__(self, url: str, lock: str) -> None:
        self._url = url
        self._locks = {SingletonLock(url, lock): "desk on this login"}
        self._bells = {channel: Bell() for channel in _CHANNELS}
        self._listener: Listener | None = None
        self._socket = -1

    def bell(self, channel: str) -> Bell:
        """Set when something was announced on the channel; whoever waits clears it first and looks after."""
        return self._bells[channel]

    async def hold(self, account: str) -> None:
        """One desk per account too, whatever login it came by; held from now on as the login's lock is.

        Raises:
            StopTrading: another desk trades the account.
        """
        lock = SingletonLock(self._url, f"account:{account}")
        if any(lock.name == held.name for held in self._locks):
            return
        try:
            await asyncio.get_running_loop().run_in_executor(None, lock.require, f"desk for account {account}")
        except Retryable as error:
            _log.warning("the account is not locked yet: %s", error)
        self._locks[lock] = f"desk for account {account}"

    async def ensure(self) -> None:
        """Hold the locks and listen; without a database it goes without, and callers poll.

        Raises:
            StopTrading: another desk holds a lock of ours; the text names it.
        """
        if self._listener is not None:
            return
        loop = asyncio.get_running_loop()
        try:
            for lock, what in self._locks.items():
                if not await loop.run_in_executor(None, lock.held):
                    await loop.run_in_executor(None, lock.require, what)
            self._listener = await loop.run_in_executor(None, Listener, self._url, _CHANNELS)
        except Retryable as error:
            _log.warning("no notifications, polling: %s", error)
            return
        self._socket = self._listener.fileno()
        loop.add_reader(self._socket, self._on_readable)

    def _on_readable(self) -> None:
        if self._listener is None:
            return
        try:
            rings = self._listener.heard()
        except Retryable as error:
            _log.warning("notifications ended: %s", error)
            self._stop_listening()
            for bell in self._bells.values():
                bell.set()
            return
        for ring in rings:
            self._bells[ring.channel].ring()

    def _stop_listening(self) -> None:
        if self._listener is not None:
            # A connection that PostgreSQL has ended does not know its socket any more.
            asyncio.get_running_loop().remove_reader(self._socket)
            self._listener.close()
            self._listener = None

    def close(self) -> None:
        """Stop listening and free the locks."""
        self._stop_listening()
        for lock in self._locks:
            lock.release()
