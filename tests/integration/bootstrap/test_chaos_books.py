"""The gateway's file as the verdict reads it, written by a gateway that traded over TCP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest
from tests.support.broker_worlds import LONG, SHORT, TcpWorld, entry, exit_, tcp_world
from tests.support.waiting import settled

from htbot.bootstrap.chaos.books import BrokerOrder, read_broker
from htbot.domain.errors import Retryable
from htbot.paper.faults.stage import ControlBoard

FAR = Decimal("-9.00")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[TcpWorld]:
    async with tcp_world(tmp_path / "gateway.sqlite") as over_tcp:
        yield over_tcp


def orders(path: Path) -> list[BrokerOrder]:
    return list(read_broker(path).orders)


async def test_orders_executions_and_holdings_are_those_of_the_broker(world: TcpWorld, tmp_path: Path) -> None:
    path = tmp_path / "gateway.sqlite"
    assert read_broker(path).holdings == {}
    opened = entry(world)
    world.session.place(opened, 11, FAR)
    await settled(lambda: [order.status for order in orders(path)] == ["Submitted"])
    await world.cross(opened.ref)
    await settled(lambda: [order.status for order in orders(path)] == ["Filled"])
    book = read_broker(path)
    (order,) = book.orders
    assert (order.ref, order.quantity, order.filled) == (opened.ref, 1, 1)
    assert book.holdings == {(world.account, SHORT): -1, (world.account, LONG): 1}
    assert [(item.ref, item.con_id, item.signed) for item in book.executions] == [
        (opened.ref, SHORT, -1),
        (opened.ref, LONG, 1),
    ], "legs only: the combination's own execution is none of them"

    closed = exit_(world)
    world.session.place(closed, 12, Decimal("-1.00"))
    await settled(lambda: [order.status for order in orders(path)] == ["Filled", "Submitted"])
    await world.cross(closed.ref)
    await settled(lambda: [order.status for order in orders(path)] == ["Filled", "Filled"])
    assert read_broker(path).holdings == {}


async def test_a_rejected_order_is_told_apart(world: TcpWorld, tmp_path: Path) -> None:
    path = tmp_path / "gateway.sqlite"
    ControlBoard(world.gateway, world.pace).add("reject", {})
    world.session.place(entry(world), 11, FAR)
    await settled(lambda: orders(path))
    assert [order.status for order in orders(path)] == ["Inactive"]


def test_a_file_that_is_not_there_is_looked_at_again_later(tmp_path: Path) -> None:
    with pytest.raises(Retryable, match=r"gateway\.sqlite"):
        read_broker(tmp_path / "gateway.sqlite")
