"""Watched strategies from committed bars to committed signals: many symbols, seven strategies each, two workers.

    .venv/bin/python benchmarks/bench_evaluation.py
    .venv/bin/python benchmarks/bench_evaluation.py --symbols 10 100 1000 5000 --periods 5

An embedded PostgreSQL with its durable defaults and two worker processes that take the parts of an evaluation from one
queue, whichever is free, as Celery's do. A period is 30 seconds of market time at which a bar of five minutes has just
been committed for every symbol: the clock starts when the parts are sent and stops when both transactions are
committed. `quiet` are the nine periods of ten at which no bar closes. The first evaluation folds each strategy from its
warm-up of 600 bars.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing as mp
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from psycopg2.extras import execute_values

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench_audit import Server

from htbot.adapters.calendar import load_sessions
from htbot.bootstrap.catalogue import strategies
from htbot.domain.sessions import Session
from htbot.persistence.engine import Database, EngineOptions
from htbot.persistence.records import StrategyInstance
from htbot.persistence.repositories import SessionRepository, StrategyRepository, TaskRunRepository
from htbot.services.bar_evaluator import BarEvaluator
from htbot.services.bar_look import Look
from htbot.strategies.registry import create_bar

LIMIT_S, LIMIT_SYMBOLS = 10.0, 1000
WARM_UP, MINUTES, PARTS = 600, 5, 2
WORLD, ACCOUNT, TASK = "bench", "DU1000001", "bench"
SEVEN: tuple[tuple[str, dict[str, object]], ...] = (
    ("ma_crossover", {}),
    ("ma_crossover", {"short_window": 3, "long_window": 12, "allow_short": True}),
    ("range_bound", {}),
    ("momentum", {}),
    ("level_based", {}),
    ("plain_breakout", {}),
    ("plain_breakout", {"warmup": "seeded", "threshold": 45}),
)
_BAR = "INSERT INTO bars (world_id, symbol, minutes, start, open, high, low, close, volume, known_at) VALUES %s"


@dataclass
class Figures:
    """Seconds of one size: the first evaluation, periods with a new bar, quiet ones; signals of those with a bar.

    `cpu_s` is what both workers spent on a period with a bar, whatever else the machine does.
    """

    symbols: int
    first_s: float = 0.0
    first_looks: int = 0
    busy_s: list[float] = field(default_factory=list)
    quiet_s: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    signals: int = 0


def main() -> int:
    """Measure and print; 1 when 1,000 symbols take longer than the limit."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--symbols", type=int, nargs="+", default=[10, 100, 1000, 5000])
    parser.add_argument("--periods", type=int, default=5, help="periods with a new bar, at least 5")
    chosen = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="htbot-bench-"))
    server = Server(folder)
    try:
        measured = []
        for size in chosen.symbols:
            measured.append(measure(server, size, max(5, chosen.periods)))
            tell(measured[-1])
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
    load = os.getloadavg()
    print(f"load of the machine at the end: {load[0]:.1f} on {os.cpu_count()} cores")
    print("command:", " ".join(sys.argv))
    return verdict(measured)


def tell(one: Figures) -> None:
    """One line for the size."""
    middle, cpu_s = statistics.median(one.busy_s), statistics.median(one.cpu_s)
    print(
        f"{one.symbols:>5} symbols x {len(SEVEN)} strategies: median {middle:.2f} s, p95 {p95(one.busy_s):.2f} s of"
        f" {len(one.busy_s)} periods, {1000 * middle / one.symbols:.2f} ms a symbol, {cpu_s:.2f} s of CPU in both"
        f" workers, {one.signals} signals;"
        f" quiet {statistics.median(one.quiet_s):.2f} s; first with {WARM_UP} bars {one.first_s:.1f} s"
        f" in {one.first_looks} looks",
        flush=True,
    )


def verdict(measured: list[Figures]) -> int:
    """0 when the limit holds, or was not measured."""
    held = [one for one in measured if one.symbols == LIMIT_SYMBOLS]
    for one in held:
        found = p95(one.busy_s)
        print(f"{one.symbols} symbols: p95 {found:.2f} s, limit {LIMIT_S:.0f} s, ratio {found / LIMIT_S:.2f}")
    return 0 if all(p95(one.busy_s) <= LIMIT_S for one in held) else 1


def p95(seconds: list[float]) -> float:
    """The 95th percentile, the longest of a few."""
    return sorted(seconds)[math.ceil(0.95 * len(seconds)) - 1]


# --- one size ---------------------------------------------------------------------------------------------------------


def measure(server: Server, symbols: int, periods: int) -> Figures:
    """A record of its own, filled, evaluated."""
    url = server.create(f"bench_{symbols}")
    figures, market = Figures(symbols), Market(url, symbols)
    market.fill()
    workers = Workers(url)
    try:
        as_of = market.now
        while True:
            began = time.perf_counter()
            workers.evaluate(as_of)
            figures.first_looks += 1
            figures.first_s += time.perf_counter() - began
            if market.waiting(as_of) == 0:
                break
            as_of = market.close_bar()
        for _ in range(1 + figures.first_looks):  # each process folds what it has not folded yet
            workers.warm(market.close_bar())
        for _ in range(periods):
            as_of = market.close_bar()
            began = time.perf_counter()
            told = workers.evaluate(as_of)
            figures.busy_s.append(time.perf_counter() - began)
            figures.cpu_s.append(sum(cpu_s for _, cpu_s in told))
            figures.signals += sum(int(answer.split(", ")[1].split()[0]) for answer, _ in told)
            began = time.perf_counter()
            workers.evaluate(as_of + timedelta(seconds=30))
            figures.quiet_s.append(time.perf_counter() - began)
    finally:
        workers.stop()
        market.close()
    return figures


class Market:
    """Seeded walks of five-minute bars: 600 from before, then one for every symbol whenever it is told to."""

    def __init__(self, url: str, symbols: int) -> None:
        self.database = Database(url)
        self.symbols = [f"S{number:05d}" for number in range(symbols)]
        self.random, self.prices = Random(7), dict.fromkeys(self.symbols, 100.0)
        self.sessions = load_sessions(date(2024, 1, 1), date(2024, 3, 1)).all()
        starts = list(_starts(self.sessions))
        self.history, self.coming = starts[:WARM_UP], iter(starts[WARM_UP:])
        self.now = starts[WARM_UP]

    def fill(self) -> None:
        """Sessions, instances, and the history of every symbol."""
        with self.database.transaction() as session:
            SessionRepository(session).upsert(self.sessions)
            repository = StrategyRepository(session)
            catalogue = strategies()
            for symbol in self.symbols:
                for number, (kind, settings) in enumerate(SEVEN):
                    repository.add(_instance(f"{symbol}-{number}", kind, symbol, settings, catalogue))
        for start in range(0, len(self.symbols), 100):
            names = self.symbols[start : start + 100]
            self._write(row for at in self.history for row in self._bars(names, at))
        self._analyse()

    def close_bar(self) -> datetime:
        """Every symbol's next bar is committed; its end."""
        start = next(self.coming)
        self._write(self._bars(self.symbols, start))
        return start + timedelta(minutes=MINUTES)

    def waiting(self, as_of: datetime) -> int:
        """Instances that were not folded yet at this look."""
        with self.database.transaction() as session:
            cursor = session.connection().connection.cursor()
            cursor.execute(
                "SELECT count(*) FROM evaluations WHERE as_of = %s AND why_not LIKE 'its state is folded%%'", (as_of,)
            )
            (found,) = cursor.fetchone()
        return int(found)

    def _bars(self, names: list[str], start: datetime) -> Iterator[tuple[Any, ...]]:
        end = start + timedelta(minutes=MINUTES)
        for name in names:
            opened = self.prices[name]
            close = self.prices[name] = round(opened * (1 + self.random.gauss(0, 0.001)), 2)
            high, low = max(opened, close) + 0.02, min(opened, close) - 0.02
            yield WORLD, name, MINUTES, start, opened, high, low, close, 1000.0, end

    def _write(self, rows: Iterator[tuple[Any, ...]]) -> None:
        with self.database.transaction() as session:
            execute_values(session.connection().connection.cursor(), _BAR, rows, page_size=1000)

    def _analyse(self) -> None:
        connection = self.database.engine.raw_connection()
        connection.driver_connection.autocommit = True  # type: ignore[union-attr]
        connection.cursor().execute("VACUUM ANALYZE")
        connection.driver_connection.autocommit = False  # type: ignore[union-attr]
        connection.close()

    def close(self) -> None:
        """Close the connections."""
        self.database.close()


def _starts(sessions: list[Session]) -> Iterator[datetime]:
    for session in sessions:
        at = session.opens
        while at < session.closes:
            yield at
            at += timedelta(minutes=MINUTES)


def _instance(name: str, kind: str, symbol: str, settings: dict[str, object], catalogue: Any) -> StrategyInstance:
    strategy = create_bar(kind, settings, catalogue)
    now = datetime(2024, 1, 1, tzinfo=UTC)
    return StrategyInstance(
        name=name,
        type=kind,
        symbol=symbol,
        minutes=MINUTES,
        warm_up_bars=strategy.inputs.warm_up_bars,
        settings=settings,
        config_hash=strategy.config_hash,
        enabled=True,
        mode="observe",
        created_at=now,
        changed_at=now,
    )


# --- workers ----------------------------------------------------------------------------------------------------------


class Workers:
    """Two processes that take parts from one queue; each does what `tasks.base` does: one transaction, one run."""

    def __init__(self, url: str) -> None:
        context = mp.get_context("spawn")
        self._asked: Any = context.Queue()
        self._together = context.Barrier(PARTS)
        self._told: Any = context.Queue()
        self._processes = [
            context.Process(target=_work, args=(url, self._asked, self._told, self._together), daemon=True)
            for _ in range(PARTS)
        ]
        for process in self._processes:
            process.start()
        for _ in self._processes:
            self._told.get(timeout=120)

    def evaluate(self, as_of: datetime) -> list[tuple[str, float]]:
        """Every part once, by whichever process is free: what each answered, and CPU seconds."""
        for part in range(1, PARTS + 1):
            self._asked.put((as_of, [part]))
        return [self._answer() for _ in range(PARTS)]

    def warm(self, as_of: datetime) -> None:
        """Every part in every process, in another order in each, so that none waits for the other's rows."""
        parts = list(range(1, PARTS + 1))
        for turn in range(PARTS):
            self._asked.put((as_of, parts[turn:] + parts[:turn]))
        for _ in range(PARTS):
            self._answer()

    def _answer(self) -> tuple[str, float]:
        told: tuple[str, float] = self._told.get(timeout=3600)
        if told[0].startswith("failed"):
            raise RuntimeError(told[0])
        return told

    def stop(self) -> None:
        """End the processes."""
        for _ in self._processes:
            self._asked.put("stop")
        for process in self._processes:
            process.join(timeout=30)


def _work(url: str, asked: Any, told: Any, together: Any) -> None:
    name = f"htbot-worker-{os.getpid()}"
    database = Database(url, EngineOptions(application_name=name, pool_size=2, ping_first=False))
    evaluator = BarEvaluator(strategies)
    told.put("ready")
    while (message := asked.get()) != "stop":
        as_of, parts = message
        began_s = time.process_time()
        try:
            answers = [_evaluated(database, evaluator, as_of, part) for part in parts]
        except Exception as error:  # noqa: BLE001 - told to whoever measures
            answers = [f"failed: {type(error).__name__}: {error}"]
        if len(parts) > 1:
            together.wait()
        told.put((answers[-1], time.process_time() - began_s))


def _evaluated(database: Database, evaluator: BarEvaluator, as_of: datetime, part: int) -> str:
    with database.transaction() as session:
        runs, key = TaskRunRepository(session), f"{part}/{PARTS}"
        runs.begin(TASK, key, as_of)
        answer = evaluator.evaluate(session, Look(WORLD, ACCOUNT, as_of, part, PARTS))
        runs.finish(TASK, key, as_of)
    return answer


if __name__ == "__main__":
    sys.exit(main())
