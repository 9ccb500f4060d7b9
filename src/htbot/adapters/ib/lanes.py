"""Messages to the broker in two lanes: an order or a cancel never waits behind a request for data.

A broker takes 50 messages a second. ib_async keeps to that with one queue for everything, so that a burst of requests
holds up whatever comes after it for most of a second. Here requests spend only a part of the second, orders go before
all of them, and wait for nothing but orders that have spent what is left.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from ib_async.client import Client

DATA_PER_S = 40
ORDERS_PER_S = 48
WINDOW_S = 1.0
# placeOrder, cancelOrder, reqGlobalCancel.
_ORDER_KINDS = frozenset({"3", "4", "58"})

Undisturbed = Callable[[], AbstractContextManager[None]]


class LaneClient(Client):
    """ib_async's client without its throttle. `throttled` False sends everything at once."""

    _waking: asyncio.TimerHandle | None = None

    def __init__(self, wrapper: Any, *, throttled: bool, undisturbed: Undisturbed = nullcontext) -> None:
        self._throttled = throttled
        self._undisturbed = undisturbed
        super().__init__(wrapper)  # type: ignore[no-untyped-call]

    def reset(self) -> None:
        """Forget what is still waiting: its session is gone."""
        super().reset()  # type: ignore[no-untyped-call]
        self._orders: deque[str] = deque()
        self._requests: deque[str] = deque()
        self._sent_at: deque[float] = deque()
        self._sleep_on()

    @property
    def waiting(self) -> int:
        """Messages that have not left yet."""
        return len(self._orders) + len(self._requests)

    def _onSocketHasData(self, data: bytes) -> None:  # noqa: N802 - the library's name
        """What has come is heard to its end before another thread has the interpreter."""
        with self._undisturbed():
            super()._onSocketHasData(data)  # type: ignore[no-untyped-call]

    def sendMsg(self, msg: str) -> None:  # noqa: N802 - the library's name
        """Send a message, now or when its lane has room."""
        if not self._throttled:
            self._write(msg)
            return
        lane = self._orders if msg.partition("\0")[0] in _ORDER_KINDS else self._requests
        lane.append(msg)
        self._drain()

    def _drain(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        while self._sent_at and now - self._sent_at[0] >= WINDOW_S:
            self._sent_at.popleft()
        for lane, most in ((self._orders, ORDERS_PER_S), (self._requests, DATA_PER_S)):
            while lane and len(self._sent_at) < most:
                self._sent_at.append(now)
                self._write(lane.popleft())
        self._sleep_on()
        if self.waiting:
            self._waking = loop.call_at(self._next_room(), self._drain)

    def _next_room(self) -> float:
        """When the first that waits may go: what it waits for has left the window by then."""
        most = ORDERS_PER_S if self._orders else DATA_PER_S
        return self._sent_at[len(self._sent_at) - most] + WINDOW_S

    def _sleep_on(self) -> None:
        if self._waking is not None:
            self._waking.cancel()
            self._waking = None

    def _write(self, msg: str) -> None:
        self.conn.sendMsg(self._prefix(msg.encode()))  # type: ignore[no-untyped-call]
