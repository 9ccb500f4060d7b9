"""The exit guard beside its floors: tick on the socket to order on the socket."""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from desk_stage import (
    BARE_ASYNCIO,
    BARE_IB,
    LONG_QUOTE,
    SHORT_QUOTE,
    STARTED,
    STOPPED_QUOTE,
    Figure,
    append_times,
    commit_times,
    contract_of,
    desk,
    desk_environ,
    hold,
    part_of,
    process,
    stage,
)
from toy_tws import Market, Order, Session, serving, tick_away

from htbot.bootstrap.install.stack import Stack
from htbot.domain.trades import Trade
from htbot.persistence.engine import Database

LEVEL = 8.5
PATIENCE_S = 30.0


@dataclass(slots=True)
class Shots:
    """When each trade's stop went to the socket, and how long its order took."""

    fired: dict[int, float] = field(default_factory=dict)
    took: dict[int, float] = field(default_factory=dict)
    fills: bool = False

    def on_order(self, session: Session, order: Order) -> None:
        """An order has come."""
        for con_id in order.con_ids & (self.fired.keys() - self.took.keys()):
            self.took[con_id] = order.at_s - self.fired[con_id]
        if self.fills:
            session.fill(order)


def market_of(trades: list[Trade], shots: Shots) -> Market:
    """A market in which these trades are held."""
    market = Market(STARTED, shots.on_order)
    for trade in trades:
        for leg in trade.legs:
            market.contracts[leg.con_id] = contract_of(leg)
            market.positions[leg.con_id] = leg.ratio
            market.quotes[leg.con_id] = SHORT_QUOTE if leg.ratio < 0 else LONG_QUOTE
    return market


async def shoot(
    trades: list[Trade], per_s: float, client: Callable[[int], AbstractContextManager[object]], *, fills: bool
) -> list[float]:
    """Stop one trade after the other under the load of ticks; seconds from quote to order."""
    shots, sessions = Shots(fills=fills), []
    market = market_of(trades, shots)
    dice = random.Random(11)
    async with serving(market, sessions) as port:
        with client(port):
            session = await _streamed(sessions, {leg.con_id for trade in trades for leg in trade.legs})
            over = asyncio.Event()
            ticking = asyncio.ensure_future(tick_away(session, per_s, dice, over))
            await asyncio.sleep(2.0)
            for trade in trades:
                await _stop(session, shots, trade.legs[0].con_id)
                await asyncio.sleep(dice.uniform(0.05, 0.15))
            over.set()
            told = await ticking
            print(f"    {len(shots.took)} orders for {len(trades)} stops, {told:,} ticks", file=sys.stderr)
    return list(shots.took.values())


async def _streamed(sessions: list[Session], con_ids: set[int]) -> Session:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            for session in sessions:
                if con_ids <= session.lines.keys():
                    await asyncio.sleep(1.5)  # recovering takes a while longer
                    return session
            await asyncio.sleep(0.05)


async def _stop(session: Session, shots: Shots, con_id: int) -> None:
    session.market.quotes[con_id] = STOPPED_QUOTE
    packet = session.quote(con_id, *STOPPED_QUOTE)
    shots.fired[con_id] = time.perf_counter()
    session.write(packet)
    async with asyncio.timeout(PATIENCE_S):
        while con_id not in shots.took:
            await asyncio.sleep(0.001)


def _desk_on(stack: Stack) -> Callable[[int], AbstractContextManager[object]]:
    return lambda port: desk(stack, desk_environ(stack, port))


def _bare(
    stack: Stack, program: str, trades: list[Trade], *first: str
) -> Callable[[int], AbstractContextManager[object]]:
    con_ids = [str(leg.con_id) for trade in trades for leg in trade.legs]
    log = stack.settings.paths.log / "bench-bare.out"
    return lambda port: process(
        [sys.executable, "-c", program, *first, str(port), str(LEVEL), *con_ids], stack.environ, log
    )


async def guarding(chosen: argparse.Namespace) -> list[Figure]:
    """Rounds of the desk, of the bare clients and of the bare commits, one after the other."""
    times: dict[str, list[float]] = {name: [] for name in ("desk", "ib", "asyncio", "commit", "append")}
    medians: list[float] = []
    with stage() as stack:
        database = Database(stack.settings.database.url)
        for number in range(chosen.rounds):
            first = number * chosen.trades + 1
            trades = hold(database, range(first, first + chosen.trades))
            here = str(Path(__file__).parent)
            took = await shoot(trades, chosen.ticks, _desk_on(stack), fills=True)
            ib = await shoot(trades, chosen.ticks, _bare(stack, BARE_IB, trades), fills=False)
            raw = await shoot(trades, chosen.ticks, _bare(stack, BARE_ASYNCIO, trades, here), fills=False)
            commit = commit_times(stack.settings.database.url, 300)
            append = append_times(stack.settings.paths.desk, 300)
            for name, more in zip(times, (took, ib, raw, commit, append), strict=True):
                times[name] += more
            medians.append(part_of(took, 0.5) / (part_of(ib, 0.5) + part_of(commit, 0.5)))
        database.close()
    return _figures(times, statistics.median(medians))


def _figures(times: dict[str, list[float]], per_round: float) -> list[Figure]:
    figures = []
    for share, name in ((0.5, "p50"), (0.99, "p99")):
        at = {key: part_of(values, share) for key, values in times.items()}
        for key, words in (
            ("asyncio", "bare asyncio"),
            ("ib", "bare ib_async"),
            ("commit", "bare commit"),
            ("append", "bare append, forced to the disk"),
        ):
            figures.append(Figure(f"  {name} of {words}", at[key], "ms"))
        floor = at["ib"] + at["commit"]
        strict = at["desk"] / (at["ib"] + at["append"])
        note = f"{at['desk'] / floor:.2f} of ib_async + commit, {strict:.2f} of ib_async + append"
        figures.append(Figure(f"exit guard {name}, quote to close order", at["desk"], "ms", 3 * floor, note=note))
    print(f"    p50 by round, median of the ratios to ib_async + commit: {per_round:.2f}", file=sys.stderr)
    return figures
