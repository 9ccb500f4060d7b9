"""Partial fills, immediate orders, commissions, corrections, what-ifs, and who hears of them."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest
from ib_async import Contract, LimitOrder, MarketOrder, Order, Stock, StopOrder
from tests.support.paper_desk import Messages, PaperDesk, errors, of_kind, statuses
from tests.support.paper_world import SPY, HandMarket, option_id
from tests.support.tws_client import spread

from htbot.domain.instruments import Right
from htbot.matching.view import FillRules
from htbot.paper.book.book import BookRules
from htbot.paper.limits import ClientRules
from htbot.paper.wire.order_fields import OPEN_ORDER
from htbot.paper.wire.tables import decode

STOCK = Stock("SPY", "SMART", "USD")
LONG, SHORT = option_id(4675, Right.PUT), option_id(4700, Right.PUT)
BAG = spread((SHORT, "SELL"), (LONG, "BUY"))
PARTIAL = BookRules(FillRules())


@pytest.fixture
def thin(make_desk: Callable[..., PaperDesk]) -> PaperDesk:
    """A desk at which an order gets no more than what stands at the touch: twelve at the ask."""
    return make_desk(book=PARTIAL)


def columns(messages: Messages, kind: int, *indices: int) -> list[tuple[str, ...]]:
    return [tuple(fields[index] for index in indices) for fields in of_kind(messages, kind)]


def test_part_fills_count_up(thin: PaperDesk, market: HandMarket) -> None:
    client = thin.client()
    client.place(1, STOCK, LimitOrder("BUY", 20, 470.05))
    first = client.ask(49, 1)
    assert columns(first, 3, 2, 3, 4, 5, 8) == [("Submitted", "12", "8", "470.01", "470.01")]
    assert columns(first, 11, 19, 20, 24, 25) == [("12", "470.01", "12", "470.01")]
    market.quotes[SPY] = (470.01, 470.05)
    second = client.ask(49, 1)
    assert columns(second, 3, 2, 3, 4, 5, 8) == [("Filled", "20", "0", "470.026", "470.05")]
    assert columns(second, 11, 19, 20, 24, 25) == [("8", "470.05", "20", "470.026")]
    state = decode(OPEN_ORDER, of_kind(second, 5)[0][1:], 178)
    assert (state["status"], state["commission"], state["commissionCurrency"]) == ("Filled", "1", "USD")
    fees = [fields[3] for fields in of_kind([*first, *second], 59)]
    assert sum(map(Decimal, fees)) == 1
    assert [fields[0] for fields in second if fields[0] in {"11", "5", "3", "59"}] == ["11", "5", "3", "59"]


def test_liquidity_is_taken_or_added(desk: PaperDesk, market: HandMarket) -> None:
    client = desk.client()
    client.place(1, STOCK, MarketOrder("BUY", 1))
    assert columns(client.ask(49, 1), 11, 30) == [("2",)]
    client.place(2, STOCK, LimitOrder("SELL", 1, 471))
    client.ask(49, 1)
    market.quotes[SPY] = (471.5, 471.6)
    assert columns(client.ask(49, 1), 11, 20, 30) == [("471", "1")]


@pytest.mark.parametrize(
    ("order", "states", "filled"),
    [
        (LimitOrder("BUY", 20, 470.05, tif="IOC"), ["Submitted", "Cancelled"], 12),
        (LimitOrder("BUY", 20, 470.05, tif="FOK"), ["Cancelled"], 0),
        (LimitOrder("BUY", 12, 470.05, tif="FOK"), ["Filled"], 12),
        (LimitOrder("BUY", 20, 470.05, allOrNone=True), [], 0),
        (LimitOrder("BUY", 20, 470.05, minQty=15), [], 0),
        (Order(action="BUY", totalQuantity=20, orderType="MTL"), ["Submitted"], 12),
    ],
)
def test_orders_that_want_it_at_once_or_whole(thin: PaperDesk, order: Order, states: list[str], filled: int) -> None:
    client = thin.client()
    client.place(1, STOCK, order)
    messages = client.ask(49, 1)
    assert statuses(messages) == states
    assert sum(execution.quantity for execution in thin.gateway.book.executions) == filled
    assert [one.filled for one in thin.gateway.book.orders()] == [filled]


def test_two_orders_do_not_take_the_same_shares(thin: PaperDesk) -> None:
    client = thin.client()
    client.place(1, STOCK, MarketOrder("BUY", 10))
    client.place(2, STOCK, MarketOrder("BUY", 10))
    assert columns(client.ask(49, 1), 11, 2, 19) == [("1", "10"), ("2", "2")]


def test_a_combination_fills_in_parts_with_every_leg(thin: PaperDesk, market: HandMarket) -> None:
    market.quotes[SHORT], market.quotes[LONG] = (8.1, 8.2), (3.3, 3.4)
    client = thin.client()
    client.place(1, BAG, LimitOrder("BUY", 15, -4.5))
    first = client.ask(49, 1)
    assert columns(first, 3, 2, 3, 4) == [("Submitted", "10", "5")]
    assert [row[0] for row in columns(first, 11, 19)] == ["10", "10", "10"]
    second = client.ask(49, 1)
    assert columns(second, 3, 2, 3, 4) == [("Filled", "15", "0")]
    assert columns(second, 11, 24) == [("15",), ("15",), ("15",)]
    assert len({fields[2] for fields in of_kind([*first, *second], 59)}) == 4


def test_shares_with_an_option_are_priced_by_the_share(desk: PaperDesk) -> None:
    write = spread((SPY, "BUY"), (option_id(470, Right.CALL, symbol="SPY"), "SELL"), symbol="SPY")
    write.comboLegs[0].ratio = 100
    client = desk.client()
    assert statuses(client.place(1, write, LimitOrder("BUY", 1, 469)))[-1] == "Submitted"
    client.place(2, write, LimitOrder("BUY", 1, 469.01))
    whole, *legs = columns(client.ask(49, 1), 11, 18, 19, 20)
    assert whole == ("BOT", "1", "469.01")
    assert legs == [("BOT", "100", "470.01"), ("SLD", "1", "1")]


def test_commissions_may_come_later(make_desk: Callable[..., PaperDesk]) -> None:
    client = make_desk(book=BookRules(FillRules(sizes_limit=False), commission_delay_s=60)).client()
    client.place(1, STOCK, MarketOrder("BUY", 1))
    client.place(2, STOCK, LimitOrder("BUY", 1, 400))
    fill = client.ask(49, 1)
    assert (len(of_kind(fill, 11)), of_kind(fill, 59)) == (1, [])
    later: Messages = []
    for _ in range(12):
        later += client.ask(49, 1)
    assert len(of_kind(later, 59)) == 1
    assert int(later[-1][2]) >= int(fill[-1][2]) + 60


def test_a_correction_keeps_the_id_but_its_last_part(desk: PaperDesk) -> None:
    client = desk.client()
    client.place(1, STOCK, MarketOrder("BUY", 10))
    client.ask(49, 1)
    gateway = desk.gateway
    [wrong] = gateway.book.executions
    gateway.book.correct(wrong.exec_id, Decimal("470.00"), Decimal(8))
    gateway.turn_done()
    messages = client.take()
    assert [fields[0] for fields in messages[:4]] == ["11", "5", "3", "59"]
    assert wrong.exec_id.endswith(".01")
    assert columns(messages, 11, 14, 19, 20) == [(f"{wrong.exec_id[:-2]}02", "8", "470")]
    assert columns(messages, 3, 3, 4, 5) == [("8", "2", "470")]
    account = gateway.ledger.accounts[gateway.accounts[0]]
    assert account.cash_usd == Decimal(100_000) - 8 * 470 - 1
    desk.kill_and_open()
    assert [row.exec_id[-2:] for row in desk.gateway.book.executions] == ["02"]
    desk.gateway.book.correct(wrong.exec_id, Decimal(470), Decimal(0))
    assert desk.gateway.ledger.accounts[gateway.accounts[0]].cash_usd == 100_000


@pytest.mark.parametrize("quantity", [-1, 11])
def test_a_correction_out_of_bounds_is_refused(desk: PaperDesk, quantity: int) -> None:
    client = desk.client()
    client.place(1, STOCK, MarketOrder("BUY", 10))
    client.ask(49, 1)
    [execution] = desk.gateway.book.executions
    with pytest.raises(ValueError, match="only a single contract"):
        desk.gateway.book.correct(execution.exec_id, execution.price, Decimal(quantity))


@pytest.mark.parametrize(
    ("contract", "order"),
    [
        (STOCK, MarketOrder("BUY", 10)),
        (STOCK, StopOrder("BUY", 10, 480)),
        (STOCK, Order(action="BUY", totalQuantity=10, orderType="TRAIL", auxPrice=1)),
        (Contract(conId=LONG, exchange="SMART"), LimitOrder("BUY", 1, 1.2)),
        (BAG, LimitOrder("BUY", 1, -4.5)),
    ],
)
def test_a_what_if_is_one_open_order_and_nothing_else(desk: PaperDesk, contract: Contract, order: Order) -> None:
    client = desk.client()
    order.whatIf = True
    messages = client.place(1, contract, order)
    assert [fields[0] for fields in messages] == ["5"]
    assert list(desk.gateway.book.orders()) == []
    assert client.ask(8, 1, 1) == [["9", "1", "1"]]


def test_the_master_client_hears_of_every_order(make_desk: Callable[..., PaperDesk]) -> None:
    desk = make_desk(clients=ClientRules(master_client_id=9))
    master, client, other = desk.client(9, stepped=False), desk.client(1), desk.client(2, stepped=False)
    client.place(1, STOCK, MarketOrder("BUY", 1))
    client.ask(49, 1)
    heard = master.take()
    assert {fields[0] for fields in heard} >= {"5", "3", "11", "59"}
    assert {fields[9] for fields in of_kind(heard, 3)} == {"1"}
    assert {fields[0] for fields in other.take()} & {"5", "3", "11", "59"} == set()


def test_an_algo_is_echoed_and_works_as_the_plain_order(desk: PaperDesk) -> None:
    client = desk.client()
    order = LimitOrder("BUY", 1, 480, algoStrategy="Adaptive")
    order.algoParams = [type("Tag", (), {"tag": "adaptivePriority", "value": "Patient"})()]
    messages = client.place(1, STOCK, order)
    assert statuses(messages) == ["PreSubmitted", "Submitted"]
    assert all("adaptivePriority" in fields and "Patient" in fields for fields in of_kind(messages, 5))
    assert errors(client.place(1, STOCK, LimitOrder("BUY", 1, 479))) == [(1, 440)]
    assert statuses(client.ask(49, 1)) == ["Filled"]


def test_a_filled_order_cannot_be_modified(desk: PaperDesk) -> None:
    client = desk.client()
    client.place(1, STOCK, MarketOrder("BUY", 1))
    client.ask(49, 1)
    assert errors(client.place(1, STOCK, MarketOrder("BUY", 2))) == [(1, 104)]
    assert errors(client.place(1, STOCK, MarketOrder("SELL", 1))) == [(1, 103)]
    assert errors(client.ask(4, 1, 1, "")) == [(1, 10148)]


def test_an_order_is_not_made_smaller_than_its_fills(thin: PaperDesk) -> None:
    client = thin.client()
    client.place(1, STOCK, LimitOrder("BUY", 20, 470.01))
    client.ask(49, 1)
    assert errors(client.place(1, STOCK, LimitOrder("BUY", 12, 470.01))) == [(1, 105)]
    messages = client.place(1, STOCK, LimitOrder("BUY", 14, 470.01))
    assert columns(messages, 3, 2, 3, 4) == [("Submitted", "12", "2")]
    assert columns(client.ask(49, 1), 3, 2) == []  # the touch of this instant is taken
    assert columns(client.ask(49, 1), 3, 2) == [("Filled",)]


def test_a_limit_may_become_a_stop(desk: PaperDesk) -> None:
    client = desk.client()
    client.place(1, STOCK, LimitOrder("BUY", 1, 400))
    messages = client.place(1, STOCK, StopOrder("BUY", 1, 480))
    assert columns(messages, 3, 2, 10) == [("PreSubmitted", "trigger")]
