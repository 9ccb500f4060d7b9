"""What the desk may rely on of a session to a broker."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from tests.support.broker_worlds import CLIENT, LONG, SHORT, World, entry, exit_
from tests.support.paper_world import DAYS, START
from tests.support.waiting import settled

from htbot.domain.instruments import UNDERLYINGS, Right
from htbot.domain.margin import MarginQuestion
from htbot.domain.orders import Action, OrderIntent
from htbot.execution.messages import (
    BagExecutionMessage,
    CommissionMessage,
    ErrorMessage,
    LegExecutionMessage,
    OpenOrderMessage,
    OrderStatusMessage,
)
from htbot.marketdata.messages import ConnectionMessage, QuoteMessage, TimeMessage

FAR = Decimal("-9.00")  # nobody pays that much for the spread


def heard(world: World, kind: type[Any]) -> list[Any]:
    return [message for message in world.told if isinstance(message, kind)]


def statuses(world: World, order_id: int) -> list[str]:
    return [item.status for item in heard(world, OrderStatusMessage) if item.order_id == order_id]


async def sent(world: World, intent: OrderIntent, order_id: int, limit: Decimal = FAR) -> OrderStatusMessage:
    world.session.place(intent, order_id, limit)
    await settled(lambda: "Submitted" in statuses(world, order_id))
    return heard(world, OrderStatusMessage)[-1]


async def filled(world: World, intent: OrderIntent, order_id: int, limit: Decimal = FAR) -> None:
    await sent(world, intent, order_id, limit)
    await world.cross(intent.ref)
    await settled(lambda: "Filled" in statuses(world, order_id))
    await settled(lambda: len(heard(world, CommissionMessage)) >= 2)


async def test_a_session_knows_its_account_its_world_and_the_next_id(world: World) -> None:
    session = world.session
    assert session.connected
    assert session.accounts == (world.account,)
    assert session.account_value(world.account, "HtbotWorld")
    assert session.account_amount(world.account, "NetLiquidation") == Decimal(100_000)
    assert session.account_amount(world.account, "NoSuchTag") is None
    assert session.next_valid_id >= 1
    assert (session.client_id, session.positions()) == (CLIENT, {})


async def test_the_time_is_told_when_asked(world: World) -> None:
    before = len(heard(world, TimeMessage))
    world.session.request_time()
    await settled(lambda: len(heard(world, TimeMessage)) > before)
    assert heard(world, TimeMessage)[-1].market_time.microsecond == 0


async def test_a_round_trip_brings_the_brokers_time(world: World) -> None:
    world.session.request_time()
    await settled(lambda: bool(heard(world, TimeMessage)))
    at = await world.session.current_time()
    assert abs((at - heard(world, TimeMessage)[-1].market_time).total_seconds()) <= 60


async def test_a_new_order_is_acknowledged_with_reference_and_permanent_id(world: World) -> None:
    intent = entry(world)
    status = await sent(world, intent, 50)
    assert (status.client_id, status.filled, status.remaining) == (CLIENT, 0, 1)
    assert status.perm_id > 0
    told = heard(world, OpenOrderMessage)[-1]
    assert (told.ref, told.order_id, told.account, told.limit) == (intent.ref, 50, world.account, FAR)
    assert (told.perm_id, told.quantity, told.completed) == (status.perm_id, 1, False)


async def test_the_same_id_again_is_a_modification(world: World) -> None:
    intent = entry(world)
    first = await sent(world, intent, 50)
    world.session.place(intent, 50, Decimal("-8.50"))
    await settled(lambda: heard(world, OpenOrderMessage)[-1].limit == Decimal("-8.5"))
    [order] = await world.session.open_orders()
    assert (order.ref, order.limit, order.perm_id) == (intent.ref, Decimal("-8.5"), first.perm_id)


async def test_a_fill_is_one_execution_of_the_combination_and_one_of_each_leg(world: World) -> None:
    intent = entry(world)
    await filled(world, intent, 50)
    [bag] = heard(world, BagExecutionMessage)
    legs = {item.fill.con_id: item for item in heard(world, LegExecutionMessage)}
    assert (bag.ref, bag.order_id, bag.quantity, bag.cumulative) == (intent.ref, 50, 1, 1)
    assert set(legs) == {SHORT, LONG}
    assert legs[LONG].fill.price - legs[SHORT].fill.price == bag.price <= FAR
    for con_id, side in ((SHORT, Action.SELL), (LONG, Action.BUY)):
        fill = legs[con_id].fill
        assert (fill.side, fill.quantity, fill.multiplier, fill.ref) == (side, 1, 100, intent.ref)
        assert (fill.account, fill.symbol, fill.expiry, fill.right) == (world.account, "SPX", DAYS[0], Right.PUT)
        assert (fill.commission, fill.perm_id) == (None, bag.perm_id)
        assert (legs[con_id].order_id, legs[con_id].client_id) == (50, CLIENT)
    assert legs[SHORT].fill.strike == 4700
    assert len({legs[SHORT].fill.execution_key, legs[LONG].fill.execution_key}) == 2
    status = heard(world, OrderStatusMessage)[-1]
    assert (status.status, status.filled, status.remaining, status.average_price) == ("Filled", 1, 0, bag.price)


async def test_commissions_come_after_their_executions(world: World) -> None:
    await filled(world, entry(world), 50)
    by_id = {item.fill.exec_id: world.told.index(item) for item in heard(world, LegExecutionMessage)}
    told = {item.exec_id: item for item in heard(world, CommissionMessage)}
    for exec_id, place in by_id.items():
        assert told[exec_id].commission_usd > 0
        assert world.told.index(told[exec_id]) > place


async def test_positions_are_of_legs_and_gone_when_closed(world: World) -> None:
    await filled(world, entry(world), 50)
    await settled(lambda: len(world.session.positions()) == 2)
    held = {con_id: quantity for (_account, con_id), (_contract, quantity) in world.session.positions().items()}
    assert held == {SHORT: -1, LONG: 1}
    await filled(world, exit_(world), 51, Decimal("-0.20"))
    await settled(lambda: world.session.positions() == {})
    bags = heard(world, BagExecutionMessage)
    assert bags[1].price < 0, "a sold combination that pays is negative too"
    sides = {item.fill.con_id: item.fill.side for item in heard(world, LegExecutionMessage)[2:]}
    assert sides == {SHORT: Action.BUY, LONG: Action.SELL}


async def test_a_cancel_ends_the_order(world: World) -> None:
    intent = entry(world)
    await sent(world, intent, 50)
    world.session.cancel(50)
    await settled(lambda: "Cancelled" in statuses(world, 50))
    await settled(lambda: [error.code for error in heard(world, ErrorMessage) if error.request_id == 50] == [202])
    [order] = await world.session.open_orders()
    assert (order.ref, order.completed, order.status) == (intent.ref, True, "Cancelled")


async def test_a_cancel_of_what_does_not_work_is_an_error_with_its_id(world: World) -> None:
    world.session.cancel(77)
    await settled(lambda: [error.code for error in heard(world, ErrorMessage) if error.request_id == 77] == [10147])


async def test_an_id_that_was_used_is_refused_and_the_first_order_stands(world: World) -> None:
    """FAULTS 30: 103."""
    await filled(world, entry(world), 50)
    world.session.place(entry(world, 2), 50, FAR)
    await settled(lambda: any(error.request_id == 50 for error in heard(world, ErrorMessage)))
    assert [error.code for error in heard(world, ErrorMessage) if error.request_id == 50] == [103]
    assert [order.ref for order in await world.session.open_orders()] == [entry(world).ref]


@pytest.mark.ruling(4)
async def test_an_error_about_a_working_order_does_not_end_it_in_the_look_up(world: World) -> None:
    """ib_async calls it cancelled, the broker does not, and a second close beside a working one is one too many."""
    await sent(world, entry(world), 11)
    world.refuse_changes()
    asking = asyncio.ensure_future(world.session.open_orders())
    await asyncio.sleep(0)
    world.session.place(entry(world), 11, FAR - 1)  # its refusal comes while the look-up is under way
    (order,) = await asking
    await settled(lambda: any((error.request_id, error.code) == (11, 201) for error in heard(world, ErrorMessage)))
    assert (order.status, order.completed, order.order_id, order.limit) == ("Submitted", False, 11, FAR)


async def test_the_look_up_shows_working_and_completed_orders_and_executions(world: World) -> None:
    done, working = entry(world), entry(world, 2)
    await filled(world, done, 50)
    await sent(world, working, 51, Decimal("-24.00"))
    orders = {order.ref: order for order in await world.session.open_orders()}
    assert (orders[working.ref].status, orders[working.ref].completed) == ("Submitted", False)
    assert (orders[done.ref].status, orders[done.ref].completed, orders[done.ref].filled) == ("Filled", True, 1)
    assert orders[done.ref].order_id == 0
    told = await world.session.executions()
    legs = [item.fill for item in told if isinstance(item, LegExecutionMessage)]
    assert {fill.con_id: fill.exec_id for fill in legs} == {
        item.fill.con_id: item.fill.exec_id for item in heard(world, LegExecutionMessage)
    }
    assert sum(isinstance(item, BagExecutionMessage) for item in told) == 1


async def test_another_client_sees_the_order_and_cannot_touch_it(world: World) -> None:
    intent = entry(world)
    await sent(world, intent, 50)
    other = await world.second(9)
    [order] = await other.open_orders()
    assert (order.ref, order.client_id) == (intent.ref, CLIENT)
    other.cancel(50)
    other.request_time()
    [still] = await other.open_orders()
    assert still.status == "Submitted"


async def test_orders_survive_the_session_and_ids_go_on(world: World) -> None:
    intent = entry(world)
    await sent(world, intent, 50)
    world.session.disconnect()
    await reconnected(world)
    assert world.session.next_valid_id > 50
    [order] = await world.session.open_orders()
    assert (order.ref, order.status) == (intent.ref, "Submitted")


async def reconnected(world: World) -> None:
    """The gateway frees the client id once it has seen the end."""
    sessions = getattr(getattr(world, "gateway", None), "sessions", {})
    await settled(lambda: not sessions)
    await world.session.connect()


async def test_a_what_if_shows_margin_and_places_nothing(world: World) -> None:
    question = MarginQuestion.of(entry(world, limit=Decimal("-4.70")))
    answer = await world.session.what_if(question, 50)
    assert (answer.rejected, answer.unknown) == ("", "")
    assert answer.free_after is not None
    assert answer.excess_after is not None
    assert 0 < answer.free_after < 100_470, "the width less the credit is tied up"
    assert await world.session.open_orders() == []
    assert heard(world, OpenOrderMessage) + heard(world, OrderStatusMessage) == []
    status = await sent(world, entry(world), 51)
    assert status.remaining == 1


async def test_a_what_if_that_the_broker_does_not_take_is_rejected_with_its_words(world: World) -> None:
    question = MarginQuestion.of(entry(world))
    strange = replace(question, legs=(replace(question.legs[0], con_id=987_654_321), question.legs[1]))
    answer = await world.session.what_if(strange, 50)
    assert answer.rejected.startswith("broker error 200: ")
    assert answer.free_after is None
    assert await world.session.open_orders() == []


async def test_a_what_if_without_a_socket_is_an_error(world: World) -> None:
    world.session.disconnect()
    await settled(lambda: not world.session.connected)
    with pytest.raises(ConnectionError):
        await world.session.what_if(MarginQuestion.of(entry(world)), 50)


async def test_options_are_listed_and_streamed(world: World) -> None:
    session = world.session
    contract = await session.qualify(UNDERLYINGS["SPX"])
    assert (contract.symbol, contract.exchange) == ("SPX", "CBOE")
    listed = await session.listed_options(UNDERLYINGS["SPX"], DAYS[0])
    assert {SHORT, LONG} <= {option.con_id for option in listed}
    assert listed == sorted(listed, key=lambda option: (option.strike, option.right))
    session.subscribe(SHORT, "SMART")
    session.subscribe(SHORT, "SMART")
    assert session.subscribed == {SHORT}
    at = heard(world, TimeMessage)[-1].market_time if heard(world, TimeMessage) else None
    await settled(lambda: session.quote(SHORT, at) is not None and session.quote(SHORT, at).ask is not None)
    assert (session.quote(SHORT, at).bid, session.quote(SHORT, at).ask) == (8.10, 8.20)
    session.unsubscribe(SHORT)
    session.unsubscribe(SHORT)
    assert session.subscribed == frozenset()


async def test_a_line_that_lives_answers_when_it_is_asked_for_anew(world: World) -> None:
    def ticks() -> int:
        return sum(SHORT in message.con_ids for message in heard(world, QuoteMessage))

    session, at = world.session, START
    session.subscribe(SHORT, "SMART")
    await settled(lambda: session.quote(SHORT, at) is not None and session.quote(SHORT, at).ask is not None)
    for _ in range(2):
        before = ticks()
        session.renew(SHORT)
        assert session.quote(SHORT, at).bid == 8.10, "what stood before stands until it answers"
        await settled(lambda before=before: ticks() > before)
    assert session.subscribed == {SHORT}
    assert session.quote(SHORT, at).ask == 8.20
    session.unsubscribe(SHORT)
    assert session.subscribed == frozenset()


async def test_an_end_that_the_broker_makes_is_told_once_and_ours_is_not(world: World) -> None:
    world.hang_up()
    await settled(lambda: heard(world, ConnectionMessage))
    assert heard(world, ConnectionMessage) == [ConnectionMessage(connected=False, text="socket closed")]
    assert not world.session.connected
    await reconnected(world)
    world.session.disconnect()
    assert not world.session.connected
    await reconnected(world)
    assert len(heard(world, ConnectionMessage)) == 1


async def test_leaving_for_a_reason_is_told_with_it_once(world: World) -> None:
    world.session.leave("disconnected by rest:first")
    await asyncio.sleep(0.05)
    [ended] = heard(world, ConnectionMessage)
    assert (ended.connected, ended.code, ended.text) == (False, None, "disconnected by rest:first")
    assert not world.session.connected


async def test_a_socket_that_is_gone_sends_nothing(world: World) -> None:
    world.session.disconnect()
    await settled(lambda: not world.session.connected)
    try:
        world.session.place(entry(world), 50, FAR)
    except ConnectionError:
        return
    raise AssertionError("an order was taken without a connection")
