"""What the desk's benchmarks stand on: a private record, the desk as a process, bare clients beside it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg2
from bench_footprint import environ_of
from tests.support import record

from htbot.bootstrap.install.stack import Stack
from htbot.domain.instruments import Right
from htbot.domain.orders import OrderIntent
from htbot.domain.sessions import Session
from htbot.domain.signals import SpreadLeg
from htbot.domain.trades import Trade, TradeState
from htbot.persistence.engine import Database, libpq_url
from htbot.persistence.repositories import (
    FillRepository,
    IntentRepository,
    RiskDecisionRepository,
    SessionRepository,
    SignalRepository,
    TradeRepository,
)
from htbot.settings import project_root

# 11:00 in New York on a Friday.
STARTED = datetime(2022, 8, 26, 15, 0, tzinfo=UTC)
SHORT_QUOTE, LONG_QUOTE = (6.10, 6.30), (1.90, 2.00)
# Beyond the stop of 200 dollars at mid and at natural, and not wide.
STOPPED_QUOTE = (9.00, 9.20)


@contextlib.contextmanager
def stage(programs: Sequence[str] = ("postgres", "redis"), **settings: str) -> Iterator[Stack]:
    """An instance with its record migrated; gone at the end."""
    with tempfile.TemporaryDirectory(prefix="htbot-bench-") as folder:
        stack = Stack(project_root(), environ_of(Path(folder), "open") | settings)
        try:
            with stack.exclusive():
                stack.start_servers(programs)
                stack.migrate()
            _fill_calendar(stack)
            yield stack
        finally:
            stack.stop_all()


def _fill_calendar(stack: Stack) -> None:
    database = Database(stack.settings.database.url)
    day = Session(record.DAY, datetime(2022, 8, 26, 13, 30, tzinfo=UTC), datetime(2022, 8, 26, 20, tzinfo=UTC))
    with database.transaction() as session:
        SessionRepository(session).upsert([day])
    database.close()


@contextlib.contextmanager
def process(command: Sequence[str], environ: Mapping[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A program while the block runs."""
    with log.open("ab") as stream:
        running = subprocess.Popen(command, env=dict(environ), stdin=subprocess.DEVNULL, stdout=stream, stderr=stream)
    try:
        yield running
    finally:
        running.send_signal(signal.SIGTERM)
        try:
            running.wait(timeout=30)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()


def desk_environ(stack: Stack, port: int) -> dict[str, str]:
    """A desk of this instance on another gateway."""
    own = {"IB_HOST": "127.0.0.1", "IB_PORT": str(port), "IB_ACCOUNT": record.ACCOUNT, "PYTHONUNBUFFERED": "1"}
    return {**stack.environ, **own}


def desk(stack: Stack, environ: Mapping[str, str]) -> contextlib.AbstractContextManager[subprocess.Popen[bytes]]:
    """The real desk."""
    return process([sys.executable, "-m", "htbot.desk"], environ, stack.settings.paths.log / "bench-desk.out")


# --- rows ------------------------------------------------------------------------------------------------------------


def legs_of(number: int) -> tuple[SpreadLeg, SpreadLeg]:
    """Two contracts of this spread's own."""
    strike = Decimal(3000 + 10 * number)
    return (
        SpreadLeg(100_000 + 2 * number, "SPX", record.DAY, strike + 40, Right.PUT, -1),
        SpreadLeg(100_001 + 2 * number, "SPX", record.DAY, strike, Right.PUT, 1),
    )


def contract_of(leg: SpreadLeg) -> dict[str, Any]:
    """The same as the wire writes it."""
    return {
        "conId": leg.con_id,
        "symbol": leg.symbol,
        "secType": "OPT",
        "lastTradeDateOrContractMonth": f"{leg.expiry:%Y%m%d}",
        "strike": leg.strike,
        "right": leg.right.value[0],
        "multiplier": "100",
        "exchange": "SMART",
        "currency": "USD",
        "localSymbol": f"SPXW {leg.con_id}",
        "tradingClass": "SPXW",
    }


def trade_of(number: int, at: datetime, legs: tuple[SpreadLeg, ...]) -> Trade:
    """A trade of a strategy of its own: one live trade each."""
    name = f"bench{number}"
    ident = f"{name}-{record.ACCOUNT}-{record.DAY:%Y%m%d}-1"
    return record.trade(number, id=ident, strategy=name, legs=legs, opened_at=at)


def approve(database: Database, intents: Sequence[tuple[Trade, OrderIntent, int]]) -> None:
    """Trades with their approved entries, committed together."""
    with database.transaction() as session:
        for trade, intent, number in intents:
            stored = SignalRepository(session).add(record.signal(float(number)), None)
            RiskDecisionRepository(session).add(record.approval(number), stored)
            assert TradeRepository(session).add(trade)
            assert IntentRepository(session).add(intent)


def hold(database: Database, numbers: Sequence[int]) -> list[Trade]:
    """Open trades in the record, entered at a credit of 4.25."""
    opened = []
    for number in numbers:
        trade = trade_of(number, STARTED - timedelta(minutes=5), legs_of(number))
        intent = record.entry(trade, number, ref=f"htbot-{trade.strategy}-{record.ACCOUNT}-20220826-E1")
        held = replace(trade, state=TradeState.OPEN, credit=Decimal("4.25"))
        approve(database, [(held, intent, number)])
        with database.transaction() as session:
            for leg, price in zip(trade.legs, ("6.20", "1.95"), strict=True):
                made = record.fill(intent, leg, f"e{number}.{leg.con_id}.01", price, commission=Decimal("1.10"))
                FillRepository(session).add(made, intent.created_at)
        opened.append(held)
    connection = psycopg2.connect(libpq_url(database.engine.url.render_as_string(hide_password=False)))
    with connection, connection.cursor() as cursor:
        cursor.execute("CREATE SEQUENCE IF NOT EXISTS bench_orders")
        cursor.execute(
            "UPDATE intents SET state = 'FILLED', claim_epoch = 0, client_id = 9, order_id = nextval('bench_orders')"
            " WHERE purpose = 'entry' AND state = 'PENDING'"
        )
    connection.close()
    return opened


# --- floors ----------------------------------------------------------------------------------------------------------


def commit_times(url: str, count: int) -> list[float]:
    """Seconds of bare PostgreSQL commits of one row each."""
    connection = psycopg2.connect(libpq_url(url))
    times = []
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS bench_floor (id bigserial PRIMARY KEY, body text)")
        connection.commit()
        for _ in range(count):
            began = time.perf_counter()
            cursor.execute("INSERT INTO bench_floor (body) VALUES (%s)", ("x" * 600,))
            connection.commit()
            times.append(time.perf_counter() - began)
    connection.close()
    return times


def append_times(folder: Path, count: int) -> list[float]:
    """Seconds of bare appends of 700 bytes, each forced to the disk."""
    descriptor = os.open(folder / "bench-floor", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    times = []
    for _ in range(count):
        began = time.perf_counter()
        os.write(descriptor, b"x" * 700)
        os.fdatasync(descriptor)
        times.append(time.perf_counter() - began)
    os.close(descriptor)
    return times


BARE_IB = """
import asyncio, sys
from ib_async import IB, ComboLeg, Contract, LimitOrder

async def main(port, level, con_ids):
    ib = IB()
    await ib.connectAsync("127.0.0.1", port, clientId=3)
    ib.client.MaxRequests = 0
    sent = set()
    def look(tickers):
        for ticker in tickers:
            if any(tick.price >= level for tick in ticker.ticks) and ticker.contract.conId not in sent:
                own = ticker.contract.conId
                sent.add(own)
                legs = [ComboLeg(conId=con_id, ratio=1, action=action, exchange="SMART")
                        for con_id, action in ((own, "SELL"), (own + 1, "BUY"))]
                bag = Contract(symbol="SPX", secType="BAG", exchange="SMART", currency="USD", comboLegs=legs)
                ib.placeOrder(bag, LimitOrder("SELL", 1, -7.0))
    ib.pendingTickersEvent += look
    for con_id in con_ids:
        ib.reqMktData(Contract(conId=con_id, exchange="SMART"))
    await ib.client.apiEnd

asyncio.run(main(int(sys.argv[1]), float(sys.argv[2]), [int(text) for text in sys.argv[3:]]))
"""
BARE_ASYNCIO = """
import asyncio, sys
sys.path.insert(0, sys.argv[1])
from gateway_load import framed, join, order_frame
from ib_async import ComboLeg, Contract, LimitOrder

async def main(port, level, con_ids):
    sent, frames = set(), {}
    for number, own in enumerate(con_ids):
        legs = [ComboLeg(conId=con_id, ratio=1, action=action, exchange="SMART")
                for con_id, action in ((own, "SELL"), (own + 1, "BUY"))]
        bag = Contract(symbol="SPX", secType="BAG", exchange="SMART", currency="USD", comboLegs=legs)
        frames[str(number + 1).encode()] = order_frame(number + 1, bag, LimitOrder("SELL", 1, -7.0))
    def look(fields):
        if fields[0] == b"1" and float(fields[4]) >= level and fields[2] not in sent:
            sent.add(fields[2])
            session.send(frames[fields[2]])
    session = await join(port, 4, look)
    for number, con_id in enumerate(con_ids):
        contract = (con_id, "", "", "", 0, "", "", "SMART", "", "USD", "", "")
        session.send(framed(1, 11, number + 1, *contract, 0, "", 0, 0, ""))
    await asyncio.Event().wait()

asyncio.run(main(int(sys.argv[2]), float(sys.argv[3]), [int(text) for text in sys.argv[4:]]))
"""


# --- figures ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value and the project's bound; a floor has none."""

    name: str
    value: float
    unit: str
    limit: float | None = None
    most: bool = True
    note: str = ""

    @property
    def held(self) -> bool:
        """Whether the bound is kept."""
        if self.limit is None:
            return True
        return self.value <= self.limit if self.most else self.value >= self.limit

    def line(self) -> str:
        """As it is printed."""
        text = f"{self.name}: {self.value:,.2f} {self.unit}"
        if self.limit is not None:
            text += f", at {'most' if self.most else 'least'} {self.limit:,.2f}, ratio {self.value / self.limit:.2f}"
        return text + (f" ({self.note})" if self.note else "") + ("" if self.held else "  NOT HELD")


def part_of(times: Sequence[float], share: float) -> float:
    """A quantile in milliseconds; the longest stands for what lies beyond the last."""
    ordered = sorted(times)
    return 1000 * ordered[min(int(len(ordered) * share), len(ordered) - 1)]
