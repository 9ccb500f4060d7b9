"""IB's own `ibapi`, old and new: an EWrapper and EClient in one, its reader thread, callbacks written down."""

from __future__ import annotations

import importlib
import inspect
import threading
from decimal import Decimal
from typing import Any

from ibapi.client import EClient
from ibapi.wrapper import EWrapper

from .client import Client, NotInClient

_NAMES = {"exch": "exchange"}
"""Attributes of conditions that the ib_* libraries call by another name."""
_HOMES = {
    "Contract": "contract",
    "ComboLeg": "contract",
    "Order": "order",
    "ExecutionFilter": "execution",
    "ScannerSubscription": "scanner",
    "TagValue": "tag_value",
    "PriceCondition": "order_condition",
    "TimeCondition": "order_condition",
    "WshEventData": "wsh",  # 10 only: ibapi.common
}


class _App(EWrapper, EClient):
    """The program that IB's examples show."""

    def __init__(self, heard: Any) -> None:
        EClient.__init__(self, wrapper=self)
        self._heard = heard


def _noting(name: str) -> Any:
    def note(self: _App, *args: Any, **named: Any) -> None:
        self._heard(*_as_older(name, (*args, *named.values())))

    return note


for _name, _function in inspect.getmembers(EWrapper, inspect.isfunction):
    if not _name.startswith("_") and _name not in {"logAnswer", "winError"} and not _name.endswith("ProtoBuf"):
        setattr(_App, _name, _noting(_name))


def _as_older(name: str, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """The callbacks of 10.45 as 9.81 has them; Decimals as floats, as they are there."""
    args = tuple(float(arg) if isinstance(arg, Decimal) else arg for arg in args)
    if name == "tickPrice":
        return (name, *args[:3])
    if name == "error":
        return (name, args[0], *args[2:4]) if len(args) >= 4 and isinstance(args[3], str) else (name, *args[:3])
    if name == "commissionAndFeesReport":
        report = args[0]
        report.commission = report.commissionAndFees
        return ("commissionReport", report)
    return (name, *args)


class IbapiClient(Client):
    """Whichever `ibapi` is first on the path."""

    def __init__(self) -> None:
        super().__init__()
        self._app = _App(self.heard)
        self._thread: threading.Thread | None = None

    @property
    def server_version(self) -> int:
        return int(self._app.serverVersion() or 0)

    @property
    def connection_time(self) -> str | None:
        told = self._app.twsConnectionTime()
        return told.decode() if isinstance(told, bytes) else told

    def open(self, port: int, client_id: int) -> None:
        self.client_id, self.port = client_id, port
        self._app.connect("127.0.0.1", port, client_id)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        self.until(lambda: any(e.name in {"nextValidId", "closed", "connectionClosed"} for e in self.events), "id")
        if not any(e.name == "nextValidId" for e in self.events):
            raise ConnectionError("refused")

    def _read(self) -> None:
        try:
            self._app.run()
        except BaseException as error:
            self.heard("trouble", repr(error))
            self.heard("closed", repr(error))
            raise
        self.heard("closed", "")

    def close(self) -> None:
        self._app.disconnect()
        if self._thread is not None:
            self._thread.join(2)

    def make(self, noun: str, **values: Any) -> Any:
        try:
            home = importlib.import_module(f"ibapi.{_HOMES[noun]}")
        except ModuleNotFoundError:
            home = importlib.import_module("ibapi.common")
        kind = getattr(home, noun, None)
        if kind is None:
            raise NotInClient(noun)
        made = kind()
        for name, value in values.items():
            setattr(made, _NAMES.get(name, name), value)
        return made

    def _call(self, method: str, *args: Any) -> None:
        function = getattr(self._app, method, None)
        if function is None:
            raise NotInClient(method)
        if method in {"cancelOrder", "reqGlobalCancel"}:
            args = self._with_cancel(method, args)
        elif method == "exerciseOptions" and len(inspect.signature(function).parameters) > len(args):
            args = (*args, "", "", False)
        function(*args)

    def _with_cancel(self, method: str, args: tuple[Any, ...]) -> tuple[Any, ...]:
        try:
            noun = importlib.import_module("ibapi.order_cancel").OrderCancel
        except ModuleNotFoundError:
            return args[:1] if method == "cancelOrder" else ()
        return (*args[:1], noun()) if method == "cancelOrder" else (noun(),)

    def another(self) -> Client:
        return IbapiClient()
