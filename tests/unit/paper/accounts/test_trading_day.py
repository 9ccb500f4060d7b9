from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from ib_async import Contract, ExecutionCondition, LimitOrder, MarketOrder, PriceCondition, Stock
from tests.support.paper_desk import PaperDesk, errors, market_times, of_kind, statuses
from tests.support.paper_world import DAYS, SESSIONS, SPY, HandMarket, option_id
from tests.support.tws_client import RawClient, spread

from htbot.domain.instruments import Right

STOCK = Stock("SPY", "SMART", "USD")
CLOSE = SESSIONS.all()[0].closes


@pytest.fixture
def late(make_desk: Callable[..., PaperDesk], market: HandMarket) -> PaperDesk:
    """A minute before the first session's close."""
    market.start = CLOSE - timedelta(minutes=1)
    return make_desk(cash_usd=Decimal(1_000_000))


def to_the_close(client: RawClient) -> list[list[str]]:
    while True:
        messages = client.ask(49, 1)
        if market_times(messages)[-1] >= CLOSE:
            return messages


def held(desk: PaperDesk) -> dict[int, int]:
    return {row.con_id: row.quantity for row in desk.gateway.ledger.held(desk.gateway.accounts[0])}


def test_day_orders_end_with_the_day_and_others_stay(late: PaperDesk) -> None:
    client = late.client()
    client.place(1, STOCK, LimitOrder("BUY", 1, 400))
    client.place(2, STOCK, LimitOrder("BUY", 1, 400, tif="GTC"))
    messages = to_the_close(client)
    assert statuses(messages) == ["Cancelled"]
    assert errors(messages) == [(1, 202)]
    assert [order.order_id for order in late.gateway.book.working] == [2]


def test_orders_for_a_contract_end_with_it(late: PaperDesk) -> None:
    client = late.client()
    over, later = option_id(4675, Right.PUT), option_id(4675, Right.PUT, DAYS[1])
    client.place(1, Contract(conId=over, exchange="SMART"), LimitOrder("BUY", 1, 0.05, tif="GTC"))
    client.place(2, Contract(conId=later, exchange="SMART"), LimitOrder("BUY", 1, 0.05, tif="GTC"))
    client.place(3, spread((over, "SELL"), (later, "BUY")), LimitOrder("BUY", 1, -50, tif="GTC"))
    messages = to_the_close(client)
    assert errors(messages) == [(1, 202), (3, 202)]
    assert [order.order_id for order in late.gateway.book.working] == [2]


def test_an_index_spread_settles_in_cash(late: PaperDesk, market: HandMarket) -> None:
    long, short = option_id(4675, Right.PUT), option_id(4700, Right.PUT)
    market.quotes[short], market.quotes[long] = (8.1, 8.2), (3.3, 3.4)
    market.settlements[DAYS[0]] = 4690.0
    client = late.client()
    client.place(1, spread((short, "SELL"), (long, "BUY")), MarketOrder("BUY", 1))
    client.ask(49, 1)
    assert held(late) == {long: 1, short: -1}
    messages = to_the_close(client)
    assert held(late) == {}
    prices = {int(fields[3]): fields[20] for fields in of_kind(messages, 11)}
    assert prices == {long: "0", short: "10"}
    cash = late.gateway.ledger.accounts[late.gateway.accounts[0]].cash_usd
    assert cash == Decimal(1_000_000) + 470 - 1000 - Decimal("2.46")


@pytest.mark.parametrize(
    ("right", "settled", "shares", "cash"),
    [(Right.CALL, 472.0, 100, -47_000), (Right.PUT, 468.0, -100, 47_000), (Right.CALL, 470.0, 0, 0)],
)
def test_a_stock_option_in_the_money_is_exercised_into_shares(
    late: PaperDesk, market: HandMarket, right: Right, settled: float, shares: int, cash: int
) -> None:
    con_id = option_id(470, right, symbol="SPY")
    market.settlements[DAYS[0]] = settled
    client = late.client()
    client.place(1, Contract(conId=con_id, secType="OPT", exchange="SMART"), MarketOrder("BUY", 1))
    client.ask(49, 1)
    before = late.gateway.ledger.accounts[late.gateway.accounts[0]].cash_usd
    to_the_close(client)
    assert held(late) == ({SPY: shares} if shares else {})
    assert late.gateway.ledger.accounts[late.gateway.accounts[0]].cash_usd - before == cash


def test_a_short_call_in_the_money_is_assigned(late: PaperDesk, market: HandMarket) -> None:
    call = option_id(470, Right.CALL, symbol="SPY")
    market.settlements[DAYS[0]] = 475.0
    client = late.client()
    client.place(1, STOCK, MarketOrder("BUY", 100))
    client.ask(49, 1)
    client.place(2, Contract(conId=call, secType="OPT", exchange="SMART"), MarketOrder("SELL", 1))
    client.ask(49, 1)
    assert held(late) == {SPY: 100, call: -1}
    messages = to_the_close(client)
    assert held(late) == {}
    assert {fields[2] for fields in of_kind(messages, 11)} == {"0"}


CALL = option_id(470, Right.CALL, symbol="SPY")


def exercise(client: RawClient, con_id: int, action: int, override: int = 0) -> list[list[str]]:
    return client.ask(21, 2, 7, con_id, "", "OPT", "", 0, "", "", "SMART", "USD", "", "", action, 1, "", override)


def with_a_call(desk: PaperDesk) -> RawClient:
    client = desk.client()
    client.place(1, Contract(conId=CALL, secType="OPT", exchange="SMART"), MarketOrder("BUY", 1))
    client.ask(49, 1)
    return client


@pytest.mark.parametrize(("action", "last"), [(1, 469.0), (2, 471.0)])
def test_what_makes_no_sense_needs_an_override(late: PaperDesk, market: HandMarket, action: int, last: float) -> None:
    market.quotes[SPY] = (last, last)
    client = with_a_call(late)
    client.ask(49, 1)
    assert errors(exercise(client, CALL, action)) == [(7, 322)]
    assert errors(exercise(client, CALL, action, override=1)) == []


def test_an_option_that_its_holder_lets_lapse_is_not_exercised(late: PaperDesk, market: HandMarket) -> None:
    market.settlements[DAYS[0]] = 480.0
    client = with_a_call(late)
    assert errors(exercise(client, CALL, 2, override=1)) == []
    assert held(late) == {CALL: 1}
    late.kill_and_open()
    to_the_close(late.client())
    assert held(late) == {}


@pytest.mark.parametrize(("con_id", "code"), [(SPY, 321), (option_id(465, Right.CALL, symbol="SPY"), 322)])
def test_what_cannot_be_exercised(late: PaperDesk, con_id: int, code: int) -> None:
    assert errors(exercise(with_a_call(late), con_id, 1)) == [(7, code)]


def test_an_index_option_waits_for_its_expiry(late: PaperDesk, market: HandMarket) -> None:
    con_id = option_id(4650, Right.CALL)
    client = late.client()
    client.place(1, Contract(conId=con_id, secType="OPT", exchange="SMART"), MarketOrder("BUY", 1))
    client.ask(49, 1)
    assert errors(exercise(client, con_id, 1)) == [(7, 322)]


def test_options_that_expire_later_stay(late: PaperDesk) -> None:
    con_id = option_id(4700, Right.CALL, DAYS[1])
    client = late.client()
    client.place(1, Contract(conId=con_id, secType="OPT", exchange="SMART"), MarketOrder("BUY", 1))
    client.ask(49, 1)
    to_the_close(client)
    assert held(late) == {con_id: 1}


def test_an_expiry_is_no_day_trade(late: PaperDesk, market: HandMarket) -> None:
    market.settlements[DAYS[0]] = 480.0
    to_the_close(with_a_call(late))
    assert held(late) == {SPY: 100}
    assert late.gateway.ledger.accounts[late.gateway.accounts[0]].day_trades == [0, 0]


def test_the_daily_profit_begins_again(late: PaperDesk, market: HandMarket) -> None:
    account = late.gateway.accounts[0]
    client = late.client()
    client.place(1, STOCK, MarketOrder("BUY", 100))
    client.ask(49, 1)
    assert late.gateway.valuer.value(account).daily == Decimal("-2.00")
    to_the_close(client)
    assert late.gateway.valuer.value(account).daily == 0
    market.quotes[SPY] = (471.0, 471.0)
    client.ask(49, 1)
    assert late.gateway.valuer.value(account).daily == Decimal("100.00")


def test_a_close_is_never_done_twice(late: PaperDesk) -> None:
    client = late.client()
    to_the_close(client)
    late.kill_and_open()
    again = late.client()
    again.place(1, STOCK, LimitOrder("BUY", 1, 400))
    messages = again.ask(49, 1)
    assert "Cancelled" not in statuses(messages)
    assert late.gateway.now == datetime(2024, 1, 2, 21, 0, tzinfo=UTC)


def to_the_end(client: RawClient) -> None:
    """Until the last session's close."""
    while market_times(client.ask(49, 1))[-1] < SESSIONS.all()[-1].closes:
        pass


def test_what_ended_on_an_earlier_day_is_forgotten(late: PaperDesk) -> None:
    client = late.client()
    client.place(1, STOCK, MarketOrder("BUY", 1))
    client.place(2, STOCK, LimitOrder("BUY", 1, 400, tif="GTC"))
    client.place(3, STOCK, MarketOrder("BUY", 1, transmit=False))
    client.place(4, STOCK, LimitOrder("SELL", 1, 900, tif="GTC", parentId=3))
    to_the_close(client)
    assert len(list(late.gateway.book.orders())) == 4
    assert len(late.gateway.book.executions) == 2
    to_the_end(client)
    assert [order.order_id for order in late.gateway.book.orders()] == [2, 3, 4]  # the filled parent has a live child
    assert late.gateway.book.executions == []
    assert errors(client.place(1, STOCK, MarketOrder("BUY", 1))) == [(1, 103)]
    assert errors(client.ask(4, 1, 1, "")) == [(1, 10147)]
    before = list(late.gateway.book.orders())
    late.kill_and_open()
    assert [order.perm_id for order in late.gateway.book.orders()] == [order.perm_id for order in before]
    assert late.gateway.book.executions == []


def test_executions_stay_while_a_condition_may_be_about_them(late: PaperDesk) -> None:
    client = late.client()
    condition = ExecutionCondition(secType="STK", exch="SMART", symbol="SPY")
    never = PriceCondition(price=1, isMore=False, conId=SPY, exch="SMART")
    client.place(1, STOCK, LimitOrder("BUY", 1, 400, tif="GTC", conditions=[condition, never]))
    client.place(2, STOCK, MarketOrder("BUY", 1))
    to_the_close(client)
    to_the_end(client)
    assert [execution.order_id for execution in late.gateway.book.executions] == [2]
