from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from ib_async import (
    Contract,
    LimitOrder,
    MarketOrder,
    Order,
    PriceCondition,
    Stock,
    StopOrder,
    TagValue,
)
from tests.support.paper_desk import PaperDesk, errors, of_kind, statuses
from tests.support.paper_world import SPX, SPY, HandMarket, option_id
from tests.support.tws_client import spread

from htbot.domain.instruments import Right

LONG, SHORT = option_id(4675, Right.PUT), option_id(4700, Right.PUT)
BAG = spread((SHORT, "SELL"), (LONG, "BUY"))
HUGE = spread((SHORT, "SELL"), (LONG, "BUY"))
HUGE.comboLegs[0].ratio = 2**53
STOCK = Stock("SPY", "SMART", "USD")
PUT = Contract(conId=LONG, secType="OPT", exchange="SMART")


@pytest.mark.parametrize(
    ("contract", "order", "code"),
    [
        (STOCK, LimitOrder("BUY", 10, 400.005), 110),
        (BAG, LimitOrder("BUY", 1, -4.72), 110),
        (STOCK, LimitOrder("BUY", 0, 400), 434),
        (HUGE, LimitOrder("BUY", 1, -4.7), 321),
        (STOCK, LimitOrder("BUY", 1.5, 400), 10243),
        (STOCK, LimitOrder("BUY", 1, -1), 201),
        (STOCK, Order(action="SELL", totalQuantity=1, orderType="PEG BENCH"), 387),
        (BAG, Order(action="SELL", totalQuantity=1, orderType="MOC"), 387),
        (STOCK, StopOrder("SELL", 1, 0), 403),
        (STOCK, StopOrder("SELL", 1, 400.005), 110),
        (STOCK, Order(action="SELL", totalQuantity=1, orderType="TRAIL"), 158),
        (STOCK, Order(action="SELL", totalQuantity=1, orderType="MIT"), 361),
        (STOCK, Order(action="SELL", totalQuantity=1, orderType="MOC", tif="GTC"), 113),
        (STOCK, StopOrder("SELL", 1, 400, tif="OPG"), 111),
        (STOCK, StopOrder("SELL", 1, 400, triggerMethod=5), 146),
        (STOCK, LimitOrder("BUY", 1, 400, whatIf=True, transmit=False), 413),
        (STOCK, LimitOrder("BUY", 10, 400, blockOrder=True), 117),
        (STOCK, LimitOrder("BUY", 10, 400, displaySize=11), 10020),
        (STOCK, LimitOrder("BUY", 10, 400, cashQty=100), 321),
        (STOCK, LimitOrder("HOLD", 1, 400), 321),
        (STOCK, LimitOrder("BUY", 1, 400, account="DU0"), 321),
        (STOCK, LimitOrder("BUY", 1, 400, tif="GTD"), 391),
        (STOCK, LimitOrder("BUY", 1, 400, tif="WEEK"), 321),
        (STOCK, LimitOrder("BUY", 1, 400, goodAfterTime="tomorrow"), 391),
        (STOCK, LimitOrder("BUY", 1, 400, parentId=3), 135),
        (STOCK, LimitOrder("BUY", 1, 400, ocaType=9, ocaGroup="a"), 321),
        (STOCK, LimitOrder("BUY", 1, 400, hedgeType="D"), 201),
        (STOCK, LimitOrder("BUY", 1, 400, discretionaryAmt=0.1), 325),
        (STOCK, LimitOrder("BUY", 1, 400, algoStrategy="Guess"), 439),
        (STOCK, LimitOrder("BUY", 1, 400, algoStrategy="Twap", algoParams=[TagValue("speed", "1")]), 443),
        (STOCK, StopOrder("BUY", 1, 500, algoStrategy="Twap"), 442),
        (STOCK, LimitOrder("BUY", 1, 400, conditions=[PriceCondition(conId=99, price=1)]), 147),
        (Stock("NONE", "SMART", "USD"), LimitOrder("BUY", 1, 400), 200),
        (Contract(conId=SPX, secType="IND", exchange="CBOE"), LimitOrder("BUY", 1, 400), 201),
        (Contract(symbol="SPX", secType="OPT", exchange="SMART"), LimitOrder("BUY", 1, 1), 200),
        (spread((99, "BUY"), (LONG, "SELL")), LimitOrder("BUY", 1, 1), 200),
        (spread(), LimitOrder("BUY", 1, 1), 321),
        (spread((LONG, "BUY"), (LONG, "SELL")), LimitOrder("BUY", 1, 1), 321),
    ],
)
def test_what_is_not_accepted_leaves_no_order(desk: PaperDesk, contract: Contract, order: Order, code: int) -> None:
    client = desk.client()
    messages = client.place(1, contract, order)
    assert errors(messages) == [(1, code)]
    assert statuses(messages) == []
    assert desk.gateway.book.next_order_id(1) == 1


@pytest.mark.parametrize(
    ("contract", "order", "reason"),
    [
        (PUT, MarketOrder("SELL", 20), "FUNDS ARE INSUFFICIENT"),
        (spread((SHORT, "SELL"), (LONG, "SELL")), MarketOrder("BUY", 20), "FUNDS ARE INSUFFICIENT"),
        (BAG, LimitOrder("BUY", 1000, -4.70), "FUNDS ARE INSUFFICIENT"),
        (STOCK, LimitOrder("BUY", 1000, 470), "FUNDS ARE INSUFFICIENT"),
        (STOCK, LimitOrder("BUY", 1, 400, tif="GTD", goodTillDate="20240102 09:45:00 US/Eastern"), "in the past"),
    ],
)
def test_what_the_account_may_not_do_is_rejected(
    desk: PaperDesk, contract: Contract, order: Order, reason: str
) -> None:
    client = desk.client()
    messages = client.place(1, contract, order)
    assert errors(messages) == [(1, 201)]
    assert reason in of_kind(messages, 4)[0][4]
    assert statuses(messages) == ["Inactive"]
    assert desk.gateway.book.working == []
    assert client.place(1, STOCK, LimitOrder("BUY", 1, 400))[0][3] == "103"


def test_ids_rise_and_are_never_used_again(desk: PaperDesk) -> None:
    client = desk.client()
    assert of_kind(client.first, 9) == [["9", "1", "1"]]
    client.place(5, STOCK, LimitOrder("BUY", 1, 400))
    assert errors(client.place(3, STOCK, LimitOrder("BUY", 1, 400))) == [(3, 103)]
    client.ask(4, 1, 5, "")
    assert errors(client.place(5, STOCK, LimitOrder("BUY", 1, 400))) == [(5, 103)]
    assert client.ask(8, 1, 1) == [["9", "1", "6"]]
    assert of_kind(desk.client(2).first, 9) == [["9", "1", "1"]]


def test_a_modification_keeps_the_permanent_id(desk: PaperDesk) -> None:
    client = desk.client()
    first = of_kind(client.place(1, STOCK, LimitOrder("BUY", 10, 400)), 3)[-1][6]
    changed = client.place(1, STOCK, LimitOrder("BUY", 5, 401))
    assert {fields[6] for fields in of_kind(changed, 3)} == {first}
    assert of_kind(changed, 3)[-1][4] == "5"


@pytest.mark.parametrize(
    ("contract", "order", "code"),
    [
        (STOCK, LimitOrder("BUY", 10, 400.001), 110),
        (STOCK, LimitOrder("SELL", 10, 400), 105),
        (PUT, LimitOrder("BUY", 10, 1), 105),
        (STOCK, LimitOrder("BUY", 100_000, 400), 201),
    ],
)
def test_a_refused_modification_leaves_the_order_alive(
    desk: PaperDesk, contract: Contract, order: Order, code: int
) -> None:
    client = desk.client()
    client.place(1, STOCK, LimitOrder("BUY", 10, 400))
    messages = client.place(1, contract, order)
    assert errors(messages) == [(1, code)]
    assert ([fields[0] for fields in messages], statuses(messages)) == (["4", "5", "3"], ["Submitted"])
    [alive] = desk.gateway.book.working
    assert (alive.ticket.quantity, alive.ticket.limit) == (10, Decimal(400))


def test_cancel_says_why_it_cannot(desk: PaperDesk) -> None:
    client = desk.client()
    assert errors(client.ask(4, 1, 9, "")) == [(9, 10147)]
    client.place(1, STOCK, LimitOrder("BUY", 1, 400))
    cancelled = client.ask(4, 1, 1, "")
    assert statuses(cancelled) == ["PendingCancel", "Cancelled"]
    assert errors(cancelled) == [(1, 202)]
    assert errors(client.ask(4, 1, 1, "")) == [(1, 10148)]


def test_global_cancel_ends_the_orders_of_all(desk: PaperDesk) -> None:
    one, two = desk.client(1), desk.client(2)
    one.place(1, STOCK, LimitOrder("BUY", 1, 400))
    two.place(1, STOCK, LimitOrder("BUY", 1, 401))
    assert statuses(two.ask(58, 1)) == ["PendingCancel", "Cancelled"]
    assert statuses(one.take()) == ["PendingCancel", "Cancelled"]


def test_a_resting_limit_fills_when_the_market_trades_through_it(desk: PaperDesk, market: HandMarket) -> None:
    client = desk.client()
    client.place(1, STOCK, LimitOrder("BUY", 10, 469))
    assert statuses(client.ask(49, 1)) == []
    market.quotes[SPY] = (468.9, 468.95)
    filled = client.ask(49, 1)
    assert statuses(filled) == ["Filled"]
    [execution] = of_kind(filled, 11)
    assert (execution[18], execution[19], execution[20]) == ("BOT", "10", "469")


def test_the_reports_of_a_fill_come_in_order(desk: PaperDesk, market: HandMarket) -> None:
    market.quotes[SHORT], market.quotes[LONG] = (8.1, 8.2), (3.3, 3.4)
    client = desk.client()
    client.ask(61, 1)
    client.place(1, BAG, MarketOrder("BUY", 1))
    messages = client.ask(49, 1)
    assert [fields[0] for fields in messages] == ["11", "11", "11", "5", "3", "59", "59", "61", "61", "49"]
    assert {fields[2] for fields in of_kind(messages, 59)} == {fields[14] for fields in of_kind(messages, 11)[1:]}


def test_an_immediate_order_is_cancelled_when_it_cannot_trade(desk: PaperDesk) -> None:
    client = desk.client()
    client.place(1, STOCK, LimitOrder("BUY", 1, 400, tif="IOC"))
    messages = client.ask(49, 1)
    assert statuses(messages) == ["Cancelled"]
    assert errors(messages) == [(1, 202)]


def test_an_order_before_the_open_waits_for_it(make_desk: Callable[..., PaperDesk], market: HandMarket) -> None:
    market.start = market.sessions.all()[0].opens - timedelta(minutes=1)
    desk = make_desk()
    client = desk.client()
    messages = client.place(1, STOCK, MarketOrder("BUY", 1))
    assert [fields[0] for fields in messages] == ["5", "3", "4", "5", "3"]
    assert statuses(messages) == ["PreSubmitted", "PreSubmitted"]
    assert errors(messages) == [(1, 399)]
    assert statuses(client.ask(49, 1)) == []
    assert statuses(client.ask(49, 1)) == []
    assert statuses(client.ask(49, 1)) == ["Submitted", "Filled"]
    assert desk.gateway.now == market.sessions.all()[0].opens


def test_several_accounts_must_be_named(make_desk: Callable[..., PaperDesk]) -> None:
    client = make_desk(accounts=("DU1", "DU2")).client()
    assert errors(client.place(1, STOCK, LimitOrder("BUY", 1, 400))) == [(1, 435)]
    assert statuses(client.place(1, STOCK, LimitOrder("BUY", 1, 400, account="DU2"))) == ["PreSubmitted", "Submitted"]
