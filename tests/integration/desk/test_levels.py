"""Sales at profit levels: a part leaves once, what stands at the broker never closes too much, and the rest goes on."""

from __future__ import annotations

from decimal import Decimal

import pytest
from tests.integration.desk.test_plain import STOP, TARGET, opened, quote, sides, standing
from tests.support.broker import HeldOrder
from tests.support.desk import Running, World

from htbot.domain.orders import ExitReason, IntentState, OrderIntent, PriceStyle
from htbot.domain.trades import TradeState
from htbot.engine.bar_parts import ExitPlan
from htbot.engine.observation import LevelSale
from htbot.persistence.queries.marks import marked_pnl
from htbot.persistence.records import PnlSnapshot, StoredIntent
from htbot.persistence.repositories import PnlRepository
from htbot.services.trade_record import manual_decision, request_exit


@pytest.fixture(autouse=True)
def quoted(world: World) -> None:
    quote(world, 400.00)


def ask(world: World, trade_id: str, spent: int, reached: int) -> StoredIntent | None:
    """What a worker writes when a close has come to a level: 25, 50 and 25 of 100."""
    decision = manual_decision(ExitReason.PROFIT_TARGET, world.now, f"profit level {reached}")
    with world.database.transaction() as session:
        return request_exit(session, trade_id, decision, LevelSale(spent, reached, ExitPlan()))


async def asked(world: World, desk: Running) -> tuple[OrderIntent, StoredIntent]:
    """A trade of 100, and the sale at its first level that a worker has just asked for."""
    intent = await opened(world, desk)
    world.after(market_s=30)
    stored = ask(world, intent.trade_id, 0, 1)
    assert stored is not None
    return intent, stored


def part(world: World) -> HeldOrder | None:
    """The sale that works at the broker."""
    return next((one for one in world.broker.orders if one.working and one.intent.in_part), None)


def sizes(world: World) -> list[int]:
    return [standing(world)[style].quantity for style in (STOP, TARGET)]


async def sold(world: World, desk: Running, intent: OrderIntent, spent: int, price: str) -> None:
    """Ask for the sale of the level after `spent`, and fill it."""
    world.after(market_s=30)
    stored = ask(world, intent.trade_id, spent, spent + 1)
    assert stored is not None
    await desk.turn()
    await desk.turn()
    world.broker.fill(stored.intent.ref, price)
    await desk.turn()


async def test_each_level_sells_its_part_and_the_last_what_is_left(world: World) -> None:
    desk = await world.desk()
    intent = await opened(world, desk)
    await sold(world, desk, intent, 0, "400.52")
    trade = world.trade(intent.trade_id)
    assert (trade.state, trade.quantity, trade.left, trade.exit_reason) == (TradeState.OPEN, 100, 75, None)
    assert (trade.gross_pnl_usd, trade.credit) == (Decimal("12.50"), Decimal("-400.02"))
    assert sizes(world) == [75, 75]
    with world.database.transaction() as session:
        snapshot = PnlSnapshot(trade.id, world.now, mid_pnl_usd=Decimal("37.50"))
        PnlRepository(session).add_snapshot(snapshot)
        [mark] = marked_pnl(session, [trade.id])
    assert mark.pnl == Decimal("50.00"), "what is left and what is sold: the curve does not fall by a sale"
    assert ask(world, intent.trade_id, 0, 1) is None, "a level has one sale"
    await sold(world, desk, intent, 1, "401.02")
    assert (world.trade(intent.trade_id).left, sizes(world)) == (25, [25, 25])
    world.after(market_s=30)
    assert ask(world, intent.trade_id, 2, 3) is not None
    for _ in range(3):
        await desk.turn()
    assert not standing(world), "what sells the rest waits for their end"
    [close] = [one for one in world.broker.orders if one.working]
    world.broker.fill(close.intent.ref, "402.02")
    for order in world.broker.orders:
        world.broker.report_commissions(order.intent.ref)
    await desk.turn()
    trade = world.trade(intent.trade_id)
    assert (trade.state, trade.exit_reason, trade.left) == (TradeState.CLOSED, ExitReason.PROFIT_TARGET, 0)
    assert trade.gross_pnl_usd == Decimal("112.50")
    assert sides(world) == [("BUY", 100), ("SELL", 25), ("SELL", 50), ("SELL", 25)]
    assert (world.mails("trade_part"), world.mails("trade_exit")) == (2, 1)
    assert [one.intent.style for one in world.exits(trade.id) if one.intent.protective] == [STOP, TARGET]


async def test_a_part_waits_until_the_broker_has_made_stop_and_target_smaller(world: World) -> None:
    desk = await world.desk()
    intent, _stored = await asked(world, desk)
    desk.session.deaf = True
    await desk.turn()
    await desk.turn()
    assert (sizes(world), part(world)) == ([75, 75], None), "smaller, but the desk has not heard of it"
    desk.session.deaf = False
    world.host_s += 8  # more than a sender may be held up for: this one was not, the broker was
    desk.desk.trading.numbers.used_id(900)  # others have left since: the broker refuses lower ids
    world.broker.tell(*(one.as_message() for one in standing(world).values()))
    await desk.turn()
    assert (sizes(world), (held := part(world)) and held.quantity) == ([75, 75], 25)
    assert held is not None
    assert held.order_id > 900
    [stored] = [one for one in world.exits(intent.trade_id) if one.intent.in_part]
    assert (stored.order_id, world.trade(intent.trade_id).state) == (held.order_id, TradeState.OPEN)


@pytest.mark.parametrize("lost", ["changes", "answers", "sale", "fill"])
async def test_a_part_is_sold_once_whatever_the_desk_dies_before(world: World, lost: str) -> None:
    """Before the changes of stop and target arrive, before their answers, before the sale arrives, before its fill."""
    first = await world.desk()
    intent, stored = await asked(world, first)
    if lost == "answers":
        first.session.deaf = True
    elif lost == "changes":
        first.session.lost_requests = 2
    await first.turn()
    if lost == "sale":
        first.session.lost_requests = 1
    if lost in {"sale", "fill"}:
        await first.turn()
        first.session.deaf = True
        if lost == "fill":
            world.broker.fill(stored.intent.ref, "400.52")
    first.die()
    desk = await world.desk()
    for _ in range(6):
        world.after(market_s=5)
        await desk.turn()
        await desk.look_up(after_s=11)
    if lost != "fill":
        assert part(world) is not None
        world.broker.fill(stored.intent.ref, "400.52")
    for _ in range(3):
        world.after(market_s=5)
        await desk.turn()
    assert sides(world) == [("BUY", 100), ("SELL", 25)]
    assert (world.trade(intent.trade_id).left, sizes(world)) == (75, [75, 75])
    assert len(world.broker.of(stored.intent.ref)) == 1
    assert ask(world, intent.trade_id, 0, 1) is None


async def test_a_stop_that_fills_before_it_is_smaller_leaves_nothing_to_sell(world: World) -> None:
    desk = await world.desk()
    intent, stored = await asked(world, desk)
    desk.session.lost_requests = 2
    await desk.turn()
    world.broker.fill(standing(world)[STOP].intent.ref, "397.00")
    for _ in range(3):
        world.after(market_s=5)
        await desk.turn()
    assert sides(world) == [("BUY", 100), ("SELL", 100)]
    assert world.state(stored.intent.ref) is IntentState.EXPIRED
    assert world.trade(intent.trade_id).exit_reason is ExitReason.STOP_LOSS


async def test_a_stop_behind_half_a_part_closes_the_rest_and_no_more(world: World) -> None:
    desk = await world.desk()
    intent, _stored = await asked(world, desk)
    await desk.turn()
    await desk.turn()
    held = part(world)
    assert held is not None
    world.broker.fill(held.intent.ref, "400.52", 10)
    await desk.turn()
    assert (world.trade(intent.trade_id).left, sizes(world)) == (90, [75, 75])
    world.broker.fill(standing(world)[STOP].intent.ref, "397.00")
    await desk.turn()
    world.broker.fill(held.intent.ref, "396.90")
    await desk.turn()
    trade = world.trade(intent.trade_id)
    assert (trade.state, sides(world)[1:]) == (TradeState.CLOSED, [("SELL", 75), ("SELL", 10), ("SELL", 15)])


async def test_a_close_in_time_takes_the_place_of_a_part_that_has_not_left(world: World) -> None:
    desk = await world.desk()
    intent, stored = await asked(world, desk)
    desk.session.lost_requests = 2
    await desk.turn()
    world.now = world.trade(intent.trade_id).rules.exit_at
    for _ in range(4):
        await desk.turn()
        world.after(market_s=2)
    assert world.state(stored.intent.ref) is IntentState.EXPIRED
    [close] = [one for one in world.broker.orders if one.working]
    assert (close.intent.style, close.quantity) == (PriceStyle.MARKET, 100)
    world.broker.fill(close.intent.ref, "400.00")
    await desk.turn()
    assert (world.trade(intent.trade_id).exit_reason, sides(world)[1:]) == (ExitReason.TIME, [("SELL", 100)])


@pytest.mark.parametrize("again", [False, True])
async def test_a_part_that_is_refused_is_not_asked_for_again_and_nothing_else_is_closed(
    world: World, again: bool
) -> None:
    desk = await world.desk()
    intent, stored = await asked(world, desk)
    desk.session.reject = (201, "Order rejected - reason: no")
    await desk.turn()
    await desk.turn()
    desk.session.reject = None
    assert world.state(stored.intent.ref) is IntentState.REJECTED
    if again:
        desk.die()
        desk = await world.desk()
    for _ in range(3):
        world.after(market_s=5)
        await desk.turn()
    trade = world.trade(intent.trade_id)
    assert (trade.state, trade.left, sizes(world)) == (TradeState.OPEN, 100, [100, 100])
    assert ask(world, intent.trade_id, 0, 1) is None
    assert sides(world) == [("BUY", 100)]
