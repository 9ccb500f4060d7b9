"""REST close-all, from the request to the first cancel or close on the wire: real API, record and desk."""

from __future__ import annotations

import argparse
import asyncio
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal

from desk_stage import STARTED, Figure, approve, contract_of, desk, desk_environ, legs_of, part_of, stage, trade_of
from tests.support import record
from toy_tws import Market, Order, Session, serving

from htbot.bootstrap.install.ports import answers as answers_at
from htbot.bootstrap.install.stack import Stack
from htbot.persistence.engine import Database
from htbot.persistence.repositories import CommandRepository, DeskStateRepository

MOST_MS = 150.0
PATIENCE_S = 60.0
# One entry after the other, each closed at a loss: the guard against floods would refuse the eleventh within a minute,
# and the breaker would trip on the sum of the losses.
SETTINGS = {"MAX_ORDERS_PER_MINUTE": "300", "DAILY_LOSS_LIMIT": "1000000"}
_QUOTES = ((6.10, 6.30), (1.90, 2.00))


@dataclass(slots=True)
class Answers:
    """Every second entry fills, the others work until they are cancelled; `acted_s` is the first act of a flatten."""

    fills: bool = False
    working: dict[int, Order] = field(default_factory=dict)
    entered: asyncio.Event = field(default_factory=asyncio.Event)
    acted_s: float | None = None

    def on_order(self, session: Session, order: Order) -> None:
        """An entry, or the close of one."""
        if order.values["action"] == "SELL":
            self.acted_s = self.acted_s or order.at_s
            session.fill(order)
        elif self.fills:
            session.fill(order)
            self.entered.set()
        else:
            self.working[order.values["orderId"]] = order
            session.status(order, "Submitted")
            self.entered.set()

    def on_cancel(self, session: Session, order_id: int, at_s: float) -> None:
        """A cancel."""
        self.acted_s = self.acted_s or at_s
        order = self.working.pop(order_id, None)
        if order is not None:
            session.status(order, "Cancelled")


async def flattening(chosen: argparse.Namespace) -> list[Figure]:
    """Flatten after flatten, of a working entry and of an open trade by turns."""
    times: list[float] = []
    answers, sessions = Answers(), list[Session]()
    market = Market(STARTED, answers.on_order, answers.on_cancel)
    with stage(("postgres", "redis", "api"), **SETTINGS) as stack:
        stack.start_programs(("api",))
        api = stack.settings.api
        await _until(lambda: answers_at(api.host, api.port, timeout_s=1))
        database = Database(stack.settings.database.url)
        async with serving(market, sessions) as port:
            with desk(stack, desk_environ(stack, port)):
                await _until(lambda: _reconciled(database))
                for number in range(1, chosen.trades * 2 + 1):
                    answers.fills = number % 2 == 0
                    times.append(await _once(stack, database, market, answers, number))
        database.close()
    p50, p99 = part_of(times, 0.5), part_of(times, 0.99)
    return [
        Figure(f"REST close-all to the wire, p50 of {len(times)}", p50, "ms"),
        Figure(f"REST close-all to the wire, p99 of {len(times)}", p99, "ms", MOST_MS),
    ]


async def _once(stack: Stack, database: Database, market: Market, answers: Answers, number: int) -> float:
    legs, now = legs_of(number), market.now()
    for leg, quote in zip(legs, _QUOTES, strict=True):
        market.contracts[leg.con_id], market.quotes[leg.con_id] = contract_of(leg), quote
        market.positions.setdefault(leg.con_id, 0)
    trade = trade_of(number, now, legs)
    ref, good_till = f"htbot-{trade.strategy}-{record.ACCOUNT}-20220826-E1", now + timedelta(minutes=10)
    answers.entered.clear()
    intent = record.entry(
        trade, number, ref=ref, good_till=good_till, limit=Decimal("-4.25"), worst_limit=Decimal("-4.25")
    )
    await asyncio.to_thread(approve, database, [(trade, replace(intent, created_at=now), number)])
    await asyncio.wait_for(answers.entered.wait(), PATIENCE_S)
    await asyncio.sleep(0.3)
    answers.acted_s, began = None, time.perf_counter()
    await asyncio.to_thread(_post, stack, number)
    async with asyncio.timeout(PATIENCE_S):
        while answers.acted_s is None:
            await asyncio.sleep(0.001)
    took = answers.acted_s - began
    await _until(lambda: _nothing_open(database))
    return took


def _post(stack: Stack, number: int) -> None:
    token = stack.environ["HTBOT_API_TOKEN"]
    request = urllib.request.Request(
        f"http://127.0.0.1:{stack.environ['HTBOT_API_PORT']}/close/all",
        method="POST",
        headers={"Authorization": f"Bearer {token}", "Idempotency-Key": f"bench-{number}"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 202


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not await asyncio.to_thread(true):
            await asyncio.sleep(0.05)


def _reconciled(database: Database) -> bool:
    with database.transaction() as session:
        return DeskStateRepository(session).reconciled()


def _nothing_open(database: Database) -> bool:
    with database.transaction() as session:
        return not CommandRepository(session).open()
