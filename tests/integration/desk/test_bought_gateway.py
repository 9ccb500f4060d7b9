"""A bought option, the desk and the paper gateway over TCP: walked in, walked out once, and the books agree."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from tests.integration.desk.test_plain_gateway import Place
from tests.support import record
from tests.support.broker_worlds import tcp_world
from tests.support.desk import Running, World
from tests.support.paper_world import DAYS, SESSIONS, option_id

from htbot.domain.instruments import Right
from htbot.domain.orders import ExitReason, OrderIntent
from htbot.domain.signals import SpreadLeg
from htbot.domain.trades import ExitRules, MomentumExit, TradeState
from htbot.services.trade_record import manual_decision

CALL = SpreadLeg(option_id(4725, Right.CALL), "SPX", DAYS[0], Decimal(4725), Right.CALL, 1)


@pytest.fixture
async def place(world: World, tmp_path: Path) -> AsyncIterator[Place]:
    async with tcp_world(tmp_path / "gateway.sqlite") as gateway:
        made = Place(world, gateway)
        quote(made, 1.00, 1.20)
        yield made


def quote(place: Place, bid: float, ask: float) -> None:
    place.gateway.market.quotes[CALL.con_id] = (bid, ask)


def enter(place: Place) -> OrderIntent:
    """Three calls, from 1.10 up to 1.20 at worst; sold in three hours, or when they have run and turn."""
    now = place.world.now
    rules = ExitRules(
        None,
        None,
        now + timedelta(hours=3),
        now + timedelta(hours=4),
        momentum=MomentumExit(Decimal(3), Decimal(2), 15),
    )
    trade = record.trade(
        account=place.gateway.account, session=DAYS[0], legs=(CALL,), width=None, rules=rules, quantity=3, opened_at=now
    )
    intent = replace(
        record.entry(trade, limit=Decimal("1.10"), worst_limit=Decimal("1.20")),
        session=DAYS[0],
        good_till=now + timedelta(minutes=2),
    )
    return place.world.approve(trade, intent, 1)


async def walked(place: Place, desk: Running, met: ExitReason | None, trade_id: str) -> None:
    """Five seconds at a time, until the trade is open, or closed."""
    wanted = TradeState.OPEN if met is None else TradeState.CLOSED
    for _ in range(30):
        place.move(470.0)
        for _turn in range(3):
            await desk.turn()
        if place.world.trade(trade_id).state is wanted:
            return
        await place.until(desk, lambda: all(live.limit is not None for live in desk.desk.orders.live))
    raise AssertionError(f"{place.world.trade(trade_id)} is not {wanted}")


async def opened(place: Place, desk: Running) -> OrderIntent:
    intent = enter(place)
    await place.until(desk, lambda: place.working)
    [order] = place.working
    assert (order.tradable.con_ids, str(order.ticket.action)) == ((CALL.con_id,), "BUY")
    await walked(place, desk, None, intent.trade_id)
    return intent


async def test_it_is_bought_up_to_its_ask_and_sold_once_by_its_time(place: Place) -> None:
    desk = await place.desk()
    intent = await opened(place, desk)
    held = place.world.trade(intent.trade_id)
    assert held.credit is not None
    assert Decimal("-1.20") <= held.credit <= Decimal("-1.10")
    assert desk.desk.parts.session.holdings(place.gateway.account) == {CALL.con_id: 3}
    place.gateway.pace._clock.at += timedelta(hours=3)
    place.move(470.0)
    await place.until(desk, lambda: place.working)
    guarded = desk.desk.book.get(intent.trade_id)
    assert guarded is not None
    for reason in (ExitReason.MANUAL, ExitReason.PROFIT_TARGET):
        desk.desk.guard.close(guarded, manual_decision(reason, place.world.now, "also"))
    await walked(place, desk, ExitReason.TIME, intent.trade_id)
    assert await desk.look_up(after_s=11)
    trade = place.world.trade(intent.trade_id)
    assert (trade.exit_reason, trade.debit is not None) == (ExitReason.TIME, True)
    fills = [fill for item in place.world.exits(intent.trade_id) for fill in place.world.fills(item.intent.ref)]
    assert sum(fill.quantity for fill in fills) == 3
    assert all(Decimal("0.90") <= fill.price <= Decimal("1.10") for fill in fills)
    assert desk.desk.parts.session.holdings(place.gateway.account) == {}
    assert not place.working
    assert desk.desk.enabled, desk.desk.reason
    desk.desk.parts.session.disconnect()


async def test_what_nobody_bids_for_is_booked_at_the_close_as_the_gateway_ends_it(place: Place) -> None:
    """Its exit works until then; the broker's own trade has the books compared, and is what closes it."""
    desk = await place.desk()
    intent = await opened(place, desk)
    place.gateway.market.quotes[CALL.con_id] = (None, 0.05)  # type: ignore[assignment]
    place.gateway.market.settlements[DAYS[0]] = 4730.5
    place.gateway.pace._clock.at += timedelta(hours=3)
    place.move(470.0)
    await place.until(desk, lambda: place.working)
    closes = SESSIONS.all()[0].closes
    place.gateway.pace._clock.at = closes - timedelta(seconds=5)
    place.move(470.0)
    await place.until(desk, lambda: desk.desk.trading.news.foreign)
    assert desk.desk.compare_due
    await place.until(desk, lambda: not desk.desk.parts.session.holdings(place.gateway.account))
    assert await desk.look_up()
    trade = place.world.trade(intent.trade_id)
    worth = Decimal("5.50")
    assert (trade.state, trade.exit_reason, trade.closed_at) == (TradeState.CLOSED, ExitReason.EXPIRY, closes)
    assert trade.debit == -worth
    [asked, booked] = place.world.exits(intent.trade_id)
    assert (asked.intent.exit_reason, booked.order_id) == (ExitReason.TIME, None)
    assert [fill.price for fill in place.world.fills(booked.intent.ref)] == [worth]
    desk.desk.parts.session.disconnect()
