"""ib_async and ib_insync: their `Client` and decoder, with callbacks written down."""

from __future__ import annotations

import asyncio
import importlib
import threading
from datetime import UTC
from types import SimpleNamespace
from typing import Any

from .client import PATIENCE_S, Client, NotInClient

_SIZE_OF = {1: 0, 2: 3, 4: 5, 66: 69, 67: 70, 68: 71}


class _Wrapper:
    """Stands where the library's Wrapper stands; every method is a note in the book."""

    defaultTimezone = UTC  # noqa: N815 - the library's name
    ib = SimpleNamespace(TimezoneTWS=None)

    def __init__(self, heard: Any) -> None:
        self._heard = heard

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name.startswith("tcpData"):
            return lambda: None
        if name == "priceSizeTick":
            return self._price_with_size
        return lambda *args: self._heard(name, *(args[:3] if name == "error" else args))

    def _price_with_size(self, request_id: int, tick_type: int, price: float, size: float) -> None:
        """Both libraries tell in one callback what ibapi makes two of."""
        self._heard("tickPrice", request_id, tick_type, price)
        if tick_type in _SIZE_OF:
            self._heard("tickSize", request_id, _SIZE_OF[tick_type], size)


class IbClient(Client):
    """One of the two libraries by its module's name."""

    def __init__(self, module: str) -> None:
        super().__init__()
        self._module = module
        self._library = importlib.import_module(module)
        self._client = importlib.import_module(f"{module}.client").Client(_Wrapper(self.heard))
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    @property
    def server_version(self) -> int:
        return int(self._client.serverVersion())

    @property
    def connection_time(self) -> str | None:
        return None  # both libraries throw it away

    def open(self, port: int, client_id: int) -> None:
        self.client_id, self.port = client_id, port
        self._client.apiError += lambda text: self.heard("closed", text)
        self._client.apiEnd += lambda: self.heard("closed", "")
        self._wait(self._connect(port, client_id))
        accounts = ",".join(self._client.getAccounts())
        if "managedAccounts" not in {event.name for event in self.events}:
            self.heard("managedAccounts", accounts)
            self.heard("nextValidId", self._client._reqIdSeq)  # where the library keeps it

    async def _connect(self, port: int, client_id: int) -> None:
        """The libraries wait for their time-out even where the gateway has hung up."""
        ended = asyncio.Event()
        self._client.conn.disconnected += lambda *_: ended.set()
        attempt = asyncio.ensure_future(self._client.connectAsync("127.0.0.1", port, client_id, PATIENCE_S))
        waiting = asyncio.ensure_future(ended.wait())
        await asyncio.wait([attempt, waiting], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if not attempt.done():
            attempt.cancel()
            raise ConnectionError("the gateway hung up")
        await attempt

    def close(self) -> None:
        self._wait(self._disconnect())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(2)

    async def _disconnect(self) -> None:
        self._client.disconnect()

    def _wait(self, task: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(task, self._loop).result(PATIENCE_S)

    def make(self, noun: str, **values: Any) -> Any:
        return getattr(self._library, noun)(**values)

    def _call(self, method: str, *args: Any) -> None:
        if method in {"cancelOrder", "reqGlobalCancel"}:
            args = args[:1] if method == "cancelOrder" else ()
        function = getattr(self._client, method, None)
        if function is None:
            raise NotInClient(method)
        self._wait(self._run(function, args))

    async def _run(self, function: Any, args: tuple[Any, ...]) -> None:
        function(*args)

    def another(self) -> Client:
        return IbClient(self._module)
