"""What the record of a close costs: the database thread holds the interpreter while the next stop may come."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import event
from tests.support import record
from tests.support.desk import World

from htbot.domain.trades import TradeState

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
