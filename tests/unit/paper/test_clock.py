from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from ib_async import LimitOrder, MarketOrder, Stock
from tests.support.paper_desk import PaperDesk, market_times, of_kind, statuses
from tests.support.paper_world import SESSIONS, SPY, START, HandMarket
from tests.support.tws_client import RawClient, contract12

from htbot.paper.clock import MarketClock, PacedTime, skip_night
from htbot.paper.gateway import Gateway, GatewayConfig
from htbot.paper.store import Store

FIRST, SECOND = SESSIONS.all()


class Hand:
    """Seconds of the host that a test sets."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.mark.parametrize(
    ("at", "awake"),
    [
        (FIRST.at(9, 0), FIRST.at(9, 25)),
        (FIRST.at(9, 25), FIRST.at(9, 25)),
        (FIRST.at(12, 0), FIRST.at(12, 0)),
        (FIRST.at(16, 5), FIRST.at(16, 5)),
        (FIRST.at(16, 5) + timedelta(seconds=1), SECOND.at(9, 25)),
        (FIRST.at(23, 0), SECOND.at(9, 25)),
        (SECOND.at(18, 0), SECOND.at(16, 5)),
    ],
)
def test_nights_are_skipped(at: datetime, awake: datetime) -> None:
    assert skip_night(at, SESSIONS) == awake


def test_time_runs_at_its_speed_in_whole_seconds() -> None:
    host = Hand()
    clock = MarketClock(START, 10.0, SESSIONS, host)
    host.seconds += 0.25
    assert clock.now() == START + timedelta(seconds=2)
    host.seconds += 60
    assert clock.now() == START + timedelta(seconds=602)


def test_time_goes_on_after_the_jump_over_a_night() -> None:
    host = Hand()
    clock = MarketClock(FIRST.at(16, 4), 1.0, SESSIONS, host)
    host.seconds += 61
    assert clock.now() == SECOND.at(9, 25)
    host.seconds += 5
    assert clock.now() == SECOND.at(9, 25) + timedelta(seconds=5)


class Paced:
    """A paced gateway whose host clock is set by hand."""

    def __init__(self, market: HandMarket, store: Store, speed: float = 1.0) -> None:
        self.host = Hand()
        self.gateway = Gateway(market, store, GatewayConfig(latency_s=0.0))
        clock = MarketClock(self.gateway.now, speed, market.sessions, self.host)
        self.pace = PacedTime(self.gateway, speed, clock)

    def client(self) -> RawClient:
        client = RawClient(self.gateway, self.pace)
        client.start()
        return client

    def go(self, seconds: float) -> None:
        self.host.seconds += seconds
        self.pace.tick()


@pytest.fixture
def paced(make_desk: Callable[..., PaperDesk], market: HandMarket) -> Paced:
    return Paced(market, make_desk().gateway.store)


def test_only_what_changed_is_sent(paced: Paced, market: HandMarket) -> None:
    client = paced.client()
    client.ask(1, 11, 5, *contract12(SPY, exchange="SMART"), 0, "", 0, 0, "")
    paced.go(2)
    assert client.take() == []
    market.quotes[SPY] = (470.0, 470.01)
    paced.go(2)
    assert client.take() == [["1", "6", "5", "1", "470", "10", "1"]]


async def test_an_order_fills_after_the_latency(paced: Paced) -> None:
    client = paced.client()
    messages = client.place(1, Stock("SPY", "SMART", "USD"), MarketOrder("BUY", 1))
    assert statuses(messages) == ["PreSubmitted", "Submitted"]
    await asyncio.sleep(0.01)
    assert statuses(client.take()) == ["Filled"]


async def test_a_fast_clock_does_not_skip_what_an_order_would_have_seen(
    make_desk: Callable[..., PaperDesk], market: HandMarket
) -> None:
    paced = Paced(market, make_desk().gateway.store, speed=600.0)
    client = paced.client()
    client.place(1, Stock("SPY", "SMART", "USD"), LimitOrder("BUY", 1, 400))
    seen: list[datetime] = []
    market.quote_hook = seen.append
    await asyncio.sleep(0)
    paced.go(0.1)
    assert paced.gateway.now == START + timedelta(seconds=60)
    assert [at for at in dict.fromkeys(seen) if at > START] == [
        START + timedelta(seconds=second) for second in range(5, 61, 5)
    ]


async def test_the_close_is_played_on_the_way_through_a_night(paced: Paced) -> None:
    client = paced.client()
    client.place(1, Stock("SPY", "SMART", "USD"), LimitOrder("BUY", 1, 400))
    paced.go((FIRST.closes - START).total_seconds() + 400)
    assert paced.gateway.now == SECOND.at(9, 25)
    [cancelled] = [order for order in paced.gateway.book.completed() if order.order_id == 1]
    assert cancelled.completed_at == FIRST.closes
    assert statuses(client.take())[-1] == "Cancelled"


def test_the_clock_goes_on_after_a_restart(paced: Paced, market: HandMarket) -> None:
    paced.go(90)
    again = Paced(market, paced.gateway.store)
    assert again.gateway.now == START + timedelta(seconds=90)
    assert market_times(again.client().ask(49, 1)) == [START + timedelta(seconds=90)]


def test_no_client_is_told_a_later_time_than_the_record_has(paced: Paced, market: HandMarket) -> None:
    client = paced.client()
    paced.host.seconds += 1
    [told] = market_times(client.ask(49, 1))
    assert told == START + timedelta(seconds=1)
    assert Paced(market, paced.gateway.store).gateway.now == told


def test_the_world_stops_at_its_end(make_desk: Callable[..., PaperDesk], market: HandMarket) -> None:
    market.end = START + timedelta(seconds=30)
    paced = Paced(market, make_desk().gateway.store)
    paced.go(100)
    assert paced.gateway.now == market.end


def test_account_values_are_refreshed_every_three_minutes(paced: Paced) -> None:
    client = paced.client()
    paced.gateway.ledger.accounts[paced.gateway.accounts[0]].cash["USD"] += 5
    client.ask(6, 2, 1, "")
    paced.gateway.ledger.accounts[paced.gateway.accounts[0]].cash["USD"] += 5
    paced.go(170)
    assert of_kind(client.take(), 6) == []
    paced.go(20)
    assert ["6", "2", "NetLiquidation", "100010.00", "USD", paced.gateway.accounts[0]] in client.take()


def test_more_ticks_than_one_a_second_have_times_of_their_own() -> None:
    host = Hand()
    clock = MarketClock(START, 1.0, SESSIONS, host, ticks_per_second=4)
    host.seconds += 0.8
    assert clock.now() == START + timedelta(milliseconds=750)
