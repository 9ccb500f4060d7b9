"""What the record of a close costs: the database thread holds the interpreter while the next stop may come.

Neither a close nor a comparison costs more the longer an account has traded.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import event
from tests.support import record
from tests.support.desk import Running, World

from htbot.domain.orders import ExitReason
from htbot.domain.trades import TradeState
from htbot.services.trade_record import manual_decision, request_exit

MOST_AS_IT_LEAVES = 6
MOST_AS_IT_IS_FILLED = 14


@pytest.fixture
def seen(world: World) -> Iterator[list[str]]:
    """Statements of the desk's thread for orders."""
    told: list[str] = []

    def on_statement(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        if threading.current_thread().name.startswith("desk-orders"):
            told.append(statement)

    event.listen(world.database.engine, "before_cursor_execute", on_statement)
    yield told
    event.remove(world.database.engine, "before_cursor_execute", on_statement)


async def test_a_close_takes_few_statements_and_a_later_one_no_more(world: World, seen: list[str]) -> None:
    """The whole news of a fill, both legs with their commissions and the end of the order, is one transaction."""
    desk = await world.desk()
    for number in range(1, 4):
        world.broker.quotes |= {record.SHORT.con_id: (6.10, 6.30), record.LONG.con_id: (1.90, 2.00)}
        intent = await desk.opened(number=number)
        world.broker.quotes |= {record.SHORT.con_id: (8.60, 8.70), record.LONG.con_id: (2.00, 2.10)}
        world.after(market_s=5)
        await desk.hear()
        seen.clear()
        assert await desk.look() == 1
        assert len(seen) <= MOST_AS_IT_LEAVES, "\n".join(seen)
        seen.clear()
        [exit_] = world.exits(intent.trade_id)
        world.broker.fill(exit_.intent.ref, "-6.70")
        world.broker.report_commissions(exit_.intent.ref)
        while not desk.desk.parts.inbox.empty():
            desk.desk.fold(desk.desk.parts.inbox.get_nowait())
        await desk.desk.ledger.settle()
        assert len(seen) <= MOST_AS_IT_IS_FILLED, "\n".join(seen)
        assert world.trade(intent.trade_id).state is TradeState.CLOSED
        assert world.mails("trade_exit") == number
        world.after(market_s=5)


async def read_by_a_comparison(world: World, desk: Running) -> int:
    """Rows that the record gives for one, on a day on which the broker tells of no execution."""
    rows: list[int] = []

    def on_statement(_connection: object, cursor: Any, *_more: object) -> None:
        rows.append(max(cursor.rowcount, 0))

    told, world.broker.executions_today = world.broker.executions_today, []
    event.listen(world.database.engine, "after_cursor_execute", on_statement)
    await desk.desk.reconcile(world.now)
    event.remove(world.database.engine, "after_cursor_execute", on_statement)
    world.broker.executions_today = told
    return sum(rows)


async def test_a_comparison_reads_no_executions_of_other_days(world: World) -> None:
    desk = await world.desk()
    read = []
    for number in range(1, 4):
        intent = await desk.opened(number=number)
        with world.database.transaction() as session:
            decision = manual_decision(ExitReason.MANUAL, world.now, "a test")
            assert request_exit(session, intent.trade_id, decision) is not None
        await desk.turn()
        [exit_] = world.exits(intent.trade_id)
        world.broker.fill(exit_.intent.ref)
        world.broker.report_commissions(exit_.intent.ref)
        await desk.turn()
        world.after(market_s=5)
        read.append(await read_by_a_comparison(world, desk))
    assert read[0] == read[1] == read[2]
