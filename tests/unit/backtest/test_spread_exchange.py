from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from tests.support.paper_world import DAYS, SESSIONS, START, HandMarket, option_id

from htbot.backtest.spread_exchange import Charges, SpreadExchange
from htbot.domain.instruments import Right
from htbot.domain.orders import Action, OrderIntent, PriceStyle, Purpose
from htbot.domain.signals import SpreadLeg
from htbot.matching.fees import Plan
from htbot.matching.view import FillRules

SESSION = SESSIONS.all()[0]
SHORT, LONG = option_id(4700, Right.PUT), option_id(4675, Right.PUT)
LEGS = (
    SpreadLeg(SHORT, "SPX", DAYS[0], Decimal(4700), Right.PUT, -1),
    SpreadLeg(LONG, "SPX", DAYS[0], Decimal(4675), Right.PUT, 1),
)


def intent(quantity: int = 1, good_till_s: float | None = 60, action: Action = Action.BUY) -> OrderIntent:
    return OrderIntent(
        ref=f"ref-{action}",
        trade_id="trade-1",
        strategy="spx_breakout",
        account="DU1",
        session=DAYS[0],
        purpose=Purpose.ENTRY if action is Action.BUY else Purpose.EXIT,
        action=action,
        symbol="SPX",
        quantity=quantity,
        legs=LEGS,
        limit=Decimal("-3.00"),
        worst_limit=Decimal("-1.00"),
        tick=Decimal("0.05"),
        style=PriceStyle.LADDER,
        created_at=START,
        good_till=None if good_till_s is None else START + timedelta(seconds=good_till_s),
    )


@pytest.fixture
def market() -> HandMarket:
    """The spread is sold for 3.00 - 1.20 = 1.80 and bought back for 3.20 - 1.00 = 2.20."""
    made = HandMarket()
    made.quotes[SHORT], made.quotes[LONG] = (3.0, 3.2), (1.0, 1.2)
    return made


@pytest.fixture
def open_at(market: HandMarket) -> Callable[..., SpreadExchange]:
    def make(latency_s: float = 0.0, plan: Plan = Plan.FIXED) -> SpreadExchange:
        return SpreadExchange(market, Charges(FillRules(), plan, timedelta(seconds=latency_s)))

    return make


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def test_it_fills_at_the_natural_price_when_that_is_within_the_limit(open_at: Callable[..., SpreadExchange]) -> None:
    exchange, order = open_at(), intent()
    exchange.place(order, Decimal("-2.00"), at(0))
    assert exchange.match_due(at(0)) == []
    assert exchange.works(order.ref)
    assert exchange.play(at(5), SESSION) == []

    exchange.place(order, Decimal("-1.80"), at(5))
    fills = exchange.match_due(at(5))

    told = [(fill.con_id, fill.side, fill.price, fill.quantity, fill.executed_at) for fill in fills]
    assert told == [
        (SHORT, Action.SELL, Decimal("3.00"), 1, at(5)),
        (LONG, Action.BUY, Decimal("1.20"), 1, at(5)),
    ]
    assert [fill.commission for fill in fills] == [Decimal("1.23"), Decimal("1.23")]
    assert exchange.ended(order.ref)
    assert exchange.working == []


def test_an_exit_pays_the_natural_price(open_at: Callable[..., SpreadExchange]) -> None:
    exchange, order = open_at(), intent(good_till_s=None, action=Action.SELL)
    exchange.place(order, Decimal("-2.25"), at(0))
    fills = exchange.match_due(at(0))
    assert [(fill.side, fill.price) for fill in fills] == [
        (Action.BUY, Decimal("3.20")),
        (Action.SELL, Decimal("1.00")),
    ]


def test_a_large_order_fills_in_parts_and_pays_its_commission_once(
    market: HandMarket, open_at: Callable[..., SpreadExchange]
) -> None:
    market.sizes[SHORT] = (4.0, 9.0)
    exchange, order = open_at(), intent(quantity=6)
    exchange.place(order, Decimal("-1.80"), at(0))
    first, same, second = exchange.match_due(at(0)), exchange.play(at(0), SESSION), exchange.play(at(5), SESSION)
    assert [fill.quantity for fill in first] == [4, 4]
    assert same == [], "nobody takes the same touch twice"
    assert [fill.quantity for fill in second] == [2, 2]
    assert sum((fill.commission or Decimal(0) for fill in (*first, *second)), Decimal(0)) == 12 * Decimal("1.23")
    assert exchange.ended(order.ref)


def test_what_is_good_till_a_time_ends_then_before_it_looks(
    market: HandMarket, open_at: Callable[..., SpreadExchange]
) -> None:
    exchange, order = open_at(), intent(good_till_s=10)
    exchange.place(order, Decimal("-2.50"), at(0))
    exchange.match_due(at(0))
    assert exchange.working == [at(10)]
    market.quotes[SHORT] = (9.0, 9.2)
    assert exchange.play(at(10), SESSION) == []
    assert exchange.ended(order.ref)


def test_the_close_ends_every_order(market: HandMarket, open_at: Callable[..., SpreadExchange]) -> None:
    exchange, order = open_at(), intent(good_till_s=None, action=Action.SELL)
    exchange.place(order, Decimal("-0.50"), at(0))
    exchange.match_due(at(0))
    market.quotes[SHORT] = (0.1, 0.2)
    assert exchange.play(SESSION.closes, SESSION) == []
    assert exchange.ended(order.ref)
    exchange.begin()
    assert exchange.arrivals == []


def test_a_cancel_ends_it(open_at: Callable[..., SpreadExchange]) -> None:
    exchange, order = open_at(), intent()
    exchange.place(order, Decimal("-2.50"), at(0))
    exchange.match_due(at(0))
    exchange.cancel(order.ref, at(0))
    assert exchange.match_due(at(0)) == []
    assert exchange.ended(order.ref)


def test_messages_take_their_time(open_at: Callable[..., SpreadExchange]) -> None:
    exchange, order = open_at(latency_s=3), intent()
    exchange.place(order, Decimal("-2.50"), at(0))
    assert exchange.match_due(at(0)) == []
    assert not exchange.works(order.ref)
    assert exchange.arrivals == [at(3)]
    assert exchange.play(at(3), SESSION) == []
    exchange.place(order, Decimal("-1.80"), at(5))
    assert exchange.play(at(5), SESSION) == []
    assert len(exchange.play(at(8), SESSION)) == 2


def test_nothing_fills_in_a_halt_or_outside_of_the_session(
    market: HandMarket, open_at: Callable[..., SpreadExchange]
) -> None:
    exchange, order = open_at(), intent(good_till_s=None)
    market.halts.add(LONG)
    exchange.place(order, Decimal("-1.80"), at(0))
    assert exchange.match_due(at(0)) == []
    market.halts.clear()
    assert exchange.play(SESSION.opens - timedelta(seconds=1), SESSION) == []
    assert len(exchange.play(at(5), SESSION)) == 2


def test_the_tiered_plan_costs_its_own(open_at: Callable[..., SpreadExchange]) -> None:
    fixed, tiered = open_at(), open_at(plan=Plan.TIERED)
    costs = []
    for exchange in (fixed, tiered):
        exchange.place(intent(), Decimal("-1.80"), at(0))
        costs.append([fill.commission for fill in exchange.match_due(at(0))])
    assert costs[0] != costs[1]
