"""Speed of the paper gateway, each figure beside what a bare asyncio echo server does in the same round.

    .venv/bin/python benchmarks/bench_paper_gateway.py --rounds 3
    .venv/bin/python benchmarks/bench_paper_gateway.py --only ticks \\
        --ticks ../shared/data/market/spy_trade_ticks_20131007.parquet

Figures are medians over the rounds. Without --ticks the tape is made here from --seed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from gateway_load import echo_rate, echo_server, echo_times, framed, gateway, join, order_frame
from ib_async import IB, LimitOrder, Stock, Ticker

START = "2026-03-04T10:00:00-05:00"
_CLIENTS, _LINES, _ORDERS_PER_S = 10, 100, 200
_TAPE_OPEN = datetime(2013, 10, 7, 13, 30, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value; `ratio` is to the echo server's, `limit` the project's bound."""

    name: str
    value: float
    unit: str
    limit: float
    ratio: float
    most: bool = True

    @property
    def held(self) -> bool:
        """Whether the bound is kept."""
        return self.value <= self.limit if self.most else self.value >= self.limit


def _p99(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.99) - 1]


async def connecting(folder: Path, chosen: argparse.Namespace) -> list[Figure]:
    """ib_async: from connectAsync to connected, everything of its start-up read."""
    del chosen
    times = []
    with gateway(folder, start=START, speed=1.0) as server, echo_server() as echo:
        for attempt in range(20):
            ib = IB()
            began = time.perf_counter()
            await ib.connectAsync("127.0.0.1", server.port, clientId=attempt + 1)
            times.append(time.perf_counter() - began)
            ib.disconnect()
            await asyncio.sleep(0.02)
        single = statistics.median(await echo_times(echo.port, 200))
    value = statistics.median(times)
    return [Figure("ib_async connects", value * 1000, "ms", 15.0, value / single)]


async def acknowledging(folder: Path, chosen: argparse.Namespace) -> list[Figure]:
    """Raw clients place limit orders far from the market, evenly spread; placeOrder to the first orderStatus."""
    figures = []
    for clients in (5, 1):
        with gateway(folder, start=START, speed=1.0) as server, echo_server() as echo:
            acknowledged = await _acknowledged(server.port, clients, chosen.seconds)
            single = _p99(await echo_times(echo.port, 2000))
        value = _p99(acknowledged)
        name = f"acknowledgement p99, {_ORDERS_PER_S} orders/s, {clients} clients"
        figures.append(Figure(name, value * 1000, "ms", 5.0, value / single))
    return figures


async def _acknowledged(port: int, clients: int, seconds: float) -> list[float]:
    sent: dict[tuple[int, bytes], float] = {}
    times: list[float] = []
    count, complete = int(seconds * _ORDERS_PER_S) // clients * clients, asyncio.Event()

    def listening(client: int) -> Callable[[list[bytes]], None]:
        def listen(fields: list[bytes]) -> None:
            if fields[0] == b"3" and (began := sent.pop((client, fields[1]), None)) is not None:
                times.append(time.perf_counter() - began)
                if len(times) == count:
                    complete.set()

        return listen

    sessions = [await join(port, number + 1, listening(number)) for number in range(clients)]
    spy = Stock("SPY", "SMART", "USD")
    frames = [order_frame(index + 1, spy, LimitOrder("BUY", 1, 1.0)) for index in range(count // clients)]
    began = time.perf_counter()
    for index in range(count):
        await asyncio.sleep(max(0.0, began + index / _ORDERS_PER_S - time.perf_counter()))
        client, number = index % clients, index // clients
        sent[client, str(number + 1).encode()] = time.perf_counter()
        sessions[client].send(frames[number])
    async with asyncio.timeout(10):
        await complete.wait()
    for session in sessions:
        session.transport.close()
    return times


async def streaming(folder: Path, chosen: argparse.Namespace) -> list[Figure]:
    """Ten raw clients with a hundred lines each, four looks at the market a second; CPU share of the gateway."""
    options = {"start": START, "speed": 1.0, "ticks_per_second": 4.0}
    with gateway(folder, **options) as server, echo_server() as echo:
        sessions = [await join(server.port, number + 1) for number in range(_CLIENTS)]
        lines = await _option_ids(server.port)
        for session in sessions:
            for number, con_id in enumerate(lines):
                contract = (con_id, "", "", "", 0, "", "", "SMART", "", "USD", "", "")
                session.send(framed(1, 11, number + 1, *contract, 0, "", 0, 0, ""))
        await asyncio.sleep(3)
        told, used, began = sum(session.messages for session in sessions), server.cpu_s, time.perf_counter()
        await asyncio.sleep(chosen.seconds)
        passed = time.perf_counter() - began
        share = 100 * (server.cpu_s - used) / passed
        rate = (sum(session.messages for session in sessions) - told) / passed
        for session in sessions:
            session.transport.close()
        used = echo.cpu_s
        frames = max(10_000, int(rate * chosen.seconds) // 500 * 500)
        await echo_rate(echo.port, frames)
        per_frame = max(echo.cpu_s - used, 0.01) / frames
    name = f"CPU of {_CLIENTS} clients x {len(lines)} lines x 4/s ({rate:,.0f} messages/s)"
    return [Figure(name, share, "%", 60.0, share / 100 / max(rate, 1.0) / per_frame)]


async def _option_ids(port: int) -> list[int]:
    """Contract ids of SPY and of its options nearest in time and strike."""
    ib = IB()
    await ib.connectAsync("127.0.0.1", port, clientId=99)
    spy = Stock("SPY", "SMART", "USD")
    await ib.qualifyContractsAsync(spy)
    [ticker] = await ib.reqTickersAsync(spy)
    level = ticker.marketPrice()
    chain = (await ib.reqSecDefOptParamsAsync("SPY", "", "STK", spy.conId))[0]
    strikes = sorted(chain.strikes, key=lambda strike: abs(strike - level))[: _LINES // 2]
    found = [spy.conId]
    for right in "CP":
        wanted = Stock("SPY", "SMART", "USD")
        wanted.secType, wanted.right, wanted.lastTradeDateOrContractMonth = "OPT", right, chain.expirations[0]
        details = await ib.reqContractDetailsAsync(wanted)
        found += [item.contract.conId for item in details if item.contract.strike in strikes]
    ib.disconnect()
    return found[:_LINES]


def tape(folder: Path, count: int, seed: int) -> Path:
    """A file of `count` trades of SPY in one session, made from a seed."""
    dice = random.Random(seed)
    offsets = sorted(dice.randrange(int(6.5 * 3_600_000)) for _ in range(count))
    cents = [16_700]
    for _ in range(count - 1):
        cents.append(cents[-1] + dice.choice((-1, 0, 0, 1)))
    columns = {
        "symbol": ["SPY"] * count,
        "ts": pa.array([_TAPE_OPEN + timedelta(milliseconds=ms) for ms in offsets], pa.timestamp("us", "UTC")),
        "seq": list(range(count)),
        "price": [price / 100 for price in cents],
        "size": pa.array([dice.randrange(1, 10) * 100 for _ in range(count)], pa.int32()),
        "exchange": ["P"] * count,
        "condition": [""] * count,
    }
    path = folder / f"tape-{seed}-{count}.parquet"
    pq.write_table(pa.table(columns), path)
    return path


async def ticking(folder: Path, chosen: argparse.Namespace) -> list[Figure]:
    """A tick tape at max with one ib_async subscriber; every trade must arrive, in its order."""
    path = chosen.ticks or tape(folder, chosen.count, chosen.seed)
    expected = _trades_of(path)
    with gateway(folder, data=[str(path)], market="replay", symbol="SPY", speed="max") as server, echo_server() as echo:
        ib = IB()
        await ib.connectAsync("127.0.0.1", server.port, clientId=1)
        spy = Stock("SPY", "SMART", "USD")
        await ib.qualifyContractsAsync(spy)
        told: list[tuple[float, float]] = []
        complete = asyncio.Event()

        def collect(tickers: set[Ticker]) -> None:
            for ticker in tickers:
                told.extend((tick.price, tick.size) for tick in ticker.tickByTicks)
            if len(told) >= len(expected):
                complete.set()

        ib.pendingTickersEvent += collect
        began = time.perf_counter()
        ib.reqTickByTickData(spy, "AllLast")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(180):
                await complete.wait()
        passed = time.perf_counter() - began
        ib.disconnect()
        rate = 1 / statistics.median(await echo_times(echo.port, 2000))
    if told != expected:
        print(f"LOSS: {len(told):,} of {len(expected):,} trades arrived")
    per_second = len(told) / passed
    return [
        Figure("ticks to one ib_async client", per_second, "/s", 20_000, per_second / rate, most=False),
        Figure(
            f"{len(expected):,} ticks at max", passed, "s", 60.0 * len(expected) / 250_000, passed * rate / len(told)
        ),
    ]


def _trades_of(path: Path) -> list[tuple[float, float]]:
    table = pq.read_table(path, columns=["price", "size"])
    return list(zip(table["price"].to_pylist(), map(float, table["size"].to_pylist()), strict=True))


PARTS: dict[str, Callable[[Path, argparse.Namespace], Coroutine[None, None, list[Figure]]]] = {
    "connect": connecting,
    "orders": acknowledging,
    "lines": streaming,
    "ticks": ticking,
}


def main() -> int:
    """Measure and print; 1 when a bound is not kept."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=sorted(PARTS), action="append")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10.0, help="length of each load")
    parser.add_argument("--ticks", type=Path, help="a Parquet file of trades of SPY")
    parser.add_argument("--count", type=int, default=250_000, help="trades of the tape that is made here")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="htbot-bench-"))
    measured: dict[str, list[Figure]] = {}
    try:
        for _ in range(chosen.rounds):
            for part in chosen.only or PARTS:
                for index, figure in enumerate(asyncio.run(PARTS[part](folder, chosen))):
                    measured.setdefault(f"{part}-{index}", []).append(figure)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    held = True
    for figures in measured.values():
        median = sorted(figures, key=lambda figure: figure.value)[len(figures) // 2]
        bound = "at most" if median.most else "at least"
        print(
            f"{median.name}: {median.value:,.2f} {median.unit}, {bound} {median.limit:,.0f}, "
            f"{median.ratio:,.2f} of the echo server{'' if median.held else '  NOT HELD'}"
        )
        held = held and median.held
    print("command:", " ".join(sys.argv))
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
