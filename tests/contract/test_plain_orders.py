"""What the desk may rely on when it trades shares: orders at the market, and a stop and a target of one group."""

from __future__ import annotations

from decimal import Decimal

import pytest
from tests.contract.test_broker_session import heard, statuses
from tests.support.broker_worlds import World, shares, shares_entry
from tests.support.paper_world import SPY
from tests.support.paper_world import START as STARTED
from tests.support.waiting import settled

from htbot.domain.margin import MarginQuestion
from htbot.domain.orders import Action, ExitReason, OrderIntent, PriceStyle
from htbot.execution.intents import ProtectivePlace, exit_intent, protective_intent
from htbot.execution.messages import (
    BagExecutionMessage,
    CommissionMessage,
    LegExecutionMessage,
    OpenOrderMessage,
    OrderStatusMessage,
)

STOPS = {1: Decimal("465.00"), -1: Decimal("475.00")}
TARGETS = {1: Decimal("475.00"), -1: Decimal("465.00")}
ENTRY, STOP, TARGET, CLOSE = 50, 51, 52, 53
SIDES = pytest.mark.parametrize("ratio", [1, -1])


def pair(world: World, ratio: int) -> tuple[OrderIntent, OrderIntent]:
    trade = shares(world, ratio)
    return (
        protective_intent(trade, PriceStyle.STOP, STOPS[ratio], trade.opened_at, ProtectivePlace(1, "group-1", 10)),
        protective_intent(trade, PriceStyle.TARGET, TARGETS[ratio], trade.opened_at, ProtectivePlace(2, "group-1", 10)),
    )


async def held(world: World, ratio: int) -> None:
    """Ten shares are held, long or short, and their commission is told."""
    intent = shares_entry(world, ratio)
    world.session.place(intent, ENTRY, intent.limit)
    if "Filled" not in statuses(world, ENTRY):
        await settled(lambda: statuses(world, ENTRY))
    if "Filled" not in statuses(world, ENTRY):
        await world.cross_entry(intent.ref)
    await settled(lambda: "Filled" in statuses(world, ENTRY))
    await settled(lambda: heard(world, CommissionMessage))


async def protected(world: World, ratio: int, quantity: int | None = None) -> tuple[OrderIntent, OrderIntent]:
    await held(world, ratio)
    stop, target = pair(world, ratio)
    world.session.place(stop, STOP, stop.limit, quantity)
    world.session.place(target, TARGET, target.limit, quantity)
    await settled(lambda: statuses(world, STOP) and statuses(world, TARGET))
    return stop, target


def shown(world: World, ref: str) -> OpenOrderMessage:
    return next(message for message in reversed(heard(world, OpenOrderMessage)) if message.ref == ref)


@SIDES
async def test_an_entry_is_a_plain_execution_at_the_touch_and_a_position(world: World, ratio: int) -> None:
    await held(world, ratio)
    [told] = heard(world, LegExecutionMessage)
    assert not heard(world, BagExecutionMessage)
    fill = told.fill
    assert (fill.con_id, fill.quantity, fill.expiry, fill.multiplier) == (SPY, 10, None, 1)
    assert fill.side is (Action.BUY if ratio > 0 else Action.SELL)
    assert fill.price > 0
    assert world.session.holdings(world.account) == {SPY: 10 * ratio}
    assert [item.average_price > 0 for item in heard(world, OrderStatusMessage) if item.status == "Filled"] == [True]


@SIDES
async def test_an_exit_is_an_order_at_the_market(world: World, ratio: int) -> None:
    await held(world, ratio)
    trade = shares(world, ratio)
    close = exit_intent(trade, ExitReason.TIME, None, trade.opened_at, 10)
    assert close.style is PriceStyle.MARKET
    world.session.place(close, CLOSE, close.limit)
    await settled(lambda: statuses(world, CLOSE))
    if "Filled" not in statuses(world, CLOSE):
        await world.cross_entry(close.ref)
    await settled(lambda: "Filled" in statuses(world, CLOSE))
    await settled(lambda: not world.session.holdings(world.account))


@SIDES
async def test_stop_and_target_wait_and_are_shown_with_their_prices(world: World, ratio: int) -> None:
    stop, target = await protected(world, ratio)
    assert "Filled" not in statuses(world, STOP) + statuses(world, TARGET)
    for intent, price in ((stop, STOPS[ratio]), (target, TARGETS[ratio])):
        told = shown(world, intent.ref)
        assert (told.limit, told.quantity, intent.in_books(price)) == (price, 10, intent.limit)


@SIDES
@pytest.mark.parametrize(("first", "other"), [(STOP, TARGET), (TARGET, STOP)])
async def test_a_fill_of_one_cancels_the_other_and_leaves_nothing(
    world: World, ratio: int, first: int, other: int
) -> None:
    orders = dict(zip((STOP, TARGET), await protected(world, ratio), strict=True))
    await world.cross(orders[first].ref)
    await settled(lambda: "Filled" in statuses(world, first))
    await settled(lambda: "Cancelled" in statuses(world, other))
    await settled(lambda: not world.session.holdings(world.account))


async def test_both_are_changed_under_their_own_ids(world: World) -> None:
    stop, target = await protected(world, 1, quantity=4)
    assert {shown(world, stop.ref).quantity, shown(world, target.ref).quantity} == {4}
    world.session.place(stop, STOP, Decimal("466.00"), 10)
    world.session.place(target, TARGET, target.limit, 10)
    await settled(lambda: shown(world, stop.ref).quantity == shown(world, target.ref).quantity == 10)
    assert shown(world, stop.ref).limit == Decimal("466.00")
    await world.cross(stop.ref)
    await settled(lambda: not world.session.holdings(world.account))


async def test_cancelled_one_by_one_they_are_gone(world: World) -> None:
    await protected(world, 1)
    world.session.cancel(STOP)
    world.session.cancel(TARGET)
    await settled(lambda: "Cancelled" in statuses(world, STOP) and "Cancelled" in statuses(world, TARGET))
    assert world.session.holdings(world.account) == {SPY: 10}


@SIDES
async def test_a_what_if_of_shares_tells_margin(world: World, ratio: int) -> None:
    answer = await world.session.what_if(MarginQuestion.of(shares_entry(world, ratio)), 90)
    assert not answer.rejected
    assert answer.free_after is not None


async def test_a_stock_is_streamed_with_what_can_be_borrowed(world: World) -> None:
    world.session.subscribe(SPY, "SMART")
    await settled(lambda: world.session.quote(SPY, STARTED) is not None)
    world.session.subscribe(SPY, "SMART", borrowing=True)
    await settled(lambda: world.session.shortable(SPY))
    assert world.session.quote(SPY, STARTED).bid == pytest.approx(469.99)
    world.session.unsubscribe(SPY)
