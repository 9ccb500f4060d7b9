"""What the decision journal costs: the life of an intent with and without its triggers, and the desk beside workers.

    .venv/bin/python benchmarks/bench_audit.py

A PostgreSQL of its own with its durable defaults. One life is six transactions: decision, claim with order id, order
acknowledged, two leg fills, order filled. With and without take turns, so that a slow disk slows both.
"""

from __future__ import annotations

import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from itertools import count
from pathlib import Path

import psycopg2
from sqlalchemy import text
from sqlalchemy.orm import Session

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.support import record

from htbot.bootstrap.install.postgres import prepare
from htbot.domain.orders import IntentState, OrderState
from htbot.persistence.engine import Database, EngineOptions
from htbot.persistence.migrations import upgrade
from htbot.persistence.repositories import (
    DeskStateRepository,
    FillRepository,
    IntentRepository,
    OrderRepository,
    RiskDecisionRepository,
    SignalRepository,
    TradeRepository,
)

LIVES = 150
ROUNDS = 4
JOURNALED = ("signals", "risk_decisions", "trades", "intents", "orders", "order_perm_ids", "fills")


class Server:
    """PostgreSQL on a free port in a temporary folder, its settings the durable defaults."""

    def __init__(self, folder: Path) -> None:
        prepared = prepare(folder / "pg")
        self.endpoint = prepared.endpoint
        options = (f"port={self.endpoint.port}", "listen_addresses=127.0.0.1", "unix_socket_directories=")
        flags = [part for option in options for part in ("-c", option)]
        self.process = subprocess.Popen(
            [*prepared.command, "-D", str(prepared.data), *flags],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
        )
        while True:
            try:
                psycopg2.connect(self.url("postgres"), connect_timeout=5).close()
            except psycopg2.OperationalError:
                time.sleep(0.05)
            else:
                return

    def url(self, name: str) -> str:
        return f"postgresql://htbot:{self.endpoint.password}@127.0.0.1:{self.endpoint.port}/{name}"

    def create(self, name: str) -> str:
        connection = psycopg2.connect(self.url("postgres"))
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name}")
        connection.close()
        upgrade(self.url(name))
        return self.url(name)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=20)


def without_journal(database: Database) -> None:
    with database.transaction() as session:
        for table in JOURNALED:
            session.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER {table}_journal"))


def life(database: Database, number: int, epoch: int) -> list[float]:
    """Milliseconds of each of the six transactions."""
    trade = record.trade(number, strategy=f"bench{number}", id=f"bench{number}")
    intent = record.entry(trade, number)
    took = []

    def run(work: Callable[..., object]) -> None:
        began = time.perf_counter()
        with database.transaction() as session:
            work(session)
        took.append((time.perf_counter() - began) * 1000)

    def decide(session: Session) -> None:
        signal_id = SignalRepository(session).add(record.signal(4000.0 + number, strategy=trade.strategy), None)
        RiskDecisionRepository(session).add(record.approval(number), signal_id)
        TradeRepository(session).add(trade)
        IntentRepository(session).add(intent)

    def claim(session: Session) -> None:
        intents = IntentRepository(session)
        intents.claim_some(epoch, record.at(number), 1)
        intents.begin_sending({intent.ref: number}, 1, epoch=epoch, at=record.at(number))

    def tell(state: OrderState, intent_from: IntentState, intent_to: IntentState) -> Callable[..., None]:
        def write(session: Session) -> None:
            OrderRepository(session).upsert(record.order(intent, state=state, perm_id=number), record.at(number, 1))
            IntentRepository(session).move(intent.ref, intent_from, intent_to, epoch=epoch, at=record.at(number, 1))

        return write

    run(decide)
    run(claim)
    run(tell(OrderState.SUBMITTED, IntentState.SENDING, IntentState.WORKING))
    for leg in (record.SHORT, record.LONG):
        fill = replace(record.fill(intent, leg, f"{number}.{leg.con_id}.01"), commission=Decimal("0.65"))
        run(lambda session, fill=fill: FillRepository(session).add(fill, record.at(number, 2)))
    run(tell(OrderState.FILLED, IntentState.WORKING, IntentState.FILLED))
    return took


def compare(plain: Database, journaled: Database) -> None:
    epochs = {}
    for database in (plain, journaled):
        with database.transaction() as session:
            epochs[database] = DeskStateRepository(session).begin_epoch()
    lives: dict[Database, list[float]] = {plain: [], journaled: []}
    commits: dict[Database, list[float]] = {plain: [], journaled: []}
    numbers = count(1)
    for _ in range(ROUNDS):
        for database in (plain, journaled):
            for _ in range(LIVES // ROUNDS):
                took = life(database, next(numbers), epochs[database])
                lives[database].append(sum(took))
                commits[database].extend(took)
    for name, database in (("without journal", plain), ("with journal", journaled)):
        mean = statistics.median(lives[database])
        print(f"{name:<16} intent {mean:6.2f} ms median, transaction {statistics.median(commits[database]):5.2f} ms")
    extra = statistics.median(lives[journaled]) - statistics.median(lives[plain])
    print(f"the journal costs {extra:.2f} ms per intent of six transactions, {extra / 6:.2f} ms each")


def beside(url: str, writers: int, commits: int = 200) -> list[float]:
    """Milliseconds of the desk's writes about one order while workers write decisions as fast as they can."""
    desk = Database(url, EngineOptions(application_name="htbot-desk-orders", pool_size=1))
    stop, numbers = threading.Event(), count(int(time.monotonic() * 1000) + 10_000_000)

    def work() -> None:
        worker = Database(url, EngineOptions(application_name="htbot-worker", pool_size=1))
        while not stop.is_set():
            number = next(numbers)
            with worker.transaction() as session:
                signal_id = SignalRepository(session).add(record.signal(float(number)), "refused")
                RiskDecisionRepository(session).add(record.refusal(number), signal_id)
        worker.close()

    with desk.transaction() as session:
        intent = IntentRepository(session).live()[0].intent
    threads = [threading.Thread(target=work) for _ in range(writers)]
    for thread in threads:
        thread.start()
    took = []
    for number in range(commits):
        began = time.perf_counter()
        with desk.transaction() as session:
            OrderRepository(session).upsert(record.order(intent, error_text=str(number)), record.at(number))
        took.append((time.perf_counter() - began) * 1000)
    stop.set()
    for thread in threads:
        thread.join()
    desk.close()
    return sorted(took)


def leave_one_open(database: Database) -> None:
    trade = record.trade(9999)
    with database.transaction() as session:
        RiskDecisionRepository(session).add(record.approval(9999))
        TradeRepository(session).add(trade)
        IntentRepository(session).add(record.entry(trade, 9999))


def main() -> int:
    folder = Path(tempfile.mkdtemp(prefix="htbot-bench-"))
    server = Server(folder)
    try:
        plain, journaled = Database(server.create("plain")), Database(server.create("journaled"))
        without_journal(plain)
        compare(plain, journaled)
        for name, database, url in (("without journal", plain, "plain"), ("with journal", journaled, "journaled")):
            leave_one_open(database)
            for writers in (0, 2):
                took = beside(server.url(url), writers)
                median, p99 = statistics.median(took), took[int(len(took) * 0.99)]
                print(f"{name:<16} desk beside {writers} workers: {median:5.2f} ms median, {p99:5.2f} ms p99")
        plain.close()
        journaled.close()
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
    print("command:", " ".join(sys.argv))
    return 0


if __name__ == "__main__":
    sys.exit(main())
