"""Orders on shares at the exchange of a backtest: at the touch, stops, orders at the market, groups."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.examples import some_hundred
from tests.support.paper_world import DAYS, SESSIONS, SPY, START, HandMarket

from htbot.backtest.spread_exchange import Charges, SpreadExchange
from htbot.domain.fills import Fill
from htbot.domain.orders import Action, OrderIntent, PriceStyle, Purpose
from htbot.domain.signals import PlainLeg
from htbot.market.ports import Print
from htbot.matching.fees import Plan
from htbot.matching.view import FillRules

SESSION = SESSIONS.all()[0]
LONG, SHORT = PlainLeg(SPY, "SPY", 1), PlainLeg(SPY, "SPY", -1)


def intent(style: PriceStyle, price: str, quantity: int = 10, leg: PlainLeg = LONG, **chosen: object) -> OrderIntent:
    """`price` as it is quoted; entries are MARKETABLE, everything else closes."""
    entry = style is PriceStyle.MARKETABLE
    limit = leg.ratio * Decimal(price)
    return OrderIntent(
        ref=str(chosen.get("ref", style.value)),
        trade_id="trade-1",
        strategy="fast",
        account="DU1",
        session=DAYS[0],
        purpose=Purpose.ENTRY if entry else Purpose.EXIT,
        action=Action.BUY if entry else Action.SELL,
        symbol="SPY",
        quantity=quantity,
        legs=(leg,),
        limit=limit,
        worst_limit=limit,
        tick=Decimal("0.01"),
        style=style,
        created_at=START,
        good_till=START + timedelta(seconds=60) if entry else None,
        group=None if entry or style is PriceStyle.MARKET else "group-1",
    )


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


@pytest.fixture
def market() -> HandMarket:
    """469.99 for ten bid, twelve asked at 470.01; the last trade was at 470."""
    return HandMarket()


@pytest.fixture
def exchange(market: HandMarket) -> SpreadExchange:
    return SpreadExchange(market, Charges(FillRules(), Plan.FIXED, timedelta()))


def told(fills: list[Fill]) -> list[tuple[str, Action, int, Decimal]]:
    return [(fill.ref, fill.side, fill.quantity, fill.price) for fill in fills]


@pytest.mark.parametrize(
    ("leg", "limit", "side", "price"),
    [(LONG, "472.36", Action.BUY, "470.01"), (SHORT, "467.65", Action.SELL, "469.99")],
)
def test_an_entry_beyond_the_touch_trades_at_it(
    exchange: SpreadExchange, leg: PlainLeg, limit: str, side: Action, price: str
) -> None:
    order = intent(PriceStyle.MARKETABLE, limit, leg=leg)
    exchange.place(order, order.limit, START)
    fills = exchange.match_due(START)
    assert told(fills) == [("marketable", side, 10, Decimal(price))]
    assert fills[0].commission == Decimal("1.00")
    assert (fills[0].strike, fills[0].multiplier) == (None, 1)
    assert exchange.ended(order.ref)


def test_what_stands_at_the_touch_is_all_there_is_at_an_instant(exchange: SpreadExchange) -> None:
    order = intent(PriceStyle.MARKETABLE, "472.36", quantity=30)
    exchange.place(order, order.limit, START)
    assert [fill.quantity for fill in exchange.match_due(START)] == [12]
    assert exchange.works(order.ref)
    assert [fill.quantity for fill in exchange.play(at(5), SESSION)] == [12]
    assert [fill.quantity for fill in exchange.play(at(10), SESSION)] == [6]
    assert exchange.ended(order.ref)


def test_an_entry_ends_with_its_minute(market: HandMarket, exchange: SpreadExchange) -> None:
    market.quotes[SPY] = (474.0, 475.0)
    order = intent(PriceStyle.MARKETABLE, "472.36")
    exchange.place(order, order.limit, START)
    assert exchange.match_due(START) == exchange.play(at(55), SESSION) == []
    market.quotes[SPY] = (470.0, 470.1)
    assert exchange.play(at(60), SESSION) == []
    assert exchange.ended(order.ref)


def test_an_order_at_the_market_takes_the_touch(exchange: SpreadExchange) -> None:
    order = intent(PriceStyle.MARKET, "470.00", leg=SHORT)
    exchange.place(order, order.limit, START)
    assert told(exchange.match_due(START)) == [("market", Action.BUY, 10, Decimal("470.01"))]


@pytest.mark.parametrize(
    ("leg", "trade", "sides", "fill"),
    [
        (LONG, 467.9, (468.5, 468.6), (Action.SELL, "468.00")),
        (LONG, 467.9, (467.2, 467.3), (Action.SELL, "467.20")),
        (SHORT, 472.1, (471.0, 471.1), (Action.BUY, "472.00")),
        (SHORT, 472.1, (473.0, 473.1), (Action.BUY, "473.10")),
    ],
)
def test_a_stop_is_set_off_by_a_trade_and_never_does_better_than_its_level(
    market: HandMarket,
    exchange: SpreadExchange,
    leg: PlainLeg,
    trade: float,
    sides: tuple[float, float],
    fill: tuple[Action, str],
) -> None:
    order = intent(PriceStyle.STOP, "468.00" if leg is LONG else "472.00", leg=leg)
    exchange.place(order, order.limit, START)
    assert exchange.match_due(START) == []
    assert exchange.play(at(5), SESSION) == []
    market.tape[SPY] = [Print(at(7), trade, 5.0)]
    market.quotes[SPY] = sides
    side, price = fill
    assert told(exchange.play(at(10), SESSION)) == [("stop", side, 10, Decimal(price))]


def test_trades_from_before_it_came_set_no_stop_off(market: HandMarket, exchange: SpreadExchange) -> None:
    market.tape[SPY] = [Print(at(3), 460.0, 5.0)]
    exchange.play(START, SESSION)
    order = intent(PriceStyle.STOP, "468.00")
    exchange.place(order, order.limit, at(5))
    assert exchange.match_due(at(5)) == exchange.play(at(10), SESSION) == []


def pair(exchange: SpreadExchange, quantity: int = 10) -> tuple[OrderIntent, OrderIntent]:
    stop, target = intent(PriceStyle.STOP, "468.00", quantity), intent(PriceStyle.TARGET, "472.00", quantity)
    for order in (stop, target):
        exchange.place(order, order.limit, START)
    assert exchange.match_due(START) == []
    return stop, target


def test_a_target_that_rests_is_met_at_its_own_price(market: HandMarket, exchange: SpreadExchange) -> None:
    stop, target = pair(exchange)
    market.quotes[SPY] = (472.5, 472.6)
    assert told(exchange.play(at(5), SESSION)) == [("target", Action.SELL, 10, Decimal("472.00"))]
    assert exchange.ended(target.ref)
    assert exchange.ended(stop.ref), "its group has nothing left"


def test_a_part_of_one_takes_the_same_part_off_the_other(market: HandMarket, exchange: SpreadExchange) -> None:
    stop, target = pair(exchange, 40)
    market.quotes[SPY] = (472.5, 472.6)
    assert told(exchange.play(at(5), SESSION)) == [("target", Action.SELL, 10, Decimal("472.00"))]
    assert (exchange.size(target.ref), exchange.size(stop.ref)) == (40, 30)
    market.quotes[SPY] = (467.0, 467.1)
    market.tape[SPY] = [Print(at(7), 467.5, 1.0)]
    assert told(exchange.play(at(10), SESSION)) == [("stop", Action.SELL, 10, Decimal("467.00"))]
    assert (exchange.size(target.ref), exchange.size(stop.ref)) == (30, 30)


def test_a_cancel_ends_the_whole_group(exchange: SpreadExchange) -> None:
    stop, target = pair(exchange)
    exchange.cancel(stop.ref, at(5))
    assert exchange.match_due(at(5)) == []
    assert exchange.ended(stop.ref)
    assert exchange.ended(target.ref)


def test_another_size_goes_on_and_another_price_starts_afresh(market: HandMarket, exchange: SpreadExchange) -> None:
    order = intent(PriceStyle.TARGET, "472.00", 40)
    exchange.place(order, order.limit, START, 20)
    assert exchange.match_due(START) == []
    exchange.place(order, order.limit, at(5), 40)
    market.quotes[SPY] = (472.5, 472.6)
    assert told(exchange.match_due(at(5))) == [("target", Action.SELL, 10, Decimal("472.00"))], "it has rested before"
    exchange.place(order, Decimal("471.00"), at(10), 40)
    assert told(exchange.match_due(at(10))) == [("target", Action.SELL, 10, Decimal("472.5"))], "it crosses anew"


steps = st.lists(
    st.tuples(st.integers(46_000, 48_000), st.integers(1, 30), st.sampled_from([None, "size", "cancel"])), max_size=30
)


@some_hundred
@given(st.integers(1, 60), st.sampled_from([LONG, SHORT]), steps)
def test_a_group_never_closes_more_than_is_held(
    held: int, leg: PlainLeg, moves: list[tuple[int, int, str | None]]
) -> None:
    market = HandMarket()
    exchange = SpreadExchange(market, Charges(FillRules(), Plan.FIXED, timedelta()))
    below, above = ("468.00", "472.00") if leg.ratio > 0 else ("472.00", "468.00")
    stop, target = intent(PriceStyle.STOP, below, held, leg), intent(PriceStyle.TARGET, above, held, leg)
    for order in (stop, target):
        exchange.place(order, order.limit, START)
    fills = exchange.match_due(START)
    for number, (cents, size, act) in enumerate(moves, 1):
        now, price = at(5 * number), cents / 100
        market.quotes[SPY], market.sizes[SPY] = (price - 0.01, price + 0.01), (float(size), float(size))
        market.tape[SPY] = [*market.tape.get(SPY, []), Print(now - timedelta(seconds=2), price, float(size))]
        fills += exchange.play(now, SESSION)
        closed = {order.ref: sum(fill.quantity for fill in fills if fill.ref == order.ref) for order in (stop, target)}
        left = held - sum(closed.values())
        for order in (stop, target) if act == "size" and left else ():
            if exchange.works(order.ref):  # as the desk does: what it has closed, and what is held
                exchange.place(order, order.limit, now, closed[order.ref] + left)
        if act == "cancel" and exchange.works(stop.ref):
            exchange.cancel(stop.ref, now)
        fills += exchange.match_due(now)
    total = sum(fill.quantity for fill in fills)
    assert total <= held
    assert total == held or exchange.works(stop.ref) == exchange.works(target.ref)
