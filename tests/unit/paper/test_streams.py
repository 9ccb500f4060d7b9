from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import pytest
from tests.support.paper_desk import PaperDesk, errors, of_kind
from tests.support.paper_world import SPX, SPY, START, HandMarket, option_id
from tests.support.tws_client import RawClient, contract12

from htbot.domain.instruments import Right
from htbot.domain.quotes import Quote
from htbot.market.ports import Print
from htbot.paper.feeds.entitlement import Subscriptions
from htbot.paper.feeds.streams import DataRules

OPTION = option_id(4700, Right.PUT)
OPENED = int(START.timestamp())


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def single(client: RawClient, request_id: int, kind: str, con_id: int = SPY, count: int = 0) -> list[list[str]]:
    return client.ask(97, request_id, *contract12(con_id), kind, count, 0)


def past(
    client: RawClient, show: str, start: str = "", end: str = "", count: int = 10, con_id: int = SPY
) -> list[list[str]]:
    return client.ask(96, 4, *contract12(con_id), 0, start, end, count, show, 1, 0, "")


def test_every_trade_is_one_tick_and_last_leaves_out_what_is_not_reported(desk: PaperDesk, market: HandMarket) -> None:
    market.tape[SPY] = [
        Print(at(1), 470.0, 5.0, "N", "T"),
        Print(at(1.5), 470.5, 7.0, past_limit=True, unreported=True),
    ]
    client = desk.client()
    assert single(client, 3, "AllLast") == []
    assert single(client, 4, "Last") == []
    found = of_kind(client.ask(49, 1), 99)
    assert [fields[1:] for fields in found] == [
        ["3", "2", str(OPENED + 1), "470", "5", "0", "N", "T"],
        ["3", "2", str(OPENED + 1), "470.5", "7", "3", "SMART", ""],
        ["4", "1", str(OPENED + 1), "470", "5", "0", "N", "T"],
    ]
    assert of_kind(client.ask(49, 1), 99) == []


def test_quotes_one_by_one_begin_with_the_one_in_force(desk: PaperDesk, market: HandMarket) -> None:
    client = desk.client()
    sizes = [f"{size:g}" for size in market.sizes[SPY]]
    assert single(client, 3, "BidAsk") == [["99", "3", "3", str(OPENED), "469.99", "470.01", *sizes, "0"]]
    assert single(client, 4, "MidPoint") == [["99", "4", "4", str(OPENED), "470"]]
    assert of_kind(client.ask(49, 1), 99) == [], "nothing has changed"
    market.quotes[SPY] = (470.0, 470.02)
    assert [fields[1:3] for fields in of_kind(client.ask(49, 1), 99)] == [["3", "3"], ["4", "4"]]
    assert client.ask(98, 3) == []
    assert errors(client.ask(98, 3)) == [(3, 300)]


def test_history_comes_first_when_a_number_is_asked_for(desk: PaperDesk, market: HandMarket) -> None:
    market.tape[SPY] = [Print(at(-second), 470.0 + second, 1.0) for second in (50, 40, 30)]
    [message] = single(desk.client(), 3, "AllLast", count=2)
    assert message[:3] == ["98", "3", "2"]
    assert (message[5], message[11]) == ("510", "500")
    assert message[-1] == "1"


@pytest.mark.parametrize(
    ("kind", "con_id", "code"),
    [
        ("Last", OPTION, 10189),
        ("BidAsk", SPX, 10189),
        ("Gossip", SPY, 321),
        ("Last", 99, 200),
    ],
)
def test_what_has_no_single_ticks(desk: PaperDesk, kind: str, con_id: int, code: int) -> None:
    assert errors(single(desk.client(), 3, kind, con_id)) == [(3, code)]


def test_an_id_is_used_once(desk: PaperDesk) -> None:
    client = desk.client()
    single(client, 3, "Last")
    assert errors(single(client, 3, "Last")) == [(3, 322)]


def test_contracts_watched_tick_by_tick_are_few(make_desk: Callable[..., PaperDesk], market: HandMarket) -> None:
    desk = make_desk(data=DataRules(lines=100))
    assert desk.config.data.deep_streams == 3
    client = desk.client()
    for request_id, con_id in enumerate((OPTION, option_id(4675, Right.PUT), option_id(4650, Right.PUT))):
        assert errors(client.ask(10, 5, request_id, *contract12(con_id), 5, 0, "")) == []
    assert errors(client.ask(10, 5, 8, *contract12(SPY), 5, 0, "")) == [(8, 309)]
    assert errors(client.ask(10, 5, 9, *contract12(OPTION), 5, 0, "")) == [], "another view of a watched contract"


def test_past_trades_from_a_start_with_all_of_the_last_second(desk: PaperDesk, market: HandMarket) -> None:
    market.tape[SPY] = [Print(at(-60 + part / 2), 470.0 + part, 1.0) for part in range(8)]
    start = "20240102-14:59:00"
    [message] = past(desk.client(), "TRADES", start=start, count=3)
    assert message[2] == "4", "the fourth has the second of the third"
    assert message[3] == str(OPENED - 60)
    assert message[-1] == "1"


def test_past_trades_up_to_an_end(desk: PaperDesk, market: HandMarket) -> None:
    market.tape[SPY] = [Print(at(-600 + second), 470.0 + second, 1.0) for second in range(300)]
    [message] = past(desk.client(), "TRADES", end="20240102 09:52:00 US/Eastern", count=3)
    times = message[3::6][:3]
    assert times == [str(OPENED - 482), str(OPENED - 481), str(OPENED - 480)]


def test_past_quotes_and_midpoints(desk: PaperDesk) -> None:
    client = desk.client()
    [both] = of_kind(past(client, "BID_ASK", end="20240102 09:52:00 US/Eastern", count=1), 97)
    assert both[3:7] == [str(OPENED - 480), "0", "469.99", "470.01"]
    [middle] = of_kind(past(client, "MIDPOINT", end="20240102 09:52:00 US/Eastern", count=1), 96)
    assert middle[3:7] == [str(OPENED - 480), "0", "470", "0"]


@pytest.mark.parametrize(
    ("show", "start", "end", "count", "code"),
    [
        ("TRADES", "20240102-14:59:00", "", 10, 162),
        ("BID", "20240102-14:59:00", "", 10, 321),
        ("TRADES", "", "", 10, 321),
        ("TRADES", "20240102-14:00:00", "20240102-14:59:00", 10, 321),
        ("TRADES", "20240102-14:59:00", "", 1001, 321),
        ("TRADES", "20240102-14:59:00", "", 0, 321),
        ("TRADES", "noon", "", 10, 10314),
    ],
)
def test_past_ticks_that_cannot_be_given(
    desk: PaperDesk, show: str, start: str, end: str, count: int, code: int
) -> None:
    assert errors(past(desk.client(), show, start, end, count)) == [(4, code)]


def test_a_book_is_kept_by_its_changes(desk: PaperDesk, market: HandMarket) -> None:
    client = desk.client()
    book: dict[tuple[str, int], tuple[str, str]] = {}
    _apply(book, client.ask(10, 5, 3, *contract12(SPY), 5, 0, ""))
    assert [book["1", row][0] for row in range(5)] == ["469.99", "469.98", "469.97", "469.96", "469.95"]
    assert [book["0", row][0] for row in range(5)] == ["470.01", "470.02", "470.03", "470.04", "470.05"]
    market.quotes[SPY] = (470.03, None)
    _apply(book, client.ask(49, 1))
    assert [book["1", row][0] for row in range(5)] == ["470.03", "470.02", "470.01", "470", "469.99"]
    assert not [key for key in book if key[0] == "0"]
    assert client.ask(11, 1, 3, 0) == []
    assert errors(client.ask(11, 1, 3, 0)) == [(3, 310)]


def _apply(book: dict[tuple[str, int], tuple[str, str]], messages: list[list[str]]) -> None:
    for fields in of_kind(messages, 12):
        position, operation, side, price, size = int(fields[3]), *fields[4:]
        if operation == "2":
            del book[side, position]
        else:
            assert ((side, position) in book) == (operation == "1")
            book[side, position] = (price, size)


def test_smart_depth_names_exchanges(desk: PaperDesk) -> None:
    messages = desk.client().ask(10, 5, 3, *contract12(SPY), 4, 1, "")
    assert ["4", "2", "3", "2152"] in [fields[:4] for fields in messages]
    rows = of_kind(messages, 13)
    assert len(rows) == 8
    assert {(fields[4], fields[9]) for fields in rows} == {("CBOE", "1")}


@pytest.mark.parametrize(("con_id", "rows", "code"), [(SPX, 5, 10092), (SPY, 0, 321), (99, 5, 200)])
def test_books_that_there_are_none_of(desk: PaperDesk, con_id: int, rows: int, code: int) -> None:
    assert errors(desk.client().ask(10, 5, 3, *contract12(con_id), rows, 0, "")) == [(3, code)]


def test_bars_of_five_seconds_come_when_they_have_ended(desk: PaperDesk) -> None:
    client = desk.client()
    assert client.ask(50, 3, 3, *contract12(SPY), 5, "TRADES", 1, "") == []
    client.ask(49, 1)
    rows = of_kind(client.ask(49, 1), 50)
    assert [int(fields[3]) for fields in rows] == [OPENED + second for second in range(30, 60, 5)]
    assert rows[0][4:] == ["4700.3", "4700.35", "4700.3", "4700.35", "5", "4700.325", "5"]
    assert client.ask(51, 1, 3) == []
    assert errors(client.ask(51, 1, 3)) == [(3, 300)]


def test_streams_sleep_at_night_as_the_clock_does(desk: PaperDesk, market: HandMarket) -> None:
    asked: list[datetime] = []
    changes = market.quote_changes

    def noted(con_id: int, after: datetime, until: datetime) -> Sequence[Quote]:
        asked.append(after)
        return changes(con_id, after, until)

    market.quote_changes = noted
    client = desk.client()
    client.ask(50, 3, 3, *contract12(SPY), 5, "MIDPOINT", 0, "")
    single(client, 4, "BidAsk")
    morning = market.sessions.all()[1]
    desk.gateway.play(morning.opens)
    desk.gateway.turn_done()
    assert asked == [morning.opens - timedelta(minutes=1)]
    assert len(of_kind(client.take(), 50)) == 12


@pytest.mark.parametrize(
    ("con_id", "size", "show", "code"), [(SPY, 10, "TRADES", 321), (SPX, 5, "BID", 420), (SPY, 5, "BID_ASK", 321)]
)
def test_real_time_bars_that_there_are_none_of(desk: PaperDesk, con_id: int, size: int, show: str, code: int) -> None:
    assert errors(desk.client().ask(50, 3, 3, *contract12(con_id), size, show, 1, "")) == [(3, code)]


@pytest.mark.parametrize(
    ("request_fields", "code"),
    [
        ((97, 3, *contract12(SPY), "Last", 0, 0), 10189),
        ((10, 5, 3, *contract12(SPY), 5, 0, ""), 354),
        ((50, 3, 3, *contract12(SPY), 5, "TRADES", 1, ""), 420),
    ],
)
def test_what_exists_in_real_time_only_needs_a_subscription(
    make_desk: Callable[..., PaperDesk], request_fields: tuple[object, ...], code: int
) -> None:
    client = make_desk(data=DataRules(Subscriptions.DELAYED)).client()
    assert errors(client.ask(*request_fields)) == [(3, code)]
