"""Intents through the whole chain: committed, claimed, sent, acknowledged by the paper gateway, recorded."""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import ib_async
import psycopg2
from desk_stage import Figure, approve, desk, stage, trade_of
from process_tree import cpu_s
from tests.support import record

from htbot.adapters.live import LiveReader
from htbot.bootstrap.install.stack import Stack
from htbot.domain.instruments import Right
from htbot.domain.orders import OrderIntent
from htbot.domain.signals import SpreadLeg
from htbot.domain.trades import Trade
from htbot.persistence.engine import Database, libpq_url
from htbot.persistence.repositories import DeskStateRepository

# No gateway counts messages or requests here, and the desk's own budget is off with them. Nor does the desk's guard
# against floods stop the load: it would end all but the first ten before the wire.
SETTINGS = {"PAPER_PACE": "off", "PAPER_PACING": "off", "PAPER_CASH": "1000000000", "RISK_PROFILE": "chaos"}
PATIENCE_S = 60.0
RESTS = timedelta(seconds=25)
_LOOK_EVERY_S = 0.25
# An order has its row once the broker has told of it; an intent that ended before the wire has none.
_ACKNOWLEDGED = "SELECT count(*) FROM orders WHERE perm_id IS NOT NULL"


async def sending(chosen: argparse.Namespace) -> list[Figure]:
    """A steady load, then a heap that was committed at once."""
    count = int(chosen.rate * chosen.seconds)
    heap = int(chosen.rate * 5)
    with stage(("postgres", "redis", "paper"), **SETTINGS) as stack:
        stack.waiting().for_gateway(PATIENCE_S)
        target = await _legs(stack)
        database = Database(stack.settings.database.url)
        with desk(stack, {**stack.environ, "PYTHONUNBUFFERED": "1"}) as running:
            await _enabled(database)
            load = Load(database, MarketTime(stack), target)
            used_s = cpu_s(running.pid)
            lags, per_s = await asyncio.to_thread(_steady, database, load, chosen.rate, count)
            used_s = cpu_s(running.pid) - used_s
            drained_s = await asyncio.to_thread(_heap, database, load, range(count + 1, count + heap + 1))
            load.close()
        database.close()
    half = len(lags) // 2
    first, second = statistics.median(lags[:half]), statistics.median(lags[half:])
    note = f"{first:.0f} wait in the first half, {second:.0f} in the second"
    return [
        Figure("  CPU of the desk for each intent of the steady load", 1000 * used_s / count, "ms"),
        Figure(f"acknowledged while {chosen.rate:.0f}/s are committed", per_s, "/s", 0.95 * chosen.rate, most=False),
        Figure(f"growth of what waits, {chosen.rate:.0f} intents/s", second - first, "intents", chosen.rate, note=note),
        Figure(f"{heap} intents committed at once", heap / drained_s, "/s", chosen.rate, most=False),
    ]


async def _legs(stack: Stack) -> tuple[tuple[SpreadLeg, ...], str]:
    """Two listed options of today's expiry, and the account."""
    client = ib_async.IB()
    await client.connectAsync("127.0.0.1", stack.settings.paper.port, clientId=50)
    query = ib_async.Contract(symbol="SPX", secType="OPT", lastTradeDateOrContractMonth=f"{record.DAY:%Y%m%d}",
                              exchange="SMART", currency="USD", right="P")  # fmt: skip
    details = await client.reqContractDetailsAsync(query)
    known = sorted((item.contract for item in details), key=lambda contract: contract.strike)
    account = client.managedAccounts()[0]
    client.disconnect()
    low, high = known[len(known) // 2], known[len(known) // 2 + 8]
    legs = tuple(
        SpreadLeg(contract.conId, "SPX", record.DAY, Decimal(str(contract.strike)), Right.PUT, ratio)
        for contract, ratio in ((high, -1), (low, 1))
    )
    return legs, account


async def _enabled(database: Database) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            with database.transaction() as session:
                if DeskStateRepository(session).reconciled():
                    return
            await asyncio.sleep(0.2)


Target = tuple[tuple[SpreadLeg, ...], str]


class MarketTime:
    """The gateway's time, at speed 1."""

    def __init__(self, stack: Stack) -> None:
        told = LiveReader(stack.settings.redis.url).market_now()
        assert told is not None
        self._told, self._at_s = told, time.monotonic()

    def now(self) -> datetime:
        """Market time, aware UTC."""
        return self._told + timedelta(seconds=time.monotonic() - self._at_s)


def _first(clock: MarketTime, target: Target) -> tuple[Trade, OrderIntent, int]:
    """An entry that rests: nobody pays that credit. It expires by itself and frees its strategy."""
    legs, account = target
    now, number = clock.now(), 1
    trade = replace(trade_of(number, now, legs), account=account)
    trade = replace(trade, id=f"{trade.strategy}-{account}-{record.DAY:%Y%m%d}-1")
    wanted = Decimal(-30)
    intent = record.entry(
        trade,
        number,
        account=account,
        ref=f"htbot-{trade.strategy}-{account}-{record.DAY:%Y%m%d}-E1",
        limit=wanted,
        worst_limit=wanted,
        created_at=now,
        good_till=now + RESTS,
    )
    return trade, intent, number


class Load:
    """Commits intents like the first one: the load must not take the processor from what it is a load for.

    Each is a signal, a risk decision, a trade and an intent of its own, in one transaction, as `approve` writes them.
    """

    def __init__(self, database: Database, clock: MarketTime, target: Target) -> None:
        self._clock = clock
        approve(database, [_first(clock, target)])
        self._connection = psycopg2.connect(libpq_url(database.engine.url.render_as_string(hide_password=False)))

    def commit(self, numbers: Sequence[int]) -> None:
        """All of them together."""
        now = self._clock.now()
        values = {"numbers": list(numbers), "decisions": [str(record.decision_id(number)) for number in numbers]}
        with self._connection, self._connection.cursor() as cursor:
            for statement in _LIKE_THE_FIRST:
                cursor.execute(statement, {**values, "now": now.isoformat(), "until": (now + RESTS).isoformat()})

    def close(self) -> None:
        """Done."""
        self._connection.close()


def _like(table: str, changes: str, source: str) -> str:
    """Rows like one that is there, with changes; `number` and `decision` tell them apart."""
    return (
        f"INSERT INTO {table} SELECT (jsonb_populate_record(one, jsonb_build_object({changes}))).*"
        f" FROM {table} AS one, unnest(%(numbers)s, %(decisions)s::uuid[]) AS new(number, decision){source}"
    )


_LIKE_THE_FIRST = (
    _like(
        "signals",
        "'id', nextval(pg_get_serial_sequence('signals', 'id')), 'level', number",
        " WHERE one.level = 1",
    ),
    _like(
        "risk_decisions",
        "'id', decision, 'signal_id', of.id",
        ", signals AS of WHERE of.level = number AND one.signal_id = (SELECT id FROM signals WHERE level = 1)",
    ),
    _like(
        "trades",
        "'id', replace(one.id, 'bench1-', 'bench' || number || '-'), 'strategy', 'bench' || number,"
        " 'opened_at', %(now)s, 'state', 'opening', 'closed_at', NULL",
        " WHERE one.strategy = 'bench1'",
    ),
    _like(
        "intents",
        "'ref', replace(one.ref, 'bench1-', 'bench' || number || '-'), 'strategy', 'bench' || number,"
        " 'trade_id', replace(one.trade_id, 'bench1-', 'bench' || number || '-'), 'decision_id', decision,"
        " 'created_at', %(now)s, 'changed_at', %(now)s, 'good_till', %(until)s, 'state', 'PENDING', 'reason', '',"
        " 'claim_epoch', NULL, 'client_id', NULL, 'order_id', NULL",
        " WHERE one.strategy = 'bench1'",
    ),
)


class Acknowledged:
    """How many intents the record has as answered by the broker."""

    def __init__(self, database: Database) -> None:
        self._connection = psycopg2.connect(libpq_url(database.engine.url.render_as_string(hide_password=False)))
        self._connection.autocommit = True

    def count(self) -> int:
        """So far."""
        with self._connection.cursor() as cursor:
            cursor.execute(_ACKNOWLEDGED)
            return int(cursor.fetchone()[0])

    def close(self) -> None:
        """Done."""
        self._connection.close()


def _steady(database: Database, load: Load, rate: float, count: int) -> tuple[list[int], float]:
    """Commit at a steady rate, ten at a time; what waits at each look, and how many a second were acknowledged.

    A machine that is too busy to commit that many fails by the second figure. The first intent is there already.
    """
    acknowledged, waiting = Acknowledged(database), []
    began, made, looked = time.monotonic(), 1, 0.0
    while made < count:
        passed = time.monotonic() - began
        if made < passed * rate:
            load.commit(range(made + 1, min(made + 10, count) + 1))
            made = min(made + 10, count)
        else:
            time.sleep(0.005)
        if passed - looked >= _LOOK_EVERY_S:
            looked = passed
            waiting.append(made - acknowledged.count())
    took = time.monotonic() - began
    left = made - acknowledged.count()
    print(f"    {made} intents in {took:.1f} s ({made / took:.0f}/s), {left} left: {waiting}", file=sys.stderr)
    _drained(acknowledged, made)
    acknowledged.close()
    return waiting, (made - left) / took


def _heap(database: Database, load: Load, numbers: Sequence[int]) -> float:
    """Commit all of them together; seconds until the last is acknowledged."""
    acknowledged = Acknowledged(database)
    load.commit(numbers)
    began = time.monotonic()
    _drained(acknowledged, numbers[-1])
    acknowledged.close()
    return time.monotonic() - began


def _drained(acknowledged: Acknowledged, count: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while acknowledged.count() < count:
        if time.monotonic() > deadline:
            raise TimeoutError(
                f"{count - acknowledged.count()} intents were not acknowledged within {PATIENCE_S:.0f} s"
            )
        time.sleep(0.02)
