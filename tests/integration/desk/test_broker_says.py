"""What the broker says of an order, in whatever order it says it (RULINGS 4, 15; FAULTS 30, 34-38, 40)."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from tests.support import record
from tests.support.desk import FIRST_ID, World

from htbot.domain.instruments import Contract, SecType
from htbot.domain.orders import IntentState, OrderState
from htbot.domain.trades import TradeState
from htbot.execution.messages import ErrorMessage, LegExecutionMessage

STOP = {record.SHORT.con_id: (8.60, 8.70), record.LONG.con_id: (2.00, 2.10)}


@pytest.mark.parametrize("code", [201, 110, 203])
@pytest.mark.fault(30)
@pytest.mark.fault(36)
async def test_a_refused_order_is_rejected_with_code_and_text(world: World, code: int) -> None:
    desk = await world.desk()
    intent = world.enter()
    desk.session.reject = (code, "Order rejected - reason: margin")
    await desk.turn()
    order = world.order(intent.ref)
    assert order is not None
    assert (order.state, order.error_code, order.error_text) == (
        OrderState.REJECTED,
        code,
        "Order rejected - reason: margin",
    )
    assert world.state(intent.ref) is IntentState.REJECTED
    assert world.trade(intent.trade_id).state is TradeState.VOID
    assert desk.desk.enabled


@pytest.mark.parametrize("code", [103, 104, 10147, 135, 201, 505])  # 201: of its own request, come a second time
@pytest.mark.fault(30)
@pytest.mark.ruling(4)
async def test_an_error_that_proves_nothing_is_doubt_and_looked_up(world: World, code: int) -> None:
    desk = await world.desk()
    intent = world.enter()
    await desk.turn()
    order = world.broker.working(intent.ref)
    desk.session.sink(ErrorMessage(order.order_id, code, "whatever"))
    await desk.hear()
    assert world.state(intent.ref) is IntentState.UNKNOWN
    assert await desk.look_up()
    assert world.state(intent.ref) is IntentState.WORKING
    assert len(desk.session.placed) == 1


@pytest.mark.parametrize("code", [399, 2109, 10349])
async def test_a_warning_leaves_the_order_alone(world: World, code: int) -> None:
    desk = await world.desk()
    intent = world.enter()
    await desk.turn()
    desk.session.sink(ErrorMessage(world.broker.working(intent.ref).order_id, code, "held until the open"))
    await desk.hear()
    assert world.state(intent.ref) is IntentState.WORKING


async def test_an_error_of_a_request_is_no_error_of_an_order(world: World) -> None:
    desk = await world.desk()
    intent = world.enter()
    await desk.turn()
    desk.session.sink(ErrorMessage(1_000_000_001, 201, "no order"))
    desk.session.sink(ErrorMessage(-1, 201, "no order"))
    await desk.hear()
    assert world.state(intent.ref) is IntentState.WORKING


@pytest.mark.parametrize("code", [201, 104, 105])
@pytest.mark.ruling(4)
async def test_a_refused_modification_leaves_the_order_working(world: World, code: int) -> None:
    """RULINGS 4: ib_async would call it cancelled."""
    desk = await world.desk()
    intent = world.enter()
    await desk.turn()
    desk.session.refuse_modify = (code, "cannot modify")
    world.after(market_s=10)
    await desk.turn()
    assert len(desk.session.placed) == 2
    assert world.state(intent.ref) is IntentState.UNKNOWN
    assert await desk.look_up()
    assert world.state(intent.ref) is IntentState.WORKING
    world.broker.fill(intent.ref)
    await desk.hear()
    assert world.trade(intent.trade_id).credit == Decimal("4.25")


async def test_a_refused_cancel_may_be_asked_again(world: World) -> None:
    desk = await world.desk()
    intent = world.enter()
    await desk.turn()
    [live] = desk.desk.orders.live
    desk.session.refuse_cancel = (161, "Cancel attempted when order is not in a cancellable state")
    desk.desk.orders.cancel(live)
    desk.desk.orders.cancel(live)
    await desk.hear()
    assert desk.session.cancels == [FIRST_ID]
    await desk.look_up()
    assert world.state(intent.ref) is IntentState.WORKING
    desk.session.refuse_cancel = None
    desk.desk.orders.cancel(live)
    await desk.hear()
    assert desk.session.cancels == [FIRST_ID] * 2
    assert world.state(intent.ref) is IntentState.CANCELLED


async def test_a_cancelled_entry_voids_its_trade(world: World) -> None:
    desk = await world.desk()
    intent = world.enter()
    await desk.turn()
    desk.desk.orders.cancel(next(iter(desk.desk.orders.live)))
    await desk.hear()
    assert world.state(intent.ref) is IntentState.CANCELLED
    assert world.trade(intent.trade_id).state is TradeState.VOID
    assert list(desk.desk.orders.live) == []


@pytest.mark.ruling(8)
async def test_an_entry_that_the_broker_ends_at_its_time_has_expired(world: World) -> None:
    desk = await world.desk()
    intent = world.enter()
    await desk.turn()
    world.now = intent.good_till
    await desk.hear()
    world.broker.end(intent.ref)
    await desk.hear()
    assert world.state(intent.ref) is IntentState.EXPIRED


@pytest.mark.fault(37)
async def test_a_fill_that_beats_the_cancel_is_booked(world: World) -> None:
    """FAULTS 37."""
    desk = await world.desk()
    intent = world.enter()
    await desk.turn()
    world.broker.fill(intent.ref)  # under way when the cancel is asked
    desk.desk.orders.cancel(next(iter(desk.desk.orders.live)))
    await desk.turn()
    assert desk.session.cancels == [FIRST_ID]
    assert world.state(intent.ref) is IntentState.FILLED
    assert world.trade(intent.trade_id).state is TradeState.OPEN
    assert desk.desk.guard.held.keys() == {record.SHORT.con_id, record.LONG.con_id}


@pytest.mark.fault(37)
async def test_a_fill_told_after_the_cancel_opens_the_trade_again(world: World) -> None:
    desk = await world.desk()
    intent = world.enter(quantity=2)
    await desk.turn()
    order = world.broker.working(intent.ref)
    desk.desk.orders.cancel(next(iter(desk.desk.orders.live)))
    await desk.hear()
    assert world.trade(intent.trade_id).state is TradeState.VOID
    order.filled = 1
    world.broker.tell(*world.broker.execute(order, Decimal("-4.25"), 1))
    await desk.hear()
    trade = world.trade(intent.trade_id)
    assert (trade.state, trade.quantity, trade.closed_at) == (TradeState.OPEN, 1, None)
    assert [guarded.id for guarded in desk.desk.guard.trades] == [intent.trade_id]


async def test_a_late_fill_beside_another_live_trade_halts_and_the_desk_lives_on(world: World) -> None:
    """Two live trades of a strategy cannot be: the fill is booked as it was, entries halt, a person closes one."""
    desk = await world.desk()
    first = world.enter()
    await desk.turn()
    order = world.broker.working(first.ref)
    desk.desk.orders.cancel(next(iter(desk.desk.orders.live)))
    world.now = record.at(2, 2)
    await desk.hear()
    second = await desk.opened(number=2)
    order.filled = 1
    world.broker.tell(*world.broker.execute(order, Decimal("-4.25"), 1))
    await desk.hear()
    assert [halt.source for halt in world.halts()] == ["desk"]
    assert world.trade(first.trade_id).state is TradeState.VOID
    guarded = [trade.id for trade in desk.desk.guard.trades]
    assert guarded == [first.trade_id, second.trade_id], "what we hold is guarded, whatever the record may store"
    await desk.look_up()
    world.after(market_s=15)
    await desk.hear()
    assert await desk.look_up(), "what the broker did is in our books"
    assert [halt.source for halt in world.halts()] == ["desk"]


async def test_a_trade_is_not_void_while_its_executions_are_under_way(world: World) -> None:
    """The status may say Filled before the executions come."""
    desk = await world.desk()
    intent = world.enter()
    await desk.turn()
    order = world.broker.working(intent.ref)
    order.filled, order.status = 1, "Filled"
    world.broker.tell(order.as_status())
    await desk.hear()
    assert world.state(intent.ref) is IntentState.FILLED
    assert world.trade(intent.trade_id).state is TradeState.OPENING
    world.broker.tell(*world.broker.execute(order, Decimal("-4.25"), 1))
    await desk.hear()
    trade = world.trade(intent.trade_id)
    assert (trade.state, trade.credit, world.mails("trade_entry")) == (TradeState.OPEN, Decimal("4.25"), 1)


async def test_no_second_exit_leaves_while_the_first_ones_executions_are_under_way(world: World) -> None:
    desk = await world.desk()
    intent = await desk.opened()
    world.broker.quotes |= STOP
    world.after(market_s=5)
    await desk.turn()
    [exit_] = world.exits(intent.trade_id)
    order = world.broker.working(exit_.intent.ref)
    order.filled, order.status = 1, "Filled"
    world.broker.tell(order.as_status())
    await desk.turn()
    await desk.turn()
    assert len(world.exits(intent.trade_id)) == 1
    assert len(desk.session.placed) == 2
    world.broker.tell(*world.broker.execute(order, Decimal("-6.70"), 1))
    await desk.turn()
    assert world.trade(intent.trade_id).state is TradeState.CLOSED


@pytest.mark.fault(24)
@pytest.mark.ruling(15)
async def test_more_than_asked_is_booked_told_and_halts_entries(world: World) -> None:
    """RULINGS 15, FAULTS 24."""
    desk = await world.desk()
    intent = await desk.opened()
    [order] = world.broker.of(intent.ref)
    world.broker.tell(*world.broker.execute(order, Decimal("-4.25"), 1))
    await desk.hear()
    assert len(world.fills(intent.ref)) == 4
    assert [halt.source for halt in world.halts()] == ["desk"]
    assert "-2 of 11 filled, -1 asked for" in world.halts()[0].reason
    assert world.mails("error.desk") >= 1
    assert world.trade(intent.trade_id).quantity == 2


@pytest.mark.fault(24)
async def test_a_desk_lives_on_with_a_fill_of_more_than_asked(world: World) -> None:
    """The executions of the day are told at each look-up and after each start: exits must go on."""
    desk = await world.desk()
    intent = await desk.opened()
    [order] = world.broker.of(intent.ref)
    world.broker.tell(*world.broker.execute(order, Decimal("-4.25"), 1))
    await desk.hear()
    told = world.mails("error.desk")
    world.after(market_s=60)
    await desk.look_up()
    await desk.look_up()
    assert world.mails("error.desk") == told
    desk.die()
    second = await world.desk()
    world.broker.quotes |= STOP
    await second.turn()
    [exit_] = world.exits(intent.trade_id)
    assert exit_.intent.quantity == 2


@pytest.mark.ruling(3)
async def test_legs_that_do_not_sum_to_the_combination_halt_entries(world: World) -> None:
    """RULINGS 3."""
    desk = await world.desk()
    intent = world.enter()
    await desk.turn()
    order = world.broker.working(intent.ref)
    order.filled = 1
    bag, *legs = world.broker.execute(order, Decimal("-4.25"), 1)
    world.broker.tell(replace(bag, price=Decimal("-4.20")), *legs)
    await desk.hear()
    assert [halt.reason for halt in world.halts()] == ["BAG executed at -4.20, its legs sum to -4.25"]
    assert len(world.fills(intent.ref)) == 2


@pytest.mark.fault(40)
async def test_an_execution_without_our_reference_is_not_booked(world: World) -> None:
    """FAULTS 40."""
    desk = await world.desk()
    intent = await desk.opened()
    for execution in list(world.broker.executions_today):
        if isinstance(execution, LegExecutionMessage):
            stranger = replace(execution.fill, ref="by hand", exec_id="9" + execution.fill.exec_id)
            world.broker.tell(replace(execution, fill=stranger))
    await desk.hear()
    assert world.fills("by hand") == []
    assert len(world.fills(intent.ref)) == 2
    assert world.halts() == []


async def test_another_clients_order_with_the_same_number_is_not_ours(world: World) -> None:
    desk = await world.desk()
    intent = world.enter()
    await desk.turn()
    stranger = replace(world.broker.working(intent.ref).as_status(), client_id=3, status="Cancelled")
    world.broker.tell(stranger)
    await desk.hear()
    assert world.state(intent.ref) is IntentState.WORKING


@pytest.mark.fault(35)
async def test_a_correction_takes_the_place_of_its_execution(world: World) -> None:
    """FAULTS 35."""
    desk = await world.desk()
    intent = await desk.opened()
    legs = [item for item in world.broker.executions_today if isinstance(item, LegExecutionMessage)]
    [original] = [item for item in legs if item.fill.con_id == record.SHORT.con_id]
    corrected = replace(original.fill, exec_id=original.fill.exec_id[:-2] + "02", price=Decimal("6.15"))
    world.broker.tell(replace(original, fill=corrected))
    await desk.hear()
    assert world.trade(intent.trade_id).credit == Decimal("4.15")
    assert len(world.fills(intent.ref)) == 2


@pytest.mark.fault(40)
@pytest.mark.fault(39)
async def test_a_stranger_at_the_broker_is_told_of_and_left_alone(world: World) -> None:
    desk = await world.desk()
    world.broker.move(record.ACCOUNT, Contract(77, "AAPL", SecType.STOCK, "SMART"), 5)
    assert await desk.look_up()
    assert desk.desk.enabled
    assert desk.session.placed == []
