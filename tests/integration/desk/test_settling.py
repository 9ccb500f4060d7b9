"""Options that expired at the broker: booked by what the broker tells, else by what a person tells (RULINGS 12)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.integration.desk.test_commands import command, tell
from tests.support import record
from tests.support.desk import SESSION, Running, World

from htbot.domain.fills import Fill
from htbot.domain.instruments import Contract, SecType
from htbot.domain.orders import Action, ExitReason, OrderIntent
from htbot.domain.signals import SpreadLeg
from htbot.domain.trades import TradeState
from htbot.execution.expiry import Settlement
from htbot.execution.messages import LegExecutionMessage
from htbot.persistence.repositories import CommandRepository
from htbot.persistence.states import CommandState
from htbot.services.command_kinds import SETTLE


async def expired(world: World) -> tuple[Running, OrderIntent]:
    """A spread was open at the close, and the broker shows its legs no more."""
    desk = await world.desk()
    intent = await desk.opened()
    world.now = SESSION.closes + timedelta(minutes=1)
    world.broker.held.clear()
    return desk, intent


def contract(leg: SpreadLeg) -> Contract:
    return Contract(
        leg.con_id, leg.symbol, SecType.OPTION, "SMART", "USD", leg.expiry, leg.strike, leg.right, "SPXW", 100
    )


def by_the_broker(world: World, leg: SpreadLeg, side: Action, price: str, **changes: Any) -> None:
    fill = Fill(
        exec_id=f"expiry.{leg.con_id}.{changes}",
        ref="",
        account=changes.get("account", record.ACCOUNT),
        con_id=leg.con_id,
        symbol=leg.symbol,
        expiry=leg.expiry,
        strike=leg.strike,
        right=leg.right,
        side=side,
        quantity=1,
        price=Decimal(price),
        multiplier=leg.multiplier,
        executed_at=changes.get("at", SESSION.closes),
        perm_id=7,
    )
    world.broker.tell(LegExecutionMessage(fill, 0, 0))


@pytest.mark.fault(39)
@pytest.mark.ruling(12)
async def test_what_the_broker_tells_is_booked_by_itself(world: World) -> None:
    desk, intent = await expired(world)
    by_the_broker(world, record.SHORT, Action.BUY, "1.50")
    by_the_broker(world, record.LONG, Action.SELL, "0.00")
    desk.desk.compare_due = False
    await desk.hear()
    assert desk.desk.compare_due, "what is not ours has books and broker compared at once"
    assert await desk.look_up()
    trade = world.trade(intent.trade_id)
    assert (trade.state, trade.exit_reason, trade.debit) == (TradeState.CLOSED, ExitReason.EXPIRY, Decimal("1.50"))
    assert desk.desk.guard.trades == [], "nothing is guarded any more"
    await desk.turn()
    assert len(desk.session.placed) == 1, "only the entry was ever sent"


@pytest.mark.ruling(12)
async def test_without_a_word_of_the_broker_a_person_gives_the_price(world: World) -> None:
    desk, intent = await expired(world)
    by_the_broker(world, record.SHORT, Action.BUY, "1.50", account="DU9")
    by_the_broker(world, record.LONG, Action.SELL, "0.00", account="DU9")
    await desk.hear()
    await desk.look_up()
    assert world.trade(intent.trade_id).state is TradeState.OPEN, "those were another account's"
    [told] = [one.alert.text for one in world.alerts() if one.alert.kind == "error.expiry"]
    assert f"htbot settle {intent.trade_id} --price PRICE" in told
    asked = tell(world, SETTLE, trade=intent.trade_id, price="4148.50")
    await desk.turn()
    done = command(world, asked)
    assert done.state is CommandState.DONE, done.result
    assert sorted(done.result["booked"]) == ["BUY 1 4150 P at 1.50", "SELL 1 4110 P at 0"]
    trade = world.trade(intent.trade_id)
    assert (trade.state, trade.exit_reason, trade.debit) == (TradeState.CLOSED, ExitReason.EXPIRY, Decimal("1.50"))
    [exit_] = world.exits(intent.trade_id)
    assert exit_.evidence["settlement"] == "4148.50"


async def test_legs_that_somebody_traded_are_closed_at_the_prices_that_a_person_gives(world: World) -> None:
    desk, intent = await expired(world)
    by_the_broker(world, record.SHORT, Action.BUY, "2.50", at=SESSION.closes - timedelta(hours=1))
    world.broker.move(record.ACCOUNT, contract(record.LONG), 1)
    await desk.hear()
    prices = {str(record.SHORT.con_id): "2.50", str(record.LONG.con_id): "0.05"}
    shown = tell(world, SETTLE, "shown", trade=intent.trade_id, legs=prices)
    await desk.turn()
    assert command(world, shown).result == {"why": "the broker still shows 4110 P"}
    world.broker.held.clear()
    await desk.look_up()
    [told] = [one.alert.text for one in world.alerts() if one.alert.kind == "error.expiry"]
    assert f"htbot settle {intent.trade_id} --leg 11=PRICE --leg 12=PRICE" in told
    priced = tell(world, SETTLE, "priced", trade=intent.trade_id, price="4148.50")
    half = tell(world, SETTLE, "half", trade=intent.trade_id, legs={"11": "2.50"})
    await desk.turn()
    assert "without our reference" in command(world, priced).result["why"]
    assert command(world, half).result == {"why": "no price was given for 12"}
    assert world.trade(intent.trade_id).state is TradeState.OPEN
    asked = tell(world, SETTLE, "asked", trade=intent.trade_id, legs=prices)
    await desk.turn()
    done = command(world, asked)
    assert (done.state, sorted(done.result["booked"])) == (
        CommandState.DONE,
        ["BUY 1 4150 P at 2.50", "SELL 1 4110 P at 0.05"],
    )
    trade = world.trade(intent.trade_id)
    assert (trade.state, trade.exit_reason, trade.debit) == (TradeState.CLOSED, ExitReason.EXPIRY, Decimal("2.45"))
    [exit_] = world.exits(intent.trade_id)
    assert (exit_.evidence["settlement"], exit_.evidence["legs"]) == (None, prices)
    world.after(market_s=20)
    assert await desk.look_up(), "books and broker agree again"


async def test_what_a_desk_has_booked_before_it_died_is_done(world: World) -> None:
    desk, intent = await expired(world)
    await desk.look_up()
    asked = tell(world, SETTLE, trade=intent.trade_id, price="4148.50")
    another = tell(world, SETTLE, "another", trade=intent.trade_id, price="4100.00")
    with world.database.transaction() as session:
        CommandRepository(session).advance(asked, CommandState.PENDING, CommandState.RUNNING, world.now, {})
    await desk.desk.upkeep.settle(intent.trade_id, Settlement(None, Decimal("4148.50")), world.now)
    desk.die()
    second = await world.desk()
    await second.turn()
    done = command(world, asked)
    assert (done.state, sorted(done.result["booked"])) == (
        CommandState.DONE,
        ["BUY 1 4150.00 P at 1.50", "SELL 1 4110.00 P at 0.00"],
    )
    failed = command(world, another)
    assert (failed.state, failed.result) == (CommandState.FAILED, {"why": f"{intent.trade_id} is not open"})


@pytest.mark.ruling(12)
async def test_what_has_not_expired_is_not_settled(world: World) -> None:
    desk = await world.desk()
    intent = await desk.opened()
    early = tell(world, SETTLE, "early", trade=intent.trade_id, price="4148.50")
    await desk.turn()
    assert "the session closes at" in command(world, early).result["why"]
    world.now = SESSION.closes + timedelta(minutes=1)
    shown = tell(world, SETTLE, "shown", trade=intent.trade_id, price="4148.50")
    unknown = tell(world, SETTLE, "unknown", trade="nothing", price="4148.50")
    await desk.turn()
    assert command(world, shown).result == {"why": "the broker still shows 4150 P"}
    assert command(world, unknown).result == {"why": "nothing is not open"}
    assert {command(world, one).state for one in (early, shown, unknown)} == {CommandState.FAILED}
    assert world.trade(intent.trade_id).state is TradeState.OPEN


async def test_of_several_expired_trades_each_is_told(world: World) -> None:
    desk = await world.desk()
    another = {"number": 2, "strategy": "another", "id": "another-2"}
    trades = [(await desk.opened()).trade_id, (await desk.opened(**another)).trade_id]
    world.now = SESSION.closes + timedelta(minutes=1)
    world.broker.held.clear()
    for minutes in (0, 5, 9, 2):
        world.after(market_s=60 * minutes)
        await desk.look_up()
    told = [one.alert.text for one in world.alerts() if one.alert.kind == "error.expiry"]
    assert [sum(trade in text for text in told) for trade in trades] == [2, 2], "at once, and after 15 minutes"
