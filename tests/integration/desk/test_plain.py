"""Trades on shares: bought and sold short, kept by a stop and a target at the broker, closed once whatever dies."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from tests.integration.desk.test_commands import command, tell
from tests.support import plain
from tests.support.broker import HeldOrder
from tests.support.desk import FIRST_ID, Running, World

from htbot.desk.clock import DeskClock
from htbot.desk.record import Close
from htbot.domain.orders import ExitReason, IntentState, OrderIntent, PriceStyle
from htbot.domain.signals import PlainLeg
from htbot.domain.trades import TradeState
from htbot.execution.intents import ProtectivePlace, protective_intent
from htbot.execution.messages import CommissionMessage
from htbot.marketdata.clock_state import Mode
from htbot.persistence.queries import trades, trading
from htbot.persistence.queries.selection import Selection
from htbot.persistence.repositories import CommandRepository, CommandRequest
from htbot.persistence.states import CommandState
from htbot.services.command_kinds import CANCEL, CLOSE_ALL, EVERY_ACCOUNT, SETTLE
from htbot.services.trade_record import manual_decision, request_exit

SPY = plain.LONG.con_id
STOP, TARGET = PriceStyle.STOP, PriceStyle.TARGET


@pytest.fixture(autouse=True)
def quoted(world: World) -> None:
    quote(world, 400.00)


def quote(world: World, bid: float) -> None:
    world.broker.quotes[SPY] = (bid, round(bid + 0.02, 2))


def enter(world: World, leg: PlainLeg = plain.LONG, **changes: Any) -> OrderIntent:
    trade = plain.trade(leg=leg, **changes)
    limit = "400.50" if leg.ratio > 0 else "399.50"
    return world.approve(trade, plain.entry(trade, limit=limit), 1)


async def opened(world: World, desk: Running, leg: PlainLeg = plain.LONG, **changes: Any) -> OrderIntent:
    """Entered and filled at 400.02, or sold short at 400.00."""
    intent = enter(world, leg, **changes)
    await desk.turn()
    world.broker.fill(intent.ref, "400.02" if leg.ratio > 0 else "-400.00")
    await desk.turn()
    return intent


def standing(world: World) -> dict[PriceStyle, HeldOrder]:
    """Stop and target that work at the broker."""
    return {order.intent.style: order for order in world.broker.orders if order.working and order.intent.protective}


def sides(world: World) -> list[tuple[str, int]]:
    """Every execution at the broker: side and quantity."""
    return [
        (fill.side.value, fill.quantity)
        for order in world.broker.orders
        for fill in world.broker.legs_of(order.intent.ref)
    ]


async def test_an_entry_leaves_at_its_limit_and_its_fill_is_a_trade(world: World) -> None:
    desk = await world.desk()
    intent = await opened(world, desk)
    assert desk.session.placed[0] == (intent.ref, FIRST_ID, Decimal("400.50"))
    trade = world.trade(intent.trade_id)
    assert (trade.state, trade.credit, trade.width, trade.quantity) == (TradeState.OPEN, Decimal("-400.02"), None, 100)
    assert world.broker.held[trade.account, SPY][1] == 100


async def test_of_two_approved_at_once_on_opposite_sides_one_leaves_and_can_be_closed(world: World) -> None:
    desk = await world.desk()
    first = enter(world)
    against = plain.trade(2, plain.SHORT, strategy="other", id="other-1")
    second = world.approve(against, plain.entry(against, 2, limit="399.50"), 2)
    await desk.turn()
    assert [ref for ref, _, _ in desk.session.placed] == [first.ref]
    assert world.state(second.ref) is IntentState.WITHDRAWN
    world.broker.fill(first.ref, "400.02")
    await desk.turn()
    assert len(standing(world)) == 2


@pytest.mark.parametrize(
    ("leg", "stop", "target"), [(plain.LONG, "398.00", "404.00"), (plain.SHORT, "-402.00", "-396.00")]
)
async def test_a_fill_is_followed_by_a_stop_and_a_target_of_one_group(
    world: World, leg: PlainLeg, stop: str, target: str
) -> None:
    desk = await world.desk()
    await opened(world, desk, leg)
    orders = standing(world)
    assert {style: order.limit for style, order in orders.items()} == {STOP: Decimal(stop), TARGET: Decimal(target)}
    assert {order.quantity for order in orders.values()} == {100}
    assert len({order.intent.group for order in orders.values()}) == 1
    assert world.trade(orders[STOP].intent.trade_id).state is TradeState.OPEN
    for _ in range(3):
        world.after(market_s=5)
        await desk.turn()
    assert len(standing(world)) == len(world.broker.orders) - 1 == 2, "they are placed once"


@pytest.mark.parametrize(
    ("leg", "style", "reason", "gross"),
    [
        (plain.LONG, STOP, ExitReason.STOP_LOSS, "-202.00"),
        (plain.LONG, TARGET, ExitReason.PROFIT_TARGET, "398.00"),
        (plain.SHORT, STOP, ExitReason.STOP_LOSS, "-200.00"),
        (plain.SHORT, TARGET, ExitReason.PROFIT_TARGET, "400.00"),
    ],
)
async def test_a_fill_of_one_of_them_closes_the_trade_to_the_cent(
    world: World, leg: PlainLeg, style: PriceStyle, reason: ExitReason, gross: str
) -> None:
    desk = await world.desk()
    intent = await opened(world, desk, leg)
    world.broker.fill(standing(world)[style].intent.ref)
    for order in world.broker.orders:
        world.broker.report_commissions(order.intent.ref, "1.00")
    await desk.turn()
    trade = world.trade(intent.trade_id)
    assert (trade.state, trade.exit_reason, trade.gross_pnl_usd) == (TradeState.CLOSED, reason, Decimal(gross))
    assert trade.net_pnl_usd == Decimal(gross) - 2
    assert not standing(world)
    assert not world.broker.held
    assert (world.mails("trade_entry"), world.mails("trade_exit")) == (1, 1)
    assert await desk.look_up(after_s=20)


async def test_they_follow_an_entry_that_fills_in_parts(world: World) -> None:
    """A stop in dollars moves with the average price and the shares that it is for."""
    rules = plain.replace(plain.RULES, stop_price=None, stop_loss_usd=Decimal(100))
    desk = await world.desk()
    intent = enter(world, rules=rules)
    await desk.turn()
    world.broker.fill(intent.ref, "400.00", 40)
    await desk.turn()
    orders = standing(world)
    assert (orders[STOP].quantity, orders[TARGET].quantity) == (40, 40)
    assert orders[STOP].limit == Decimal("397.50")
    world.after(market_s=2)
    world.broker.fill(intent.ref, "400.10")
    await desk.turn()
    assert standing(world) == orders, "changed, not replaced"
    assert (orders[STOP].quantity, orders[TARGET].quantity) == (100, 100)
    assert orders[STOP].limit == Decimal("399.06"), "400.06 less a dollar a share"


async def test_an_entry_that_ends_in_part_is_no_news_at_the_next_comparisons(world: World) -> None:
    """Its executions are those that were known when it ended: nothing is in doubt, and entries go on."""
    desk = await world.desk()
    intent = enter(world)
    await desk.turn()
    world.broker.fill(intent.ref, "400.00", 40)
    await desk.turn()
    world.broker.end(intent.ref)
    await desk.turn()
    assert world.state(intent.ref) is IntentState.CANCELLED
    for _ in range(2):
        world.after(market_s=5)
        assert await desk.desk.reconcile(world.now)
        assert desk.desk.orders.of_ref(intent.ref) is None
    assert desk.desk.enabled
    assert world.trade(intent.trade_id).quantity == 40


async def test_a_target_that_fills_in_part_leaves_the_stop_for_the_rest(world: World) -> None:
    desk = await world.desk()
    intent = await opened(world, desk)
    world.broker.fill(standing(world)[TARGET].intent.ref, quantity=30)
    await desk.turn()
    assert {style: order.quantity - order.filled for style, order in standing(world).items()} == {STOP: 70, TARGET: 70}
    assert world.trade(intent.trade_id).state is TradeState.OPEN
    world.broker.fill(standing(world)[STOP].intent.ref)
    await desk.turn()
    trade = world.trade(intent.trade_id)
    assert (trade.state, trade.exit_reason) == (TradeState.CLOSED, ExitReason.STOP_LOSS)
    assert trade.gross_pnl_usd == 30 * Decimal("3.98") - 70 * Decimal("2.02")
    assert not world.broker.held


async def test_a_status_that_comes_before_its_execution_enlarges_nothing(world: World) -> None:
    desk = await world.desk()
    await opened(world, desk)
    orders = standing(world)
    target, stop = orders[TARGET], orders[STOP]
    target.filled = 30
    executed = world.broker.execute(target, target.limit, 30)
    world.broker.tell(target.as_message(), target.as_status())
    world.broker.reduce(stop, 30)
    for _ in range(3):
        world.after(market_s=2)
        await desk.turn()
        assert (target.quantity, stop.quantity) == (100, 70)
    world.broker.tell(*executed)
    world.after(market_s=2)
    await desk.turn()
    assert (target.quantity, stop.quantity) == (100, 70)


async def test_time_cancels_them_waits_for_their_end_and_sells_what_is_left_at_the_market(world: World) -> None:
    desk = await world.desk()
    intent = await opened(world, desk)
    refs = {order.intent.ref for order in standing(world).values()}
    world.now = plain.at(181)
    await desk.hear()
    await desk.look()
    assert world.exits(intent.trade_id)[-1].intent.style is not PriceStyle.MARKET, "nothing is sold beside them"
    await desk.turn()
    [close] = [order for order in world.broker.orders if order.working]
    assert close.intent.style is PriceStyle.MARKET
    assert close.intent.exit_reason is ExitReason.TIME
    assert {world.state(ref) for ref in refs} == {IntentState.CANCELLED}
    world.broker.fill(close.intent.ref, "401.00")
    await desk.turn()
    trade = world.trade(intent.trade_id)
    assert (trade.state, trade.exit_reason, trade.gross_pnl_usd) == (TradeState.CLOSED, ExitReason.TIME, Decimal(98))


async def test_a_stop_that_fills_while_its_cancel_is_under_way_leaves_nothing_to_sell(world: World) -> None:
    desk = await world.desk()
    intent = await opened(world, desk)
    world.now = plain.at(181)
    desk.session.refuse_cancel = (10148, "OrderId that needs to be cancelled cannot be cancelled, state: Filled.")
    stop = standing(world)[STOP]
    await desk.hear()
    await desk.look()
    world.broker.fill(stop.intent.ref)
    desk.session.refuse_cancel = None
    for _ in range(4):
        world.after(market_s=15)
        await desk.turn()
        await desk.look_up(after_s=15)
    assert sides(world) == [("BUY", 100), ("SELL", 100)]
    trade = world.trade(intent.trade_id)
    assert (trade.state, trade.exit_reason) == (TradeState.CLOSED, ExitReason.STOP_LOSS)


async def test_half_of_a_target_that_filled_before_the_cancel_is_not_sold_again(world: World) -> None:
    desk = await world.desk()
    intent = await opened(world, desk)
    world.now = plain.at(181)
    world.broker.fill(standing(world)[TARGET].intent.ref, quantity=60)
    await desk.turn()
    await desk.turn()
    [close] = [order for order in world.broker.orders if order.working]
    assert (close.intent.style, close.quantity) == (PriceStyle.MARKET, 40)
    world.broker.fill(close.intent.ref, "400.00")
    await desk.turn()
    assert world.trade(intent.trade_id).state is TradeState.CLOSED
    assert not world.broker.held


async def test_a_close_asked_for_under_the_number_of_a_stop_keeps_its_wish(world: World) -> None:
    """The journal has numbered the stop, and a task asks before the record knows of it."""
    desk = await world.desk()
    intent = await opened(world, desk)
    trade = world.trade(intent.trade_id)
    with world.database.transaction() as session:
        asked = request_exit(session, trade.id, manual_decision(ExitReason.MANUAL, world.now, "asked"))
        assert asked is not None
        place = ProtectivePlace(3, "another group", 100)
        stop = protective_intent(trade, STOP, Decimal("398.00"), world.now, place)
        assert stop.ref == asked.intent.ref
        desk.desk.trading.record.store_close(session, Close(stop, 70, {}))
    assert world.stored(stop.ref).intent == stop
    wish = world.exits(trade.id)[-1]
    assert (wish.state, wish.sequence) == (IntentState.PENDING, 4)
    assert wish.intent == plain.replace(asked.intent, ref=wish.intent.ref)


def _late_target(world: World, desk: Running) -> list[Callable[[], HeldOrder]]:
    """The target is slow on its way: it reaches the broker when called, after the stop of its group has filled."""
    arrives: list[Callable[[], HeldOrder]] = []

    def place(intent: OrderIntent, order_id: int, limit: Decimal) -> None:
        desk.session.lost_requests = int(intent.style is TARGET)
        if intent.style is TARGET:
            arrives.append(lambda: world.broker.accept(intent, order_id, desk.session.client_id, limit))

    desk.session.on_place = place
    return arrives


async def test_a_target_that_comes_after_its_stop_has_filled_is_cancelled(world: World) -> None:
    """The cancel overtakes it and is refused; nothing is held that it could sell."""
    desk = await world.desk()
    arrives = _late_target(world, desk)
    intent = await opened(world, desk)
    world.broker.fill(standing(world)[STOP].intent.ref)
    await desk.turn()
    assert len(desk.session.cancels) == 1
    target = arrives[0]()
    world.broker.tell(target.as_message(), target.as_status())
    await desk.turn()
    assert not target.working, "at once: what it sold would open something"
    assert sides(world) == [("BUY", 100), ("SELL", 100)]
    assert world.trade(intent.trade_id).state is TradeState.CLOSED


async def test_a_next_desk_cancels_what_stands_for_a_trade_that_is_over(world: World) -> None:
    first = await world.desk()
    arrives = _late_target(world, first)
    intent = await opened(world, first)
    world.broker.fill(standing(world)[STOP].intent.ref)
    await first.turn()
    assert world.trade(intent.trade_id).state is TradeState.CLOSED
    first.die()
    target = arrives[0]()
    desk = await world.desk()
    for _ in range(3):
        world.after(market_s=5)
        await desk.turn()
    assert not target.working
    assert world.state(target.intent.ref) is IntentState.CANCELLED
    assert desk.desk.enabled


async def test_everything_is_closed_by_one_command(world: World) -> None:
    desk = await world.desk()
    intent = await opened(world, desk)
    with world.database.transaction() as session:
        CommandRepository(session).create(CommandRequest("key", CLOSE_ALL, "person", world.now, {"scope": "all"}))
    for _ in range(3):
        await desk.turn()
    [close] = [order for order in world.broker.orders if order.working]
    assert close.intent.style is PriceStyle.MARKET
    world.broker.fill(close.intent.ref, "400.00")
    await desk.turn()
    assert world.trade(intent.trade_id).exit_reason is ExitReason.MANUAL
    assert sides(world) == [("BUY", 100), ("SELL", 100)]


@pytest.mark.parametrize("reason", [ExitReason.MANUAL, ExitReason.OTHER])
async def test_an_exit_that_a_task_has_written_waits_for_their_end(world: World, reason: ExitReason) -> None:
    desk = await world.desk()
    intent = await opened(world, desk)
    with world.database.transaction() as session:
        assert request_exit(session, intent.trade_id, manual_decision(reason, world.now, "asked"))
    for _ in range(3):
        await desk.turn()
    [close] = [order for order in world.broker.orders if order.working]
    assert (close.intent.style, close.intent.exit_reason) == (PriceStyle.MARKET, reason)
    assert world.mails("error.blind exit") == 0, "its strategy wanted it out, and said so"
    world.broker.fill(close.intent.ref, "400.00")
    await desk.turn()
    assert sides(world) == [("BUY", 100), ("SELL", 100)]


@pytest.mark.parametrize(("turns", "stand"), [(1, 2), (2, 0)])
async def test_an_exit_that_waits_for_their_end_outlives_its_desk(world: World, turns: int, stand: int) -> None:
    """The desk dies before the cancels left, or before it heard of them."""
    first = await world.desk()
    intent = await opened(world, first)
    with world.database.transaction() as session:
        assert request_exit(session, intent.trade_id, manual_decision(ExitReason.MANUAL, world.now, "asked"))
    first.session.deaf = True
    for _ in range(turns):
        await first.turn()
    first.die()
    assert len(standing(world)) == stand
    desk = await world.desk()
    for _ in range(4):
        world.after(market_s=5)
        await desk.turn()
        await desk.look_up(after_s=11)
    [close] = [order for order in world.broker.orders if order.working]
    assert (close.intent.style, close.intent.exit_reason) == (PriceStyle.MARKET, ExitReason.MANUAL)
    world.broker.fill(close.intent.ref, "400.00")
    await desk.turn()
    assert sides(world) == [("BUY", 100), ("SELL", 100)]


async def test_the_price_of_the_stop_is_left_to_the_broker_as_long_as_it_stands_there(world: World) -> None:
    desk = await world.desk()
    intent = await opened(world, desk)
    quote(world, 397.00)
    await desk.turn()
    assert len(standing(world)) == 2
    for order in standing(world).values():
        world.broker.end(order.intent.ref)  # somebody cancels them at the broker, at the worst moment
    await desk.turn()
    [close] = [order for order in world.broker.orders if order.working]
    assert (close.intent.style, close.intent.exit_reason) == (PriceStyle.MARKET, ExitReason.STOP_LOSS)
    assert world.trade(intent.trade_id).state is TradeState.CLOSING


async def test_what_a_person_cancels_at_the_broker_is_placed_again_and_told(world: World) -> None:
    desk = await world.desk()
    await opened(world, desk)
    first = standing(world)
    world.broker.end(first[STOP].intent.ref)
    world.after(market_s=2)
    await desk.turn()
    again = standing(world)
    assert again[TARGET] is first[TARGET]
    assert again[STOP].intent.ref != first[STOP].intent.ref
    assert again[STOP].intent.group == first[STOP].intent.group
    assert world.mails("error.protective order") == 1


async def test_one_that_is_refused_is_not_asked_for_in_a_storm(world: World) -> None:
    desk = await world.desk()
    intent = enter(world)
    await desk.turn()
    desk.session.reject = (201, "Order rejected - reason: no such type here")
    world.broker.fill(intent.ref, "400.02")
    for _ in range(20):
        world.after(market_s=1)
        await desk.turn()
    asked = [ref for ref, _id, _limit in desk.session.placed if ref != intent.ref]
    assert 2 * 4 <= len(asked) <= 2 * 5, "after 1, 2, 4 and 8 seconds"


@pytest.mark.parametrize("heard", [True, False])
async def test_a_desk_that_comes_after_finds_them_and_places_nothing_twice(world: World, heard: bool) -> None:
    first = await world.desk()
    intent = enter(world)
    await first.turn()
    if not heard:
        first.session.deaf = True  # what the broker answers is lost with this desk
    world.broker.fill(intent.ref, "400.02")
    await first.turn()
    first.die()
    world.after(market_s=30)
    desk = await world.desk()
    for _ in range(3):
        world.after(market_s=5)
        await desk.turn()
    assert sorted(order.intent.style for order in world.broker.orders if order.working) == [STOP, TARGET]
    assert len(world.broker.orders) == 3
    assert desk.desk.enabled, desk.desk.reason


async def test_what_was_promised_and_never_arrived_is_sent_under_its_own_id(world: World) -> None:
    first = await world.desk()
    intent = enter(world)
    await first.turn()
    first.session.lost_requests = 2
    world.broker.fill(intent.ref, "400.02")
    await first.turn()
    first.die()
    assert not standing(world)
    desk = await world.desk()
    await desk.look_up(after_s=11)
    await desk.look_up(after_s=11)
    orders = standing(world)
    assert sorted(orders) == [STOP, TARGET]
    assert {(order.intent.ref, order.order_id) for order in orders.values()} == {
        (ref, order_id) for ref, order_id, _limit in first.session.placed if ref != intent.ref
    }


@pytest.mark.parametrize("style", [STOP, TARGET])
async def test_with_the_desk_dead_the_broker_closes_and_the_books_hear_of_it(world: World, style: PriceStyle) -> None:
    first = await world.desk()
    intent = await opened(world, first)
    first.die()
    world.broker.fill(standing(world)[style].intent.ref)
    world.after(market_s=60)
    desk = await world.desk()
    await desk.look_up(after_s=11)
    trade = world.trade(intent.trade_id)
    assert trade.state is TradeState.CLOSED
    assert trade.exit_reason is (ExitReason.STOP_LOSS if style is STOP else ExitReason.PROFIT_TARGET)
    assert sides(world) == [("BUY", 100), ("SELL", 100)]
    assert desk.desk.enabled, desk.desk.reason


async def test_the_time_without_a_stop_is_counted_and_that_with_one_is_not(world: World) -> None:
    first = await world.desk()
    await opened(world, first)
    first.desk.protection.look(world.now, exposed=first.desk.guard.exposed(world.now))
    before = first.desk.protection.unprotected_s
    first.die()
    world.after(market_s=90)
    desk = await world.desk()
    assert desk.desk.protection.unprotected_s == before
    assert not desk.desk.guard.exposed(world.now)
    desk.session.reject = (201, "Order rejected")
    for order in standing(world).values():
        world.broker.end(order.intent.ref)
    await desk.turn()
    desk.session.connected = False
    assert desk.desk.guard.exposed(world.now)


async def test_with_postgres_dead_time_still_closes_once(world: World) -> None:
    desk = await world.desk(clock=DeskClock(Mode.STEPPED, None))
    intent = await opened(world, desk)
    desk.postgres(dead=True)
    world.now = plain.at(181)
    for _ in range(3):
        inbox = desk.desk.parts.inbox
        while not inbox.empty():
            desk.desk.fold(inbox.get_nowait())
        desk.desk.guard.look(world.now)
        desk.desk.trading.protecting.look(world.now)
        await desk.desk.guard.settle()
    [close] = [order for order in world.broker.orders if order.working]
    assert close.intent.style is PriceStyle.MARKET
    world.broker.fill(close.intent.ref, "401.00")
    world.broker.tell(*(CommissionMessage(fill.exec_id, Decimal(1)) for fill in world.broker.legs_of(close.intent.ref)))
    desk.postgres(dead=False)
    await desk.turn()
    assert world.trade(intent.trade_id).state is TradeState.CLOSED
    assert sides(world) == [("BUY", 100), ("SELL", 100)]


async def test_cancelling_everything_leaves_what_protects(world: World) -> None:
    desk = await world.desk()
    await opened(world, desk)
    with world.database.transaction() as session:
        asked = CommandRequest("key", CANCEL, "person", world.now, {"ref": EVERY_ACCOUNT})
        command, _new = CommandRepository(session).create(asked)
    await desk.turn()
    assert len(standing(world)) == 2
    with world.database.transaction() as session:
        done = CommandRepository(session).get(command.id)
    assert done is not None
    assert done.state is CommandState.DONE


async def test_people_see_the_side_and_the_price_of_the_shares(world: World) -> None:
    desk = await world.desk()
    await opened(world, desk, plain.SHORT)
    with world.database.transaction() as session:
        shown = {one.ref[-2:]: one for one in trading.orders(session, Selection())}
        [view] = trades.open_trades(session)
        [held] = trading.positions(session)
    sold, stop, target = shown["E1"], shown["X1"], shown["X2"]
    assert (sold.action, sold.limit, sold.avg_price, sold.legs[0].side) == (
        "SELL",
        Decimal("399.50"),
        Decimal("400.00"),
        "SELL",
    )
    assert [(one.action, one.limit) for one in (stop, target)] == [("BUY", Decimal(402)), ("BUY", Decimal(396))]
    assert (view.width, view.credit, view.maximum_loss, view.stop, view.target) == (None, None, 200, 200, 400)
    assert (view.legs[0].side, view.legs[0].fill, view.legs[0].strike) == ("SELL", Decimal(400), None)
    assert (held.quantity, held.avg_price, held.trade_id) == (-100, Decimal(400), view.id)


@pytest.mark.ruling(10)
async def test_two_trades_of_one_share_protect_and_sell_no_more_than_the_broker_shows(world: World) -> None:
    """A person has sold the shares of one: the stop and target of the first stand for what is left, and it is sold."""
    desk = await world.desk()
    await opened(world, desk)
    second = plain.trade(2, strategy="two", id="two-2")
    entry = world.approve(second, plain.entry(second, 2, limit="400.50"), 2)
    await desk.turn()
    world.broker.fill(entry.ref, "400.02")
    for _ in range(3):
        world.after(market_s=20)
        await desk.turn()
    working = [order for order in world.broker.orders if order.working]
    assert [order.quantity for order in working] == [100] * 4, "all is shown: each has its own"
    contract, quantity = world.broker.held[second.account, SPY]
    world.broker.held[second.account, SPY] = contract, quantity - 100
    for _ in range(3):
        world.after(market_s=20)
        await desk.turn()
    working = [order for order in world.broker.orders if order.working and order.quantity]
    assert len({order.intent.trade_id for order in working}) == 1
    world.now = max(world.now, second.rules.exit_at)
    for _ in range(5):
        world.after(market_s=1)
        await desk.turn()
    [exit_] = [order for order in world.broker.orders if order.working]
    assert (exit_.quantity, exit_.intent.style) == (100, PriceStyle.MARKET)


async def test_shares_that_somebody_sold_by_hand_are_booked_at_the_price_that_a_person_gives(world: World) -> None:
    """Some of them, then the rest; the stop and the target that stand for them end first: they would open something."""
    desk = await world.desk()
    intent = await opened(world, desk)
    account = world.trade(intent.trade_id).account

    async def sold(left: int) -> None:
        contract, _ = world.broker.held[account, SPY]
        world.broker.held[account, SPY] = (contract, left)
        world.after(market_s=30)
        await desk.turn()

    early = tell(world, SETTLE, "early", trade=intent.trade_id, price="401.00")
    await desk.turn()
    assert "0 SPY are gone, not 100" in command(world, early).result["why"]
    await sold(40)
    every = tell(world, SETTLE, "every", trade=intent.trade_id, price="401.00")
    await desk.turn()
    assert "60 SPY are gone, not 100: the broker shows 40, our books 100" in command(world, every).result["why"]
    some = tell(world, SETTLE, "some", trade=intent.trade_id, price="401.00", quantity=60)
    await desk.turn()
    assert command(world, some).result == {"booked": ["SELL 60 SPY at 401.00"]}
    assert world.trade(intent.trade_id).state is TradeState.OPEN
    assert {order.quantity for order in standing(world).values()} == {40}, "the rest is protected"
    await sold(0)
    rest = tell(world, SETTLE, "rest", trade=intent.trade_id, price="399.00")
    for _ in range(4):
        world.after(market_s=1)
        await desk.turn()
    assert command(world, rest).state is CommandState.DONE, command(world, rest).result
    assert standing(world) == {}
    trade = world.trade(intent.trade_id)
    assert (trade.state, trade.exit_reason, trade.debit) == (TradeState.CLOSED, ExitReason.MANUAL, Decimal("-400.20"))
    assert desk.desk.guard.trades == []
    assert [side for side, _ in sides(world)] == ["BUY"], "nothing was sent for it"
