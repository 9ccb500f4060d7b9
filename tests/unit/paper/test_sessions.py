"""Who may connect, under which id, how fast it may talk, and what a broken connection leaves behind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest
from ib_async import MarketOrder, Stock
from tests.support.paper_desk import Messages, PaperDesk, errors, market_times, of_kind
from tests.support.paper_world import SPY
from tests.support.tws_client import RawClient, contract12, framed, hello

from htbot.paper.limits import MESSAGES_PER_SECOND, ClientRules, MessageRate
from htbot.paper.session import STEPS_A_TURN
from htbot.paper.wire import messages

MakeDesk = Callable[..., PaperDesk]


class Later:
    """A call that is to come; stands for asyncio's handle."""

    def __init__(self, at: float, callback: Callable[..., object], args: tuple[Any, ...]) -> None:
        self.at, self.callback, self.args, self.cancelled = at, callback, args, False

    def cancel(self) -> None:
        self.cancelled = True


class HandHost:
    """The host's time, set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.later: list[Later] = []

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, callback: Callable[..., object], *args: Any) -> asyncio.TimerHandle:
        self.later.append(Later(self.now + delay, callback, args))
        return self.later[-1]  # type: ignore[return-value]

    def go(self, seconds: float) -> None:
        self.now += seconds
        due = [item for item in self.later if item.at <= self.now]
        self.later = [item for item in self.later if item.at > self.now]
        for item in due:
            if not item.cancelled:
                item.callback(*item.args)


@pytest.fixture
def host() -> HandHost:
    return HandHost()


def joined(desk: PaperDesk, host: HandHost, client_id: int = 1, options: str = "") -> tuple[RawClient, Messages]:
    client = RawClient(desk.gateway, desk.pace, client_id, host=host)
    greeting = b"v157..178" + (b" " + options.encode() if options else b"")
    client.protocol.data_received(b"API\0" + len(greeting).to_bytes(4, "big") + greeting)
    client.take()
    return client, client.ask(71, 2, client_id, "")


def kinds(messages: Messages) -> list[str]:
    return [fields[0] for fields in messages]


def test_nothing_but_the_handshake_comes_before_the_start(desk: PaperDesk) -> None:
    client = RawClient(desk.gateway, desk.pace)
    client.protocol.data_received(hello())
    [[version, _time]] = client.take()
    assert version == "178"
    assert kinds(client.ask(71, 2, 5, ""))[:2] == ["15", "9"]


def test_notes_about_farms_follow_the_first_id(desk: PaperDesk) -> None:
    messages = desk.client(stepped=False).first[1:]
    assert kinds(messages)[:2] == ["15", "9"]
    assert [(fields[2], fields[3]) for fields in messages[2:]] == [
        ("-1", "2104"), ("-1", "2104"), ("-1", "2106"), ("-1", "2158"),
    ]  # fmt: skip


def test_log_levels_are_ibs(desk: PaperDesk) -> None:
    client = desk.client(stepped=False)
    assert client.ask(14, 1, 5) == []
    assert errors(client.ask(14, 1, 6)) == [(-1, 319)]


def test_a_backslash_in_an_error_is_doubled(desk: PaperDesk) -> None:
    [error] = desk.client(stepped=False).ask(9, 8, "\\u0041")
    assert error[4].encode().decode("unicode-escape").count("A") == 0


def test_a_second_start_is_ignored(desk: PaperDesk) -> None:
    client = desk.client(1)
    assert client.ask(71, 2, 9, "") == []
    assert list(desk.gateway.sessions) == [1]


def test_an_id_in_use_is_refused_and_the_first_stays(desk: PaperDesk, host: HandHost) -> None:
    first, _ = joined(desk, host, 4)
    second, answer = joined(desk, host, 4)
    assert errors(answer) == [(-1, 326)]
    assert second.transport.closed
    assert len(of_kind(first.ask(49, 1), 49)) == 1
    second.leave()
    assert list(desk.gateway.sessions) == [4]


def test_a_clean_end_frees_the_id_at_once(desk: PaperDesk, host: HandHost) -> None:
    joined(desk, host, 4)[0].leave()
    assert errors(joined(desk, host, 4)[1]) == []


@pytest.mark.parametrize(
    ("error", "held"), [(ConnectionResetError(), True), (TimeoutError(), True), (BrokenPipeError(), False)]
)
def test_a_broken_connection_holds_its_id_for_a_while(
    make_desk: MakeDesk, host: HandHost, error: Exception, held: bool
) -> None:
    desk = make_desk(clients=ClientRules(hold_s=5.0))
    joined(desk, host, 4)[0].protocol.connection_lost(error)
    assert errors(joined(desk, host, 4)[1]) == ([(-1, 326)] if held else [])
    host.go(5.1)
    again, answer = joined(desk, host, 4 if held else 5)
    assert errors(answer) == []
    assert not again.transport.closed


def test_thirty_two_clients_fit(desk: PaperDesk, host: HandHost) -> None:
    for client_id in range(32):
        assert errors(joined(desk, host, client_id)[1]) == []
    client, answer = joined(desk, host, 32)
    assert errors(answer) == [(-1, 326)]
    assert client.transport.closed


def test_a_client_that_says_nothing_is_closed(desk: PaperDesk, host: HandHost) -> None:
    client = RawClient(desk.gateway, desk.pace, host=host)
    client.protocol.data_received(hello())
    host.go(31)
    assert client.transport.closed


def burst(client: RawClient, count: int) -> Messages:
    client.protocol.data_received(framed(49, 1) * count)
    return client.take()


def test_too_many_messages_are_told_and_done_all_the_same(desk: PaperDesk, host: HandHost) -> None:
    client, _ = joined(desk, host)
    assert errors(burst(client, MESSAGES_PER_SECOND)) == []
    answer = burst(client, 10)
    assert errors(answer) == [(-1, 100)]
    assert len(market_times(answer)) == 10
    host.go(1)
    assert errors(burst(client, MESSAGES_PER_SECOND)) == []


def test_too_many_messages_are_dropped_and_end_the_connection(make_desk: MakeDesk, host: HandHost) -> None:
    desk = make_desk(clients=ClientRules(pace="reject"))
    client, _ = joined(desk, host)
    other, _ = joined(desk, host, 2)
    for _ in range(2):
        answer = burst(client, MESSAGES_PER_SECOND + 10)
        assert errors(answer) == [(-1, 100)]
        assert len(market_times(answer)) == MESSAGES_PER_SECOND
        host.go(1)
    assert not client.transport.closed
    burst(client, MESSAGES_PER_SECOND + 1)
    assert client.transport.closed
    assert not other.transport.closed


@pytest.mark.parametrize(("rule", "options"), [("queue", ""), ("reject", "+PACEAPI")])
def test_too_many_messages_wait(make_desk: MakeDesk, host: HandHost, rule: str, options: str) -> None:
    desk = make_desk(clients=ClientRules(pace=rule))  # type: ignore[arg-type]
    client, _ = joined(desk, host, options=options)
    assert len(market_times(burst(client, 2 * MESSAGES_PER_SECOND + 5))) == MESSAGES_PER_SECOND
    reading = [client.transport.reading]
    host.go(1)
    assert len(market_times(client.take())) == MESSAGES_PER_SECOND
    host.go(1)
    assert len(market_times(client.take())) == 5
    reading.append(client.transport.reading)
    assert reading == [False, True]


def test_a_stepped_client_is_not_counted(make_desk: MakeDesk, host: HandHost) -> None:
    desk = make_desk(clients=ClientRules(pace="reject"))
    client = RawClient(desk.gateway, desk.pace, stepped=True, host=host)
    client.start()
    assert errors(burst(client, 200)) == []


def test_seconds_with_too_many_count_in_a_row() -> None:
    rate = MessageRate(limit=2)
    for second in (0, 1, 3, 4, 5):
        for _ in range(3):
            rate.count(second)
    assert (rate.offences, rate.hopeless) == (3, True)
    rate.count(6)
    rate.count(7)
    assert rate.offences == 0


def test_a_flood_leaves_turns_to_others(desk: PaperDesk, host: HandHost) -> None:
    client, _ = joined(desk, host)
    slow = framed(9, 8, 5, "")
    times = iter(range(1_000_000))
    host.time = lambda: host.now + next(times) * 0.015  # type: ignore[method-assign]
    client.protocol.data_received(slow * 6)
    first = len(client.take())
    assert 0 < first < 6
    reading = [client.transport.reading]
    while later := host.later:
        host.later = []
        for item in later:
            item.callback(*item.args)
    assert first + len(client.take()) == 6
    reading.append(client.transport.reading)
    assert reading == [False, True]


def long_answer(client: RawClient, desk: PaperDesk, length: int) -> None:
    """As a handler gives it: a message a step."""
    session = desk.gateway.sessions[client.client_id]

    def told() -> Iterator[None]:
        for number in range(length):
            session.send(messages.USER_INFO, {"reqId": number})
            yield

    session.tell_in_parts(told())


def test_a_long_answer_is_told_in_parts_and_others_come_between(desk: PaperDesk, host: HandHost) -> None:
    client, _ = joined(desk, host)
    long_answer(client, desk, 120)
    assert len(of_kind(client.ask(49, 1), 107)) == 100
    host.go(0)
    assert [fields[1] for fields in of_kind(client.take(), 107)] == [str(number) for number in range(100, 120)]
    host.go(1)
    assert client.take() == []


def test_a_long_answer_waits_for_its_reader(desk: PaperDesk, host: HandHost) -> None:
    client, _ = joined(desk, host)
    client.protocol.pause_writing()
    long_answer(client, desk, 90)
    assert len(of_kind(client.ask(49, 1), 107)) == STEPS_A_TURN
    client.protocol.resume_writing()
    for _ in range(3):
        host.go(0.1)
    assert len(client.take()) == 90 - STEPS_A_TURN


def test_a_stepped_client_gets_a_long_answer_at_once(desk: PaperDesk, host: HandHost) -> None:
    client = RawClient(desk.gateway, desk.pace, stepped=True, host=host)
    client.start()
    long_answer(client, desk, 300)
    assert len(of_kind(client.ask(104, 1), 107)) == 301


def test_too_many_long_answers_are_not_kept(desk: PaperDesk, host: HandHost) -> None:
    client, _ = joined(desk, host)
    client.protocol.pause_writing()
    desk.gateway.sessions[1].in_time = lambda: False
    for _ in range(64):
        long_answer(client, desk, 60)
    assert len(desk.gateway.sessions[1].parts) == 64
    long_answer(client, desk, 60)
    assert not desk.gateway.sessions[1].parts
    assert len(of_kind(client.ask(49, 1), 107)) == 65 * 60


def slow_history(desk: PaperDesk, host: HandHost) -> tuple[RawClient, tuple[object, ...]]:
    """A client whose every turn has run out of time at once, and a request for a chart."""
    client, _ = joined(desk, host)
    ticks = count()
    host.time = lambda: host.now + next(ticks) * 0.015  # type: ignore[method-assign]
    return client, (20, 9, *contract12(SPY, exchange="SMART"), 0, "", "5 mins", "2 D", 1, "TRADES", 1, 0, "")


def test_bars_are_made_a_piece_a_turn_and_told_in_one_message(desk: PaperDesk, host: HandHost) -> None:
    client, chart = slow_history(desk, host)
    assert of_kind(client.ask(*chart), 17) == []
    assert errors(client.ask(*chart)) == [(9, 322)]
    for _ in range(9):
        host.go(0)
    [answer] = of_kind(client.take(), 17)
    assert (answer[1], answer[4]) == ("9", "7")
    assert desk.gateway.sessions[1].loading == {}


def test_bars_that_are_being_made_can_be_cancelled(desk: PaperDesk, host: HandHost) -> None:
    client, chart = slow_history(desk, host)
    client.ask(*chart)
    assert errors(client.ask(25, 1, 9)) == [(9, 162)]
    for _ in range(9):
        host.go(0)
    assert client.take() == []
    assert errors(client.ask(25, 1, 9)) == [(9, 366)]


def test_a_long_answer_ends_with_its_socket(desk: PaperDesk, host: HandHost) -> None:
    client, _ = joined(desk, host)
    long_answer(client, desk, 300)
    client.ask(49, 1)
    client.leave()
    host.go(1)
    assert client.take() == []


def test_a_read_only_gateway_refuses_orders(make_desk: MakeDesk) -> None:
    client = make_desk(clients=ClientRules(read_only=True)).client(stepped=False)
    assert errors(client.place(7, Stock("SPY", "SMART", "USD"), MarketOrder("BUY", 1))) == [(7, 321)]
    assert errors(client.ask(5, 1)) == [(-1, 321)]
    assert kinds(client.ask(61, 1)) == ["62"]


def test_a_stepped_client_has_all_the_time_of_the_host(desk: PaperDesk, host: HandHost) -> None:
    client = RawClient(desk.gateway, desk.pace, stepped=True, host=host)
    client.start()
    host.go(60.0)
    assert [fields[0] for fields in client.ask(8, 1, 1)] == ["9"]
