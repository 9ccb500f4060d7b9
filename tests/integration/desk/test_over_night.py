"""Shares over night: stop and target stay at the broker, and nothing is decided while the market is closed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from tests.support import plain, record
from tests.support.broker import HeldOrder
from tests.support.desk import SESSION, Running, World

from htbot.domain.orders import ExitReason, OrderIntent, PriceStyle
from htbot.domain.quotes import Quote
from htbot.domain.trades import TradeState
from htbot.marketdata.snapshot import Snapshot
from htbot.persistence.repositories import CommandRepository, CommandRequest, PnlRepository, SessionRepository
from htbot.persistence.states import CommandState
from htbot.services.command_kinds import CLOSE_ALL, EVERY_ACCOUNT
from htbot.services.pnl_marker import PnlMarker
from htbot.services.trade_record import manual_decision, request_exit

SPY = plain.LONG.con_id
NIGHTS = replace(plain.RULES, exit_at=None, flat_deadline=None)
WEEKEND = timedelta(days=3)
NEXT = replace(SESSION, day=SESSION.day + WEEKEND, opens=SESSION.opens + WEEKEND, closes=SESSION.closes + WEEKEND)


@pytest.fixture(autouse=True)
def quoted(world: World) -> None:
    world.broker.quotes[SPY] = (400.00, 400.02)
    with world.database.transaction() as session:
        SessionRepository(session).upsert([NEXT])


async def held(world: World, desk: Running, **changes: None) -> OrderIntent:
    """A trade that is held over night; `changes` are those of its rules."""
    trade = plain.trade(rules=replace(NIGHTS, **changes))
    intent = world.approve(trade, plain.entry(trade), 1)
    await desk.turn()
    world.broker.fill(intent.ref, "400.02")
    await desk.turn()
    world.now = SESSION.closes + timedelta(minutes=1)
    return intent


async def monday(world: World, desk: Running) -> None:
    world.now = NEXT.opens
    await desk.desk.day.refresh(world.now)


def standing(world: World) -> dict[PriceStyle, HeldOrder]:
    return {order.intent.style: order for order in world.broker.orders if order.working and order.intent.protective}


async def test_neither_a_price_of_the_night_nor_the_clock_closes_it_and_nobody_is_paged(world: World) -> None:
    desk = await world.desk()
    intent = await held(world, desk)
    before = {order.intent.ref for order in standing(world).values()}
    for bid in (390.00, 410.00):  # beyond the stop and beyond the target, as pre-market quotes may be
        world.broker.quotes[SPY] = (bid, bid + 0.02)
        world.after(market_s=3600)
        await desk.turn()
        desk.desk.protection.look(world.now, exposed=desk.desk.guard.exposed(world.now))
    assert {order.intent.ref for order in standing(world).values()} == before
    assert world.trade(intent.trade_id).state is TradeState.OPEN
    assert not world.mails("error")
    assert desk.desk.protection.unprotected_s == 0


async def test_a_desk_that_dies_in_the_night_finds_its_trade_and_orders_and_closes_by_them(world: World) -> None:
    desk = await world.desk()
    intent = await held(world, desk)
    before = {style: order.intent.ref for style, order in standing(world).items()}
    desk.die()
    world.after(market_s=8 * 3600)
    second = await world.desk()
    await second.look_up(after_s=20)
    await second.turn()
    await monday(world, second)
    await second.turn()
    assert {style: order.intent.ref for style, order in standing(world).items()} == before, "nothing is placed twice"
    world.broker.quotes[SPY] = (390.00, 390.02)
    world.broker.fill(before[PriceStyle.STOP], "390.00")  # the gap: at the open, not at the stop's price
    await second.turn()
    trade = world.trade(intent.trade_id)
    assert (trade.state, trade.exit_reason) == (TradeState.CLOSED, ExitReason.STOP_LOSS)
    assert trade.gross_pnl_usd == Decimal("-1002.00")
    with world.database.transaction() as session:
        PnlRepository(session).fold_day(record.ACCOUNT, SESSION.day, world.now)  # as for another that was closed on it
        entered, left = (PnlRepository(session).day(record.ACCOUNT, one.day) for one in (SESSION, NEXT))
    assert entered is not None
    assert left is not None
    assert (entered.commissions_usd, entered.trades, left.gross_usd, left.trades) == (0, 0, trade.gross_pnl_usd, 1)
    assert (not world.broker.held, not standing(world)) == (True, True)
    assert await second.look_up(after_s=20)


async def test_what_the_broker_cancels_in_the_night_is_placed_again_at_the_open(world: World) -> None:
    """As IB does with a good-till-cancelled order of a share that is split, or after 90 days without a login."""
    desk = await world.desk()
    await held(world, desk)
    for order in standing(world).values():
        world.broker.end(order.intent.ref)
    await desk.turn()
    assert not standing(world), "nothing is placed while the market is closed"
    await monday(world, desk)
    for _ in range(2):
        await desk.turn()
        world.after(market_s=5)
    assert set(standing(world)) == {PriceStyle.STOP, PriceStyle.TARGET}


async def test_an_exit_that_was_not_done_before_the_close_is_done_at_the_open_by_another_desk(world: World) -> None:
    """Its strategy wanted out at the last look: stop and target were still being cancelled as the session ended."""
    desk = await world.desk()
    intent = await held(world, desk)
    world.now = SESSION.closes - timedelta(seconds=1)
    with world.database.transaction() as session:
        decision = manual_decision(ExitReason.SIGNAL, world.now, "its own signal")
        assert request_exit(session, intent.trade_id, decision) is not None
    await desk.desk.act(world.now)
    world.now = SESSION.closes + timedelta(seconds=1)
    await desk.turn()
    assert world.trade(intent.trade_id).state is TradeState.OPEN
    desk.die()
    second = await world.desk()
    await second.look_up(after_s=20)
    await second.turn()
    assert len([order for order in world.broker.orders if order.intent.style is PriceStyle.MARKET]) == 0
    await monday(world, second)
    for _ in range(3):
        await second.turn()
        world.after(market_s=1)
    [market] = [order for order in world.broker.orders if order.intent.style is PriceStyle.MARKET]
    world.broker.fill(market.intent.ref, "401.00")
    await second.turn()
    trade = world.trade(intent.trade_id)
    assert (trade.state, trade.exit_reason) == (TradeState.CLOSED, ExitReason.SIGNAL)
    assert not standing(world)


async def test_a_person_who_wants_it_closed_at_night_is_told_to_ask_again_and_it_stays_protected(world: World) -> None:
    desk = await world.desk()
    intent = await held(world, desk)
    with world.database.transaction() as session:
        request = CommandRequest("night", CLOSE_ALL, "ann", world.now, {"scope": EVERY_ACCOUNT})
        command, _new = CommandRepository(session).create(request)
    for _ in range(2):
        await desk.turn()
        world.after(market_s=60)
    with world.database.transaction() as session:
        told = CommandRepository(session).get(command.id)
    assert told is not None
    assert told.state is CommandState.FAILED
    assert set(standing(world)) == {PriceStyle.STOP, PriceStyle.TARGET}
    assert world.trade(intent.trade_id).state is TradeState.OPEN
    await monday(world, desk)
    await desk.turn()
    assert world.trade(intent.trade_id).state is TradeState.OPEN, (
        "it was told to ask again: it is not closed by surprise"
    )


async def test_an_exit_without_a_stop_that_is_claimed_after_the_close_leaves_at_the_open(world: World) -> None:
    desk = await world.desk()
    intent = await held(world, desk, stop_price=None, target_price=None)
    with world.database.transaction() as session:
        decision = manual_decision(ExitReason.SIGNAL, world.now, "its own signal")
        assert request_exit(session, intent.trade_id, decision) is not None
    await desk.turn()
    assert len(world.broker.orders) == 1, "the entry alone: nothing is queued for the open"
    await monday(world, desk)
    for _ in range(2):
        await desk.turn()
        world.after(market_s=1)
    [_entry, exit_] = world.broker.orders
    assert (exit_.intent.exit_reason, exit_.quantity) == (ExitReason.SIGNAL, 100)


async def test_what_the_broker_does_not_list_for_a_while_at_night_is_not_sent_again(world: World) -> None:
    """Stop and target would stand twice, once it lists them; at the open they are asked for under their own ids."""
    desk = await world.desk()
    await held(world, desk)
    hidden, before = [one for one in world.broker.orders if one.intent.protective], len(desk.session.placed)
    for order in hidden:
        world.broker.orders.remove(order)
    for _ in range(4):
        world.after(market_s=20)
        await desk.turn()
        await desk.look_up()
    assert (len(desk.session.placed), desk.desk.enabled) == (before, False)
    world.broker.orders += hidden
    await desk.look_up()
    await desk.turn()
    assert (len(desk.session.placed), desk.desk.enabled) == (before, True)
    for order in hidden:
        world.broker.orders.remove(order)
    for _ in range(2):
        world.after(market_s=20)
        await desk.look_up()
    await monday(world, desk)
    await desk.look_up(after_s=1)
    await desk.turn()
    assert sorted(order.order_id for order in standing(world).values()) == [one.order_id for one in hidden]


async def test_a_price_of_the_night_is_neither_a_mark_nor_a_gain(world: World) -> None:
    desk = await world.desk()
    intent = await held(world, desk)
    marker = PnlMarker()
    for at, bid in ((SESSION.closes - timedelta(seconds=30), 401.00), (SESSION.closes + timedelta(hours=16), 430.00)):
        quote = Quote(SPY, at, bid, bid + 0.02, 10.0, 10.0, last=bid)
        seen = Snapshot(at, record.WORLD, record.ACCOUNT, "SPX", 1, 4000.0, None, None, quotes={SPY: quote})
        with world.database.transaction() as session:
            assert marker.mark(session, seen, at) == 0
    with world.database.transaction() as session:
        [mark] = PnlRepository(session).snapshots(intent.trade_id)
    assert (mark.mid_pnl_usd, world.trade(intent.trade_id).max_gain_usd) == (Decimal("99.00"), Decimal("99.00"))
