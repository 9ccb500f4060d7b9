"""What the desk may rely on of a session whose login has several accounts, an adviser's among them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from tests.support.broker_worlds import LONG, SHORT, FakeWorld, World, entry, tcp_world
from tests.support.record import ACCOUNT
from tests.support.waiting import settled

from htbot.domain.margin import MarginQuestion
from htbot.execution.messages import LegExecutionMessage, OrderStatusMessage

OTHER, MASTER = "DU1000002", "DF1000000"
FAR = Decimal("-9.00")


@pytest.fixture(params=["fake", "login", "adviser"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    if request.param == "fake":
        made = FakeWorld()
        made.broker.more_accounts[OTHER] = {}
        await made.session.connect()
        yield made
        return
    accounts = (ACCOUNT, OTHER) if request.param == "login" else (MASTER, ACCOUNT, OTHER)
    async with tcp_world(tmp_path / "gateway.sqlite", accounts) as over_tcp:
        over_tcp.account = ACCOUNT
        yield over_tcp


async def test_the_figures_of_each_are_told(world: World) -> None:
    assert {ACCOUNT, OTHER} <= set(world.session.accounts)
    for account in (ACCOUNT, OTHER):
        assert world.session.account_value(account, "HtbotWorld")
        assert world.session.account_amount(account, "NetLiquidation") == Decimal(100_000)
        assert world.session.account_amount(account, "BuyingPower") is not None
    assert world.session.account_value("DU9999999", "NetLiquidation") is None


async def test_an_order_is_filled_in_the_account_that_it_names(world: World) -> None:
    intent = entry(world, account=OTHER)
    world.session.place(intent, 50, FAR)
    await settled(lambda: any(_works(message) for message in world.told))
    await world.cross(intent.ref)
    await settled(lambda: len(world.session.holdings(OTHER)) == 2)
    assert world.session.holdings(ACCOUNT) == {}
    assert {account for account, _con_id in world.session.positions()} == {OTHER}
    fills = {(item.fill.account, item.fill.con_id) for item in world.told if isinstance(item, LegExecutionMessage)}
    assert fills == {(OTHER, con_id) for con_id in (SHORT, LONG)}


async def test_margin_is_asked_for_each(world: World) -> None:
    for number, account in enumerate((ACCOUNT, OTHER)):
        question = MarginQuestion.of(replace(entry(world), account=account))
        told = await world.session.what_if(question, 90 + number)
        assert told.initial_margin_after is not None, told


def _works(message: object) -> bool:
    return isinstance(message, OrderStatusMessage) and message.status == "Submitted"
