"""Orders that wait: for a price, a time, a condition, an opening, the close."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from ib_async import (
    Contract,
    ExecutionCondition,
    LimitOrder,
    MarginCondition,
    MarketOrder,
    Order,
    PercentChangeCondition,
    PriceCondition,
    Stock,
    StopLimitOrder,
    StopOrder,
    TimeCondition,
    VolumeCondition,
)
from tests.support.paper_desk import Messages, PaperDesk, errors, of_kind, statuses
from tests.support.paper_world import SPY, HandMarket, option_id
from tests.support.tws_client import RawClient

from htbot.domain.instruments import Right
from htbot.domain.sessions import NEW_YORK
from htbot.paper.wire.order_fields import OPEN_ORDER
from htbot.paper.wire.tables import decode

STOCK = Stock("SPY", "SMART", "USD")
PUT = Contract(conId=option_id(4675, Right.PUT), secType="OPT", exchange="SMART")


def held(messages: Messages) -> list[tuple[str, str]]:
    """Status and whyHeld of each orderStatus."""
    return [(fields[2], fields[10]) for fields in of_kind(messages, 3)]


def trail_stops(messages: Messages) -> list[str]:
    """`trailStopPrice` of each openOrder."""
    return [decode(OPEN_ORDER, fields[1:], 178)["trailStopPrice"] for fields in of_kind(messages, 5)]


def run_until(client: RawClient, at: datetime, limit: int = 100) -> Messages:
    """Step until the market time reaches an instant; everything that came."""
    found: Messages = []
    for _ in range(limit):
        fresh = client.ask(49, 1)
        found += fresh
        if any(fields[0] == "49" and int(fields[2]) >= at.timestamp() for fields in fresh):
            return found
    raise AssertionError("the time did not come")


def test_a_stop_is_held_until_the_last_price_reaches_it(desk: PaperDesk, market: HandMarket) -> None:
    client = desk.client()
    assert held(client.place(1, STOCK, StopOrder("SELL", 10, 469))) == [("PreSubmitted", "trigger")]
    client.ask(49, 1)
    market.quotes[SPY] = (468.9, 468.95)
    assert statuses(client.ask(49, 1)) == []
    market.last[SPY] = 469.0
    assert statuses(client.ask(49, 1)) == ["Submitted", "Filled"]
    [execution] = desk.gateway.book.executions
    assert (float(execution.price), execution.quantity) == (468.9, 10)


def test_a_set_off_stop_limit_is_submitted_and_rests(desk: PaperDesk, market: HandMarket) -> None:
    client = desk.client()
    client.place(1, STOCK, StopLimitOrder("SELL", 10, 468.95, 469))
    client.ask(49, 1)
    market.quotes[SPY], market.last[SPY] = (468.5, 468.6), 468.6
    messages = client.ask(49, 1)
    assert held(messages) == [("Submitted", "")]
    market.quotes[SPY] = (469.1, 469.2)
    [execution] = of_kind(client.ask(49, 1), 11)
    assert execution[20] == "468.95"


@pytest.mark.parametrize(
    ("amount", "first", "second"), [({"auxPrice": 2}, "468", "470"), ({"trailingPercent": 1}, "465.3", "467.28")]
)
def test_a_trailing_stop_moves_in_favour_only(
    desk: PaperDesk, market: HandMarket, amount: dict[str, float], first: str, second: str
) -> None:
    client = desk.client()
    order = Order(action="SELL", totalQuantity=10, orderType="TRAIL", **amount)
    assert trail_stops(client.place(1, STOCK, order)) == [first]
    assert trail_stops(client.ask(49, 1)) == []
    market.last[SPY], market.quotes[SPY] = 472.0, (471.99, 472.01)
    assert trail_stops(client.ask(49, 1)) == [second]
    market.last[SPY] = 471.0
    assert trail_stops(client.ask(49, 1)) == []
    desk.kill_and_open()
    [order] = desk.gateway.book.working
    assert order.progress.trail_stop == Decimal(second)


def test_good_after_time_holds(desk: PaperDesk) -> None:
    client = desk.client()
    at = desk.gateway.now + timedelta(seconds=60)
    order = LimitOrder("BUY", 1, 480, goodAfterTime=f"{at.astimezone(NEW_YORK):%Y%m%d %H:%M:%S} US/Eastern")
    assert held(client.place(1, STOCK, order)) == [("PreSubmitted", "")]
    messages = run_until(client, at)
    assert statuses(messages) == ["Submitted", "Filled"]


def test_a_later_time_or_another_condition_holds_a_working_order_again(desk: PaperDesk) -> None:
    client = desk.client()
    client.place(1, STOCK, LimitOrder("BUY", 1, 400))
    at = desk.gateway.now + timedelta(seconds=60)
    stamp = f"{at.astimezone(NEW_YORK):%Y%m%d %H:%M:%S} US/Eastern"
    assert held(client.place(1, STOCK, LimitOrder("BUY", 1, 480, goodAfterTime=stamp))) == [("PreSubmitted", "")]
    assert desk.gateway.book.executions == []
    assert statuses(run_until(client, at)) == ["Submitted", "Filled"]
    client.place(2, STOCK, LimitOrder("BUY", 1, 400))
    never = PriceCondition(conId=SPY, price=9999, isMore=True, exch="SMART")
    assert held(client.place(2, STOCK, LimitOrder("BUY", 1, 480, conditions=[never]))) == [("PreSubmitted", "")]


def test_a_condition_that_was_met_is_not_asked_again_by_a_new_price(desk: PaperDesk, market: HandMarket) -> None:
    client = desk.client()
    rising = PriceCondition(conId=SPY, price=471, isMore=True, exch="SMART")
    client.place(1, STOCK, LimitOrder("BUY", 1, 400, conditions=[rising]))
    client.ask(49, 1)
    market.last[SPY] = 471.5
    assert statuses(client.ask(49, 1)) == ["Submitted"]
    market.last[SPY] = 470.0
    client.ask(49, 1)
    assert statuses(client.place(1, STOCK, LimitOrder("BUY", 1, 401, conditions=[rising]))) == ["Submitted"]


def test_a_good_till_time_may_stand_without_a_date(desk: PaperDesk) -> None:
    client = desk.client()
    assert statuses(client.place(1, STOCK, LimitOrder("BUY", 1, 400, tif="GTD", goodTillDate="10:01:00"))) == [
        "PreSubmitted",
        "Submitted",
    ]
    messages = run_until(client, desk.gateway.now + timedelta(seconds=60))
    assert statuses(messages) == ["Cancelled"]
    assert errors(messages) == [(1, 202)]


@pytest.mark.parametrize(
    "conditions",
    [
        [PriceCondition(conId=SPY, price=471, isMore=True)],
        [PriceCondition(conId=SPY, price=471, isMore=True, triggerMethod=8)],
        [PercentChangeCondition(conId=PUT.conId, changePercent=50, isMore=True)],
        [PriceCondition(conId=SPY, price=471), TimeCondition(time="20240102 10:00:05 US/Eastern")],
        [TimeCondition(time="20240103 10:00:10 US/Eastern", conjunction="o"), PriceCondition(conId=SPY, price=471)],
    ],
)
def test_conditions_hold_until_they_are_true(desk: PaperDesk, market: HandMarket, conditions: list[object]) -> None:
    client = desk.client()
    order = MarketOrder("BUY", 1, conditions=conditions)
    assert held(client.place(1, STOCK, order)) == [("PreSubmitted", "")]
    assert statuses(client.ask(49, 1)) == []
    desk.kill_and_open()
    client = desk.client()
    market.quotes[SPY], market.last[SPY] = (471.4, 471.6), 471.5
    market.quotes[PUT.conId] = (1.9, 2.0)
    assert statuses(client.ask(49, 1)) == ["Submitted", "Filled"]


@pytest.mark.parametrize("value", ["NaN", "sNaN", "Infinity", "1e999999", "", "9" * 5000])
def test_a_condition_on_no_number_is_refused(desk: PaperDesk, value: str) -> None:
    client = desk.client()
    order = MarketOrder("BUY", 1, conditions=[PriceCondition(price=value, conId=SPY, exch="SMART")])
    assert errors(client.place(1, STOCK, order)) == [(1, 321)]
    assert desk.gateway.book.working == []


def test_conditions_are_not_without_number(desk: PaperDesk) -> None:
    many = [PriceCondition(price=1, conId=SPY, exch="SMART")] * 101
    assert errors(desk.client().place(1, STOCK, MarketOrder("BUY", 1, conditions=many))) == [(1, 321)]


def test_volume_and_margin_conditions_that_are_true_hold_nothing(desk: PaperDesk) -> None:
    client = desk.client()
    conditions = [VolumeCondition(conId=SPY, volume=50), MarginCondition(percent=30)]
    messages = client.place(1, STOCK, MarketOrder("BUY", 1, conditions=conditions))
    assert statuses(messages) == ["PreSubmitted", "Submitted"]


def test_an_execution_condition_waits_for_a_trade(desk: PaperDesk) -> None:
    client = desk.client()
    condition = ExecutionCondition(secType="STK", exch="SMART", symbol="SPY")
    client.place(1, STOCK, LimitOrder("SELL", 1, 400, conditions=[condition]))
    assert statuses(client.ask(49, 1)) == []
    client.place(2, STOCK, MarketOrder("BUY", 2))
    messages = client.ask(49, 1) + client.ask(49, 1)
    assert [fields[1] for fields in of_kind(messages, 3) if fields[2] == "Filled"] == ["2", "1"]


def test_a_condition_may_cancel(desk: PaperDesk, market: HandMarket) -> None:
    client = desk.client()
    order = LimitOrder("BUY", 1, 400, conditions=[PriceCondition(conId=SPY, price=471)], conditionsCancelOrder=True)
    assert statuses(client.place(1, STOCK, order)) == ["PreSubmitted", "Submitted"]
    client.ask(49, 1)
    market.last[SPY] = 472.0
    messages = client.ask(49, 1)
    assert (statuses(messages), errors(messages)) == (["Cancelled"], [(1, 202)])


@pytest.fixture
def late(make_desk: Callable[..., PaperDesk], market: HandMarket) -> PaperDesk:
    """A desk a minute before the close."""
    market.start = market.sessions.all()[0].closes - timedelta(minutes=1)
    return make_desk()


def test_day_orders_end_at_the_close_and_lasting_ones_survive(late: PaperDesk) -> None:
    client = late.client()
    client.place(1, STOCK, LimitOrder("BUY", 1, 400))
    client.place(2, STOCK, LimitOrder("BUY", 1, 400, tif="GTC"))
    client.place(3, STOCK, LimitOrder("BUY", 1, 400, tif="GTD", goodTillDate="20240103"))
    messages = run_until(client, late.market.sessions.all()[0].closes)
    assert [(fields[1], fields[2]) for fields in of_kind(messages, 3)] == [("1", "Cancelled")]
    assert [order.order_id for order in late.gateway.book.working] == [2, 3]


def test_market_and_limit_on_close_fill_in_the_closing_auction(late: PaperDesk, market: HandMarket) -> None:
    client = late.client()
    client.place(1, STOCK, Order(action="BUY", totalQuantity=5, orderType="MOC"))
    client.place(2, STOCK, Order(action="BUY", totalQuantity=5, orderType="LOC", lmtPrice=469))
    client.place(3, STOCK, Order(action="BUY", totalQuantity=5, orderType="LOC", lmtPrice=470))
    messages = run_until(client, market.sessions.all()[0].closes)
    assert [(fields[1], fields[2]) for fields in of_kind(messages, 3)] == [
        ("1", "Filled"),
        ("2", "Cancelled"),
        ("3", "Filled"),
    ]
    assert {execution.price for execution in late.gateway.book.executions} == {470}


def test_an_order_at_the_opening_fills_at_its_price_or_ends(
    make_desk: Callable[..., PaperDesk], market: HandMarket
) -> None:
    market.start = market.sessions.all()[0].opens - timedelta(minutes=1)
    client = make_desk().client()
    client.place(1, STOCK, MarketOrder("BUY", 5, tif="OPG"))
    client.place(2, STOCK, LimitOrder("BUY", 5, 469, tif="OPG"))
    messages = run_until(client, market.sessions.all()[0].opens)
    assert [(fields[1], fields[2]) for fields in of_kind(messages, 3)] == [("1", "Filled"), ("2", "Cancelled")]
    assert of_kind(messages, 11)[0][20] == "470"


def test_outside_regular_hours_only_what_asks_for_it_trades(
    make_desk: Callable[..., PaperDesk], market: HandMarket
) -> None:
    market.start = market.sessions.all()[0].opens - timedelta(minutes=1)
    client = make_desk().client()
    assert errors(client.place(1, STOCK, LimitOrder("BUY", 5, 480))) == [(1, 399)]
    assert errors(client.place(2, STOCK, LimitOrder("BUY", 5, 480, outsideRth=True))) == []
    assert [fields[1] for fields in of_kind(client.ask(49, 1), 11)] != []
    market_order = client.place(3, STOCK, MarketOrder("BUY", 5, outsideRth=True))
    assert [int(fields[3]) for fields in of_kind(market_order, 4)] == [2109, 399]
    assert [fields[0] for fields in market_order] == ["4", "5", "3", "4", "5", "3"]


def test_a_halted_contract_trades_nothing(desk: PaperDesk, market: HandMarket) -> None:
    market.halts.add(SPY)
    client = desk.client()
    client.place(1, STOCK, MarketOrder("BUY", 5))
    assert statuses(client.ask(49, 1)) == []
    market.halts.clear()
    assert "Filled" in statuses(client.ask(49, 1))


def test_an_amount_of_money_buys_what_it_pays_for_and_minutes_are_five(desk: PaperDesk) -> None:
    client = desk.client()
    order = Order(action="BUY", orderType="LMT", lmtPrice=400, cashQty=2100, tif="Minutes")
    assert [fields[4] for fields in of_kind(client.place(1, STOCK, order), 3)] == ["5", "5"]
    desk.market.quotes[SPY] = (300, 301)
    desk.kill_and_open()
    [order] = desk.gateway.book.working
    assert (order.quantity, order.ticket.quantity, order.echo["cashQty"]) == (5, 5, 2100)
    assert order.ticket.good_till == desk.gateway.now + timedelta(minutes=5)
    assert errors(desk.client().place(2, PUT, Order(action="BUY", orderType="MKT", cashQty=100))) == [(2, 10244)]
