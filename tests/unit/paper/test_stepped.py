from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from ib_async import LimitOrder, MarketOrder, Stock
from tests.support.paper_desk import PaperDesk, market_times, of_kind, statuses
from tests.support.paper_world import SPX, SPY, START, HandMarket, option_id
from tests.support.tws_client import contract12, spread

from htbot.domain.instruments import Right

LONG, SHORT = option_id(4675, Right.PUT), option_id(4700, Right.PUT)
MARK = "49"


def test_the_first_marker_shows_the_present_instant(desk: PaperDesk) -> None:
    client = desk.client()
    assert market_times(client.first) == [START]
    assert client.first[-1][0] == MARK


def test_each_answer_brings_one_instant_and_one_marker_behind_its_data(desk: PaperDesk) -> None:
    client = desk.client()
    client.ask(1, 11, 5, *contract12(SPX, exchange="CBOE"), 0, "", 0, 0, "")
    messages = client.ask(49, 1)
    assert market_times(messages) == [datetime(2024, 1, 2, 15, 0, 30, tzinfo=UTC)]
    assert messages[-1][0] == MARK
    last = [fields for fields in messages if fields[:2] == ["1", "6"] and fields[3] == "4"]
    assert last == [["1", "6", "5", "4", "4700.3", "0", "0"]]


def test_time_stands_until_every_stepped_client_has_answered(desk: PaperDesk) -> None:
    one, two = desk.client(1), desk.client(2)
    assert one.ask(49, 1) == []
    assert market_times(two.ask(49, 1)) == market_times(one.take()) == [datetime(2024, 1, 2, 15, 0, 30, tzinfo=UTC)]


def test_a_client_that_leaves_is_not_waited_for(desk: PaperDesk) -> None:
    one, two = desk.client(1), desk.client(2)
    one.ask(49, 1)
    two.leave()
    assert market_times(one.take()) == [datetime(2024, 1, 2, 15, 0, 30, tzinfo=UTC)]


def test_a_plain_client_is_told_the_time_and_moves_nothing(desk: PaperDesk) -> None:
    client = desk.client(stepped=False)
    assert market_times(client.first) == []
    assert market_times(client.ask(49, 1)) == [START]
    assert desk.gateway.now == START


def test_orders_make_a_sub_step_at_the_same_instant(desk: PaperDesk, market: HandMarket) -> None:
    market.quotes[SHORT], market.quotes[LONG] = (8.1, 8.2), (3.3, 3.4)
    client = desk.client()
    bag = spread((SHORT, "SELL"), (LONG, "BUY"))
    acknowledged = client.place(1, bag, LimitOrder("BUY", 1, -4.70, orderRef="ref-1"))
    assert statuses(acknowledged) == ["PreSubmitted", "Submitted"]
    assert of_kind(acknowledged, 11) == []
    messages = client.ask(49, 1)
    assert market_times(messages) == [START]
    assert len(of_kind(messages, 11)) == 3
    assert market_times(client.ask(49, 1)) == [datetime(2024, 1, 2, 15, 0, 30, tzinfo=UTC)]


def test_while_an_order_works_there_is_an_instant_every_five_seconds(desk: PaperDesk) -> None:
    client = desk.client()
    client.place(1, Stock("SPY", "SMART", "USD"), LimitOrder("BUY", 10, 400))
    assert market_times(client.ask(49, 1)) == [START]
    assert market_times(client.ask(49, 1)) == [datetime(2024, 1, 2, 15, 0, 5, tzinfo=UTC)]
    client.ask(4, 1, 1, "")
    assert market_times(client.ask(49, 1)) == [datetime(2024, 1, 2, 15, 0, 5, tzinfo=UTC)]
    assert market_times(client.ask(49, 1)) == [datetime(2024, 1, 2, 15, 0, 30, tzinfo=UTC)]


def test_an_order_ends_at_its_good_till_second(desk: PaperDesk) -> None:
    client = desk.client()
    order = LimitOrder("BUY", 10, 400, tif="GTD", goodTillDate="20240102-15:00:08")
    client.place(1, Stock("SPY", "SMART", "USD"), order)
    times = [market_times(client.ask(49, 1))[0].second for _ in range(2)]
    messages = client.ask(49, 1)
    assert times == [0, 5]
    assert market_times(messages)[0].second == 8
    assert statuses(messages) == ["Cancelled"]
    assert [fields[3] for fields in of_kind(messages, 4)] == ["202"]


def test_requests_for_data_are_no_orders(desk: PaperDesk) -> None:
    client = desk.client()
    client.ask(20, 9, *contract12(SPY, exchange="SMART"), 0, "", "5 mins", "1 D", 1, "TRADES", 2, 0, "")
    assert market_times(client.ask(49, 1)) == [datetime(2024, 1, 2, 15, 0, 30, tzinfo=UTC)]


def test_at_the_end_of_the_world_no_marker_comes(desk: PaperDesk, market: HandMarket) -> None:
    market.end = datetime(2024, 1, 2, 15, 1, tzinfo=UTC)
    client = desk.client()
    client.ask(49, 1)
    assert market_times(client.ask(49, 1)) == [market.end]
    assert client.ask(49, 1) == []


def test_a_restart_shows_the_same_instant_again(desk: PaperDesk) -> None:
    client = desk.client()
    client.ask(49, 1)
    desk.kill_and_open()
    assert market_times(desk.client().first) == [datetime(2024, 1, 2, 15, 0, 30, tzinfo=UTC)]


def test_an_unmatched_order_is_matched_after_a_restart(desk: PaperDesk, market: HandMarket) -> None:
    market.quotes[SPY] = (470.0, 470.02)
    client = desk.client()
    client.place(1, Stock("SPY", "SMART", "USD"), MarketOrder("BUY", 10))
    desk.kill_and_open()
    again = desk.client()
    messages = again.ask(49, 1)
    assert market_times(messages) == [START]
    assert statuses(messages) == ["Filled"]


def run_a_day(desk: PaperDesk, market: HandMarket) -> bytes:
    market.quotes[SHORT], market.quotes[LONG] = (8.1, 8.2), (3.3, 3.4)
    client = desk.client()
    client.ask(1, 11, 5, *contract12(SPX, exchange="CBOE"), 0, "", 0, 0, "")
    client.ask(6, 2, 1, "")
    client.place(1, spread((SHORT, "SELL"), (LONG, "BUY")), LimitOrder("BUY", 1, -4.70))
    for step in range(60):
        if step == 30:
            client.place(2, spread((SHORT, "SELL"), (LONG, "BUY")), MarketOrder("SELL", 1))
        client.ask(49, 1)
    return client.transport.written


def test_two_runs_give_the_same_bytes(make_desk: Callable[..., PaperDesk], market: HandMarket) -> None:
    first = run_a_day(make_desk(), market)
    assert run_a_day(make_desk("again"), market) == first
    assert len(first) > 10_000


def test_a_world_whose_prices_end_with_a_close_has_five_minutes_more(
    make_desk: Callable[..., PaperDesk], market: HandMarket
) -> None:
    close = market.sessions.all()[0].closes
    market.start, market.end = close - timedelta(seconds=30), close
    client = make_desk().client()
    seen = []
    while messages := client.ask(49, 1):
        seen += market_times(messages)
    assert seen == [close + timedelta(seconds=30 * count) for count in range(11)]
