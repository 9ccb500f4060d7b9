"""The API as its process runs, beside a bare FastAPI route that returns the same bytes, measured by turns.

    .venv/bin/python benchmarks/bench_api.py --rounds 5
    .venv/bin/python benchmarks/bench_api.py --only streams --clients 500

`status` and `positions`: 16 connections that ask without a pause; guard, token, metrics and the feed are on, the desk
speaks and the record is committed to twice a second. `streams`: WebSockets on `/ws/prices`, the desk changes prices
five times a second, the feed makes four updates of them. The delay is from the time that an update carries to its
arrival. The load comes from another process. The exit code is 1 beyond a limit.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from desk_stage import process, stage
from process_tree import cpu_s
from tests.support.opened import opened_trade
from tests.support.people import chain, clock

from htbot.adapters.live import LiveWriter
from htbot.bootstrap.install.ports import answers, free_port
from htbot.bootstrap.install.stack import Stack
from htbot.persistence.engine import Database
from htbot.persistence.repositories import TaskRunRepository

LOAD = str(Path(__file__).with_name("api_load.py"))
CONNECTIONS = 16
LEAST_SHARE, MOST_TIMES_P99, MOST_FANOUT_MS = 0.65, 2.0, 100.0
_BARE = """
import sys
import uvicorn
from fastapi import FastAPI, Response

app, body = FastAPI(), sys.stdin.buffer.read()

@app.get("/status")
async def status() -> Response:
    return Response(body, media_type="application/json")

uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_config=None, access_log=False, server_header=False,
            date_header=False, http="httptools", loop="uvloop")
"""


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value and its limit."""

    name: str
    value: float
    unit: str
    limit: float
    most: bool = True

    @property
    def held(self) -> bool:
        return self.value <= self.limit if self.most else self.value >= self.limit


@dataclass(frozen=True, slots=True)
class Server:
    """A process that is asked."""

    port: int
    pid: int
    token: str = "none"

    def ask(self, path: str, seconds: float) -> dict[str, float]:
        """Answers a second and their times; `cpu_us` of the process for each, which other work disturbs less."""
        before_s = cpu_s(self.pid)
        told = load("ask", self.port, path, self.token, CONNECTIONS, seconds)
        assert told["wrong"] == 0
        return told | {"cpu_us": (cpu_s(self.pid) - before_s) / told["answers"] * 1e6}


class Speaking(threading.Thread):
    """The desk's words and a record that changes, as beside a session that is open."""

    def __init__(self, stack: Stack, database: Database) -> None:
        super().__init__(daemon=True)
        self._url, self._database = stack.settings.redis.url, database
        self.stopped = threading.Event()

    def run(self) -> None:
        asyncio.run(self._speak())

    async def _speak(self) -> None:
        live, number = LiveWriter(self._url), 0
        while not self.stopped.is_set():
            number += 1
            now = datetime.now(UTC)
            ticker = chain(4152.0 + number % 100 / 10)
            held = {con_id: quote for con_id, quote in ticker.quotes.items() if con_id == 1}
            await live.publish_ticker(replace(ticker, as_of=now, options=(), quotes=held))
            if number % 5 == 0:
                await live.publish_clock(clock(written_at=now, market_time=now))
            if number % 3 == 0:
                await asyncio.to_thread(self._commit, now)
            await asyncio.sleep(0.2)
        await live.close()

    def _commit(self, now: datetime) -> None:
        with self._database.transaction() as session:
            TaskRunRepository(session).begin("read_market", "all", now)


@contextlib.contextmanager
def served() -> Iterator[Server]:
    """The API's process of an instance with an open trade."""
    with stage() as stack:
        database = Database(stack.settings.database.url)
        opened_trade(database)
        speaking = Speaking(stack, database)
        speaking.start()
        command = [sys.executable, "-m", "htbot.api"]
        with process(command, stack.environ, stack.settings.paths.log / "bench-api.out") as running:
            token = stack.settings.api.token
            assert token is not None
            await_port(stack.settings.api.port)
            yield Server(stack.settings.api.port, running.pid, token.get_secret_value())
        speaking.stopped.set()
        speaking.join()
        database.close()


def await_port(port: int) -> None:
    while not answers("127.0.0.1", port, timeout_s=1):
        time.sleep(0.05)


@contextlib.contextmanager
def bare(body: bytes) -> Iterator[Server]:
    """A FastAPI route that returns these bytes, in a process of its own."""
    port = free_port()
    command = [sys.executable, "-c", _BARE, str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as running:
        assert running.stdin is not None
        running.stdin.write(body)
        running.stdin.close()
        try:
            await_port(port)
            yield Server(port, running.pid)
        finally:
            running.terminate()


def load(*arguments: object) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, LOAD, *map(str, arguments)], check=True, stdout=subprocess.PIPE, text=True, timeout=300
    )
    told: dict[str, float] = json.loads(done.stdout)
    return told


def asking(path: str, api: Server, chosen: argparse.Namespace) -> list[Figure]:
    """Ours and the bare one by turns; medians of the rounds' ratios."""
    request = urllib.request.Request(f"http://127.0.0.1:{api.port}{path}", headers={"X-API-Key": api.token})
    with urllib.request.urlopen(request) as answer:
        body = answer.read()
    rounds = []
    with bare(body) as floor:
        for number in range(chosen.rounds):
            pair = floor.ask("/status", chosen.seconds), api.ask(path, chosen.seconds)
            rounds.append(pair)
            print(f"  round {number + 1}: {_shown(pair[1])}; bare {_shown(pair[0])}", flush=True)

    def median(name: str) -> float:
        return statistics.median(ours[name] / bare[name] for bare, ours in rounds)

    print(f"{path}: {len(body)} bytes; medians of {len(rounds)} rounds; CPU of an answer {median('cpu_us'):.2f} times")
    return [
        Figure(f"{path}: share of a bare route's answers/s", median("per_s"), "", LEAST_SHARE, most=False),
        Figure(f"{path}: times a bare route's p99", median("p99_ms"), "", MOST_TIMES_P99),
    ]


def _shown(told: dict[str, float]) -> str:
    times = f"p50 {told['p50_ms']:.2f} ms, p99 {told['p99_ms']:.2f} ms"
    return f"{told['per_s']:,.0f}/s, {times}, CPU {told['cpu_us']:.0f} us each"


def streaming(api: Server, chosen: argparse.Namespace) -> list[Figure]:
    """Clients that keep up."""
    told = [load("listen", api.port, api.token, chosen.clients, chosen.seconds * 3) for _ in range(chosen.rounds)]
    for number, each in enumerate(told):
        print(f"  round {number + 1}: " + ", ".join(f"{name} {value:.2f}" for name, value in each.items()), flush=True)
    return [
        Figure(
            f"{chosen.clients} sockets: fan-out p99", statistics.median(e["p99_ms"] for e in told), "ms", MOST_FANOUT_MS
        ),
        Figure(f"{chosen.clients} sockets: updates/s each", min(e["updates_per_s"] for e in told), "", 3.5, most=False),
        Figure(f"{chosen.clients} sockets: lost or with a gap", max(e["lost"] + e["gaps"] for e in told), "", 0),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("status", "positions", "streams"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--clients", type=int, default=500)
    chosen = parser.parse_args()
    figures = []
    with served() as api:
        for path in ("status", "positions"):
            if chosen.only in {None, path}:
                figures += asking(f"/{path}", api, chosen)
        if chosen.only in {None, "streams"}:
            figures += streaming(api, chosen)
    for figure in figures:
        sign = "<=" if figure.most else ">="
        held = "" if figure.held else "   BEYOND"
        print(f"{figure.name}: {figure.value:.2f} {figure.unit} ({sign} {figure.limit:g}){held}")
    print(f"command: {' '.join(sys.argv)}")
    return 0 if all(figure.held for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
