"""Bought options at the desk: what is sold is what is held, whoever asks for it, how often, and whatever has filled."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.support import record
from tests.support.desk import FIRST_ID, SESSION, Running, World

from htbot.domain.instruments import Right
from htbot.domain.orders import ExitReason, IntentState, OrderIntent, Purpose
from htbot.domain.signals import Direction, SpreadLeg
from htbot.domain.trades import MomentumExit, Trade, TradeState
from htbot.persistence.queries import trades
from htbot.persistence.repositories import CommandRepository, CommandRequest, TradeRepository
from htbot.services.command_kinds import CLOSE_ALL
from htbot.services.trade_record import manual_decision, request_exit

CALL = SpreadLeg(21, "SPX", record.DAY, Decimal(4260), Right.CALL, 1)
PUT = SpreadLeg(22, "SPX", record.DAY, Decimal(4080), Right.PUT, 1)
MOMENTUM = MomentumExit(Decimal(3), Decimal(2), 15)


@pytest.fixture(autouse=True)
def quoted(world: World) -> None:
    world.broker.quotes |= {CALL.con_id: (0.90, 1.00), PUT.con_id: (0.90, 1.00)}


def trade(number: int = 1, leg: SpreadLeg = CALL, **changes: Any) -> Trade:
    rules = replace(
        record.trade().rules, profit_target_usd=None, stop_loss_usd=None, take_profit_fraction=None, momentum=MOMENTUM
    )
    direction = Direction.BULL if leg.right is Right.CALL else Direction.BEAR
    return record.trade(
        number, **{"legs": (leg,), "width": None, "rules": rules, "direction": direction, "quantity": 3, **changes}
    )


def enter(world: World, number: int = 1, leg: SpreadLeg = CALL) -> OrderIntent:
    made = trade(number, leg)
    limits = {"limit": Decimal("0.95"), "worst_limit": Decimal("1.00")}
    return world.approve(made, record.entry(made, number, **limits), number)


async def opened(world: World, desk: Running, quantity: int | None = None) -> OrderIntent:
    """Three calls are asked for at 0.95, and filled, or some of them."""
    intent = enter(world)
    await desk.turn()
    world.broker.fill(intent.ref, "0.95", quantity)
    await desk.turn()
    return intent


def sold(world: World) -> int:
    """Calls that the broker has sold, by all orders."""
    legs = [fill for order in world.broker.orders for fill in world.broker.legs_of(order.intent.ref)]
    return -sum(fill.signed_quantity for fill in legs if fill.signed_quantity < 0)


def working_exits(world: World) -> list[tuple[str, int]]:
    return [
        (order.intent.ref, order.quantity)
        for order in world.broker.orders
        if order.working and order.intent.purpose is Purpose.EXIT
    ]


async def test_an_entry_is_one_order_of_one_option_and_its_fill_a_trade(world: World) -> None:
    desk = await world.desk()
    intent = await opened(world, desk)
    assert desk.session.placed[0] == (intent.ref, FIRST_ID, Decimal("0.95"))
    held = world.trade(intent.trade_id)
    assert (held.state, held.credit, held.width, held.quantity) == (TradeState.OPEN, Decimal("-0.95"), None, 3)
    order = world.order(intent.ref)
    assert order is not None
    assert order.average_price == Decimal("0.95")
    with world.database.transaction() as session:
        [view] = trades.open_trades(session)
    assert (view.maximum_loss, view.credit, view.legs[0].fill) == (Decimal(285), None, Decimal("0.95"))
    assert (view.target, view.stop, view.turns_above) == (None, None, Decimal("2.85"))


async def test_two_closes_at_once_sell_what_is_held_once(world: World) -> None:
    """Its time has come, its price has run, a person closes everything, and a worker asks for its exit."""
    desk = await world.desk()
    intent = await opened(world, desk)
    held = desk.desk.book.get(intent.trade_id)
    assert held is not None
    world.now = held.trade.rules.exit_at
    await desk.hear()
    now = world.now
    with world.database.transaction() as session:
        CommandRepository(session).create(CommandRequest("key", CLOSE_ALL, "person", now, {"scope": "all"}))
    for reason in (ExitReason.PROFIT_TARGET, ExitReason.TIME, ExitReason.MANUAL):
        desk.desk.guard.close(held, manual_decision(reason, now, "now"))
    await desk.turn()
    with world.database.transaction() as session:
        request_exit(session, intent.trade_id, manual_decision(ExitReason.MANUAL, now, "a worker"))
    for _ in range(3):
        world.after(market_s=1)
        await desk.turn()
    [(ref, quantity)] = working_exits(world)
    assert quantity == 3
    world.broker.fill(ref, "0.90")
    for _ in range(3):
        world.after(market_s=1)
        await desk.turn()
    assert (sold(world), working_exits(world)) == (3, [])
    assert (record.ACCOUNT, CALL.con_id) not in world.broker.held
    assert world.trade(intent.trade_id).state is TradeState.CLOSED
    with world.database.transaction() as session:
        assert request_exit(session, intent.trade_id, manual_decision(ExitReason.TIME, world.now, "again")) is None


async def test_of_an_entry_that_filled_in_part_only_the_part_is_sold(world: World) -> None:
    desk = await world.desk()
    intent = await opened(world, desk, quantity=2)
    held = desk.desk.book.get(intent.trade_id)
    assert held is not None
    for reason in (ExitReason.MANUAL, ExitReason.TIME):
        desk.desk.guard.close(held, manual_decision(reason, world.now, "out"))
    assert working_exits(world) == [], "its entry could fill further"
    for _ in range(3):
        world.after(market_s=1)
        desk.desk.guard.close(held, manual_decision(ExitReason.MANUAL, world.now, "out"))
        await desk.turn()
    [(ref, quantity)] = working_exits(world)
    assert quantity == 2
    world.broker.fill(ref, "0.90", 1)
    world.broker.end(ref)
    for _ in range(3):
        world.after(market_s=1)
        desk.desk.guard.close(held, manual_decision(ExitReason.MANUAL, world.now, "the rest"))
        await desk.turn()
    [(second, rest)] = working_exits(world)
    assert (second != ref, rest) == (True, 1)
    world.broker.fill(second, "0.85")
    for _ in range(3):
        world.after(market_s=1)
        await desk.turn()
    assert (sold(world), working_exits(world)) == (2, [])
    assert world.trade(intent.trade_id).state is TradeState.CLOSED
    assert world.trade(intent.trade_id).gross_pnl_usd == Decimal("-15.00")


@pytest.mark.parametrize("dies", [False, True], ids=["one desk", "a desk for each look"])
async def test_a_price_that_has_run_and_turns_is_sold_by_the_guard(world: World, *, dies: bool) -> None:
    """Also when no desk has seen more than one bid: the bars that they make are in the record."""
    desk = await world.desk()
    intent, put = await opened(world, desk), enter(world, 2, PUT)
    await desk.turn()
    world.broker.fill(put.ref, "0.95")
    await desk.turn()
    start = record.at(15)
    for minutes, bid in ((-10, 3.40), (0, 2.50), (5, 3.40), (10, 2.40), (14, 2.30), (15, 2.30)):
        assert world.exits(intent.trade_id) == []
        world.broker.quotes[CALL.con_id] = (bid, round(bid + 0.1, 2))
        world.after(market_s=(start - world.now).total_seconds() + 60 * minutes)
        if dies:
            desk.die()
            desk = await world.desk()
        await desk.turn()
    assert world.exits(put.trade_id) == [], "each has bars of its own"
    [exit_] = world.exits(intent.trade_id)
    assert exit_.intent.exit_reason is ExitReason.PROFIT_TARGET
    assert (exit_.intent.limit, exit_.intent.worst_limit) == (Decimal("2.35"), Decimal("0.05"))


async def test_at_its_time_it_is_sold_though_nobody_tells_a_bid(world: World) -> None:
    desk = await world.desk()
    intent = await opened(world, desk)
    world.broker.quotes[CALL.con_id] = (None, 0.05)  # type: ignore[assignment]
    world.now = world.trade(intent.trade_id).rules.exit_at
    await desk.turn()
    [exit_] = world.exits(intent.trade_id)
    assert (exit_.intent.exit_reason, exit_.intent.limit) == (ExitReason.TIME, Decimal("0.05"))


async def test_a_call_and_a_put_are_held_at_once_and_of_each_one(world: World) -> None:
    desk = await world.desk()
    call, put = await opened(world, desk), enter(world, 2, PUT)
    await desk.turn()
    world.broker.fill(put.ref, "0.95")
    await desk.turn()
    assert {world.trade(one.trade_id).state for one in (call, put)} == {TradeState.OPEN}
    with world.database.transaction() as session:
        assert not TradeRepository(session).add(trade(3, CALL)), "one for each direction"
        assert not TradeRepository(session).add(trade(4, PUT))
        assert TradeRepository(session).add(record.trade(5)), "a spread is another matter"
        assert not TradeRepository(session).add(record.trade(6, direction=Direction.BEAR)), "of which there is one"
    assert world.state(call.ref) is world.state(put.ref) is IntentState.FILLED


async def test_after_its_last_session_nobody_is_paged_for_a_worthless_call_but_for_a_spread(world: World) -> None:
    """Its end is booked; a page for it would hide the one of a trade that really is open."""
    desk = await world.desk()
    await opened(world, desk)
    spread = await desk.opened(number=2)
    world.broker.quotes[CALL.con_id] = (None, 0.05)
    world.now = SESSION.closes + timedelta(seconds=1)
    for _ in range(3):
        await desk.turn()
        world.after(market_s=600)
    told = [one.alert.text for one in world.alerts() if one.alert.kind == "error.open after hours"]
    assert working_exits(world) == []
    assert told
    assert all(spread.trade_id in text for text in told)


# --- trades that share a contract -------------------------------------------------------------------------------------


async def two_trades(world: World, desk: Running) -> list[str]:
    """Two strategies of the account have bought a call each, of the same contract."""
    trade_ids = []
    for number, strategy in ((1, "one"), (2, "two")):
        made = trade(number, CALL, quantity=1, strategy=strategy, id=f"{strategy}-{number}")
        limits = {"limit": Decimal("0.95"), "worst_limit": Decimal("1.00")}
        intent = world.approve(made, record.entry(made, number, **limits), number)
        await desk.turn()
        world.broker.fill(intent.ref, "0.95")
        await desk.turn()
        trade_ids.append(intent.trade_id)
    return trade_ids


async def leave(world: World, desk: Running, trade_ids: list[str]) -> None:
    world.now = max(world.now, *(world.trade(trade_id).rules.exit_at for trade_id in trade_ids))
    for _ in range(3):
        world.after(market_s=1)
        await desk.turn()


@pytest.mark.ruling(10)
async def test_two_trades_of_one_contract_sell_no_more_than_the_broker_shows(world: World) -> None:
    desk = await world.desk()
    trade_ids = await two_trades(world, desk)
    contract, _ = world.broker.held[record.ACCOUNT, CALL.con_id]
    world.broker.held[record.ACCOUNT, CALL.con_id] = contract, 1  # a person has sold one of them
    await leave(world, desk, trade_ids)
    [(ref, quantity)] = working_exits(world)
    assert quantity == 1
    world.broker.fill(ref, "0.90")
    await leave(world, desk, trade_ids)
    assert (sold(world), working_exits(world)) == (1, [])
    assert (record.ACCOUNT, CALL.con_id) not in world.broker.held


@pytest.mark.ruling(10)
async def test_two_trades_of_one_contract_leave_at_once_while_all_is_shown(world: World) -> None:
    desk = await world.desk()
    trade_ids = await two_trades(world, desk)
    await leave(world, desk, trade_ids)
    assert [quantity for _, quantity in working_exits(world)] == [1, 1]
    for ref, _ in working_exits(world):
        world.broker.fill(ref, "0.90")
    await leave(world, desk, trade_ids)
    assert (sold(world), working_exits(world)) == (2, [])
    assert [world.trade(trade_id).state for trade_id in trade_ids] == [TradeState.CLOSED] * 2
