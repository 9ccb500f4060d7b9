"""A desk that is started again whenever it ends, a gateway and a record: real processes in a folder of their own."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import text
from tests.support import plain, record

from htbot.adapters.calendar import load_sessions
from htbot.adapters.ib.session import IbAddress, IbSession
from htbot.bootstrap.install.ports import free_port
from htbot.domain.errors import Retryable
from htbot.domain.instruments import UNDERLYINGS, Right
from htbot.domain.sessions import Session
from htbot.execution.messages import BagExecutionMessage, LegExecutionMessage, OpenOrderMessage
from htbot.marketdata.messages import TimeMessage
from htbot.marketdata.snapshot import ListedOption
from htbot.persistence.engine import Database, EngineOptions
from htbot.persistence.repositories import SessionRepository
from htbot.services.desk_line import STATUS, DeskLine

T = TypeVar("T")
OBSERVER = 99
_PATIENCE_S = 120.0


@cache
def sessions() -> list[Session]:
    """The one session of these worlds. The library behind it changes the filters of warnings: not in two threads."""
    return load_sessions(record.DAY, record.DAY).all()


@dataclass(frozen=True, slots=True)
class Life:
    """One desk process that has ended: when (monotonic) and how, as `Popen.returncode` tells it."""

    ended_s: float
    code: int


class Supervised:
    """Starts the desk again whenever it ends, as a supervisor does."""

    def __init__(self, environ: dict[str, str], log: Path) -> None:
        self._environ, self._log = environ, log
        self.lives: list[Life] = []
        self.process: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin the first life."""
        self._thread.start()

    def _run(self) -> None:
        while not self._stopping.is_set():
            with self._log.open("ab") as log:
                self.process = subprocess.Popen(
                    [sys.executable, "-m", "htbot.desk"],
                    env=self._environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                )  # fmt: skip
            code = self.process.wait()
            self.lives.append(Life(time.monotonic(), code))
            self._stopping.wait(0.1)

    def signal(self, number: signal.Signals) -> None:
        """Signal the life of now, if it still runs."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def stop(self) -> None:
        """End the last life."""
        self._stopping.set()
        self.signal(signal.SIGKILL)
        if self._thread.is_alive():
            self._thread.join(timeout=60)


@dataclass(frozen=True, slots=True)
class Listed:
    """What can be traded here: puts out of the money, nearest first; a share's contract id and its last price."""

    puts: list[ListedOption]
    share_con_id: int
    share_price: Decimal


@dataclass(frozen=True, slots=True)
class BrokerView:
    """What the gateway tells a client that asks."""

    orders: list[OpenOrderMessage]
    executions: list[LegExecutionMessage | BagExecutionMessage]
    positions: dict[int, int]


class Site:
    """Everything that a case needs; market time runs at `speed` on 26 August 2022 from 11:00."""

    def __init__(self, folder: Path, database_url: str, speed: float = 3.0) -> None:
        self.folder, self.speed = folder, speed
        self.failpoints = folder / "failpoints"
        self.port = free_port()
        keep = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "TMPDIR"}}
        self._environ = keep | {
            "HTBOT_ENV_FILE": os.devnull,
            "HTBOT_VAR_DIR": str(folder / "var"),
            "KILL_SWITCH_FILE": str(folder / "STOP"),
            "HTBOT_FAILPOINTS": str(self.failpoints),
            "HTBOT_BAR_MINUTES": "15",
            "HTBOT_ENTRY_START": "14:30",  # no chain is streamed: entries come from the cases
            "DATABASE_URL": database_url,
            "REDIS_URL": f"redis://127.0.0.1:{free_port()}/0",  # nobody listens
            "PAPER_PORT": str(self.port),
            "PAPER_SPEED": str(speed),
            "RISK_PROFILE": "chaos",
            "PAPER_START": f"{record.DAY}T11:00",
            "PAPER_ACCOUNTS": record.ACCOUNT,
            "PAPER_CASH": "100000000",  # no case is refused for want of margin
            "PYTHONFAULTHANDLER": "1",
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        for name in ("log", "run", "desk", "paper"):
            (folder / "var" / name).mkdir(parents=True, exist_ok=True)
        self.database = Database(database_url, EngineOptions(application_name="failpoints", pool_size=2))
        self.desk = Supervised(self._environ, folder / "desk.log")
        self.line = DeskLine(folder / "var" / "run", timeout_s=2.0)
        self._began = (record.NOON, time.monotonic())
        self._gateway: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Fill the table of sessions, then gateway and desk."""
        with self.database.transaction() as transaction:
            SessionRepository(transaction).upsert(sessions())
        with (self.folder / "gateway.log").open("ab") as log:
            self._gateway = subprocess.Popen(
                [sys.executable, "-m", "htbot", "paper", "--port", str(self.port)],
                env=self._environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        self.until(self._serves, "the gateway serves")
        self.desk.start()
        self.until(self.enabled, "the desk has enabled trading")

    def stop(self) -> None:
        """End what runs."""
        self.desk.stop()
        if self._gateway is not None:
            self._gateway.terminate()
            self._gateway.wait(timeout=60)
        self.database.close()

    # --- the desk --------------------------------------------------------------------------------------------------

    def arm(self, *lines: str) -> None:
        """Arm edges: `edge act` each."""
        self.failpoints.write_text("".join(f"{line}\n" for line in lines), encoding="ascii")

    def disarm(self) -> None:
        """Whatever is still armed is not any more."""
        self.failpoints.unlink(missing_ok=True)

    @property
    def armed(self) -> list[str]:
        """Edges that nobody has come to yet."""
        return self.failpoints.read_text(encoding="ascii").splitlines() if self.failpoints.exists() else []

    def status(self) -> dict[str, Any]:
        """As the desk tells it by its own line; empty while it does not answer."""
        try:
            return self.line.ask({"do": STATUS})
        except Retryable:
            return {}

    def connected(self) -> bool:
        """The desk is back at the broker."""
        return self.status().get("connection") == "connected"

    def enabled(self) -> bool:
        """Entries may leave."""
        return bool(self.status().get("enabled"))

    def until(self, condition: Any, what: str, patience_s: float = _PATIENCE_S) -> float:
        """Wait for a condition; returns when (monotonic)."""
        deadline = time.monotonic() + patience_s
        while not _met(condition):
            if time.monotonic() > deadline:
                said = f"the desk says {self.status()}, PostgreSQL {self._activity()}"
                self.desk.signal(signal.SIGABRT)  # where its threads are is in its log
                raise AssertionError(f"never within {patience_s:.0f} s: {what}; {said}")
            time.sleep(0.2)
        return time.monotonic()

    def _activity(self) -> list[str]:
        """What holds PostgreSQL up, if something does."""
        columns = "application_name, state, wait_event_type, wait_event, now() - xact_start, left(query, 120)"
        query = f"SELECT {columns} FROM pg_stat_activity WHERE state <> 'idle'"
        with self.database.transaction() as transaction:
            return [str(tuple(row)) for row in transaction.execute(text(query))]

    # --- the broker ------------------------------------------------------------------------------------------------

    def _serves(self) -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self.port)) == 0

    async def _observer(self) -> IbSession:
        session = IbSession(IbAddress("127.0.0.1", self.port, OBSERVER), lambda _message: None)
        await session.connect()
        return session

    def listed(self) -> Listed:
        """What the broker lists; market time is known from here on."""
        return _talk(self._list())

    async def _list(self) -> Listed:
        told: asyncio.Future[datetime] = asyncio.get_running_loop().create_future()

        def hear(message: object) -> None:
            if isinstance(message, TimeMessage) and not told.done():
                told.set_result(message.market_time)

        session = IbSession(IbAddress("127.0.0.1", self.port, OBSERVER), hear)
        await session.connect()
        try:
            underlying = UNDERLYINGS[record.SYMBOL]
            spx = await session.qualify(underlying)
            spot = (await session.history(spx, 15, 1))[-1].close
            listed = await session.listed_options(underlying, record.DAY)
            share = await session.qualify(UNDERLYINGS[plain.SYMBOL])
            price = (await session.history(share, 15, 1))[-1].close
            session.request_time()
            self._began = (await told, time.monotonic())
        finally:
            session.disconnect()
        puts = [option for option in reversed(listed) if option.right is Right.PUT and float(option.strike) < spot]
        return Listed(puts, share.con_id, Decimal(repr(price)).quantize(plain.CENT))

    def market_now(self) -> datetime:
        """Market time; no later than the desk's, which the broker tells in whole seconds."""
        began, at_s = self._began
        return began + timedelta(seconds=(time.monotonic() - at_s) * self.speed - 1)

    def broker(self) -> BrokerView:
        """The broker's own book, told to a client that has never been there."""
        return _talk(self._broker())

    async def _broker(self) -> BrokerView:
        session = await self._observer()
        try:
            held = {con_id: quantity for (_account, con_id), (_c, quantity) in session.positions().items()}
            return BrokerView(await session.open_orders(), await session.executions(), held)
        finally:
            session.disconnect()


def _talk(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


def _met(condition: Any) -> bool:
    try:
        return bool(condition())
    except Retryable:
        return False
