"""Streams come and go with what is watched, one after the other and within what the broker answers."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta

import pytest
from tests.support.record import NOON, at

from htbot.bootstrap.desk import history_days
from htbot.desk.series import MOST_SERIES, REQUESTS, SeriesKey, WatchedSeries
from htbot.domain.bars import Bar
from htbot.domain.errors import NotFound, Retryable, StopTrading
from htbot.domain.instruments import Contract, Instrument, SecType

OWN = ("SPX", 5)


class Market:
    """A session that gives every series a history of two closed bars and an open one."""

    def __init__(self, *, unknown: str = "", busy: str = "", odd: str = "") -> None:
        self.unknown, self.busy, self.odd = unknown, busy, odd
        self.asked: list[tuple[str, int, int]] = []
        self.stopped: list[SeriesKey] = []
        self.kinds: dict[str, SecType] = {}

    async def resolve(self, instrument: Instrument) -> Contract:
        if instrument.symbol == self.unknown:
            raise NotFound(f"the broker knows no {instrument.sec_type} {instrument.symbol}")
        self.kinds[instrument.symbol] = instrument.sec_type
        return Contract(len(instrument.symbol), instrument.symbol, instrument.sec_type, instrument.exchange)

    async def stream_bars(self, contract: Contract, minutes: int, days: int) -> list[Bar]:
        self.asked.append((contract.symbol, minutes, days))
        if contract.symbol == self.busy:
            raise Retryable("no history: pacing violation")
        if contract.symbol == self.odd:
            raise ValueError("a bar without a close")
        return [bar(contract.symbol, minutes, -number * minutes) for number in (2, 1, 0)]

    def stop_bars(self, contract: Contract, minutes: int) -> None:
        self.stopped.append((contract.symbol, minutes))


def bar(symbol: str, minutes: int, start: int, close: float = 100.0) -> Bar:
    return Bar(symbol, at(start), minutes, close, close, close, close, 1.0)


def stepped() -> WatchedSeries:
    return WatchedSeries(OWN, history_days, own_sessions=10, exact=True)


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_what_is_named_is_streamed_with_its_history() -> None:
    series, market = stepped(), Market()
    await series.follow(market, {("SPY", 5): 20, ("NDX", 1): 1000, OWN: 50}, NOON)
    assert series.streamed == {("SPY", 5), ("NDX", 1)}
    assert market.asked == [("SPY", 5, 10), ("NDX", 1, 5)]
    assert market.kinds == {"SPY": SecType.STOCK, "NDX": SecType.INDEX}
    assert [(one.symbol, one.end) for one in series.settle(NOON)] == [
        ("SPY", at(-5)),
        ("SPY", NOON),
        ("NDX", at(-1)),
        ("NDX", NOON),
    ]
    assert series.settle(NOON) == []


async def test_bars_close_in_their_own_series() -> None:
    series, market = stepped(), Market()
    await series.follow(market, {("SPY", 5): 20, ("SPY", 1): 20}, NOON)
    series.settle(NOON)
    series.on_bar(bar("SPY", 1, 0, 101.0))
    series.on_bar(bar("SPY", 5, 0, 102.0))
    series.on_bar(bar("QQQ", 5, 0, 103.0))
    assert series.settle(at(1)) == [bar("SPY", 1, 0, 101.0)]
    assert series.settle(at(5)) == [bar("SPY", 5, 0, 102.0)]


async def test_what_is_named_no_more_is_dropped() -> None:
    series, market = stepped(), Market()
    await series.follow(market, {("SPY", 5): 20, ("QQQ", 5): 20}, NOON)
    await series.follow(market, {("QQQ", 5): 20}, at(1))
    assert (market.stopped, series.streamed) == ([("SPY", 5)], {("QQQ", 5)})
    await series.follow(market, {("QQQ", 5): 20, ("SPY", 5): 20}, at(2))
    assert Counter(symbol for symbol, _, _ in market.asked) == {"SPY": 2, "QQQ": 1}


async def test_a_new_session_is_asked_for_everything_again() -> None:
    series, market = stepped(), Market()
    await series.follow(market, {("SPY", 5): 20}, NOON)
    series.restart()
    assert series.streamed == frozenset()
    await series.follow(market, {("SPY", 5): 20}, at(1))
    assert (len(market.asked), market.stopped) == (2, [])


async def test_a_symbol_that_the_broker_does_not_know_is_told_once_and_not_asked_again() -> None:
    series, market = stepped(), Market(unknown="SYP")
    wanted = {("SYP", 5): 20, ("SPY", 5): 20}
    await series.follow(market, wanted, NOON)
    await series.follow(market, wanted, at(1))
    assert series.streamed == {("SPY", 5)}
    assert series._troubles == ["the broker knows no STK SYP"]
    market.unknown = ""
    await series.follow(market, {("SPY", 5): 20}, at(2))
    await series.follow(market, wanted, at(3))  # named anew: perhaps it is listed by now
    assert ("SYP", 5) in series.streamed


async def test_a_broker_that_is_busy_is_asked_again_at_the_next_look() -> None:
    series, market = stepped(), Market(busy="SPY")
    await series.follow(market, {("SPY", 5): 20}, NOON)
    assert series.streamed == frozenset()
    market.busy = ""
    await series.follow(market, {("SPY", 5): 20}, at(1))
    assert series.streamed == {("SPY", 5)}


ODD = "bars of ODD 5 min cannot be streamed: ValueError: a bar without a close"


@pytest.mark.parametrize("exact", [True, False])
async def test_an_error_that_nobody_expects_is_told_and_keeps_no_other_from_its_bars(exact: bool) -> None:
    series, market = WatchedSeries(OWN, history_days, own_sessions=10, exact=exact), Market(odd="ODD")
    wanted = {("ODD", 5): 20, ("SPY", 5): 20, ("QQQ", 5): 20}
    for minute in range(3):
        await series.follow(market, wanted, at(minute))
        await settled()
    assert series.streamed == {("SPY", 5), ("QQQ", 5)}
    assert series._troubles == [ODD]
    assert Counter(symbol for symbol, _, _ in market.asked)["ODD"] == 1
    await series.follow(market, wanted, at(11))
    await settled()
    await series.follow(market, wanted, at(12))
    assert series._troubles == [ODD]  # once is enough
    market.odd = ""
    await series.follow(market, wanted, at(30))
    await settled()
    assert ("ODD", 5) in series.streamed


@pytest.mark.parametrize("exact", [True, False])
async def test_a_broken_invariant_is_not_kept_from_the_desk(exact: bool) -> None:
    class Broken(Market):
        async def resolve(self, instrument: Instrument) -> Contract:
            raise StopTrading(f"two contracts of {instrument.symbol}")

    async def look_twice() -> None:
        for minute in range(2):
            await series.follow(Broken(), {("SPY", 5): 20}, at(minute))
            await settled()

    series = WatchedSeries(OWN, history_days, own_sessions=10, exact=exact)
    with pytest.raises(StopTrading, match="two contracts of SPY"):
        await look_twice()


async def test_paced_streams_are_added_beside_the_rest_and_within_the_budget() -> None:
    host_s = [0.0]
    series, market = (
        WatchedSeries(OWN, history_days, own_sessions=10, exact=False, monotonic=lambda: host_s[0]),
        Market(),
    )
    wanted = {(f"S{number}", 5): 20 for number in range(MOST_SERIES)}
    await series.follow(market, wanted, NOON)
    assert market.asked == []  # nobody has waited for it
    await settled()
    await settled()
    assert len(series.streamed) == REQUESTS == MOST_SERIES
    for number in range(10):
        wanted.pop((f"S{number}", 5))
        wanted[f"T{number}", 5] = 20
    await series.follow(market, wanted, at(1))
    await settled()
    assert len(series.streamed) == MOST_SERIES - 10
    host_s[0] = 601.0
    await series.follow(market, wanted, at(11))
    await settled()
    assert len(series.streamed) == MOST_SERIES


async def test_more_than_the_broker_streams_is_told_once() -> None:
    series, market = stepped(), Market()
    wanted = {(f"S{number}", 5): 20 for number in range(MOST_SERIES + 5)}
    await series.follow(market, wanted, NOON)
    await series.follow(market, wanted, NOON + timedelta(seconds=30))
    assert len(series.streamed) == MOST_SERIES
    assert series._troubles == [f"{MOST_SERIES + 5} series of bars are watched, the broker streams {MOST_SERIES}"]


class Archive(Market):
    """Has two older bars for whoever asks once, and may be unwilling."""

    def __init__(self) -> None:
        super().__init__()
        self.unwilling = False
        self.once: list[tuple[str, int, int]] = []

    async def history(self, contract: Contract, minutes: int, days: int) -> list[Bar]:
        self.once.append((contract.symbol, minutes, days))
        if self.unwilling:
            raise Retryable("no history: pacing violation")
        return [bar(contract.symbol, minutes, -number * minutes, 99.0) for number in (4, 3, 0)]


@pytest.mark.parametrize("key", [("SPY", 5), OWN])
async def test_a_series_that_is_streamed_gets_more_history_once(key: SeriesKey) -> None:
    series, market = stepped(), Archive()
    await series.follow(market, {key: 20}, NOON)
    series.settle(NOON)
    begun = list(market.asked)
    market.unwilling = True
    await series.follow(market, {key: 3900}, at(0.5))
    market.unwilling = False
    for minute in (1, 2, 3):
        await series.follow(market, {key: 3900 if minute < 3 else 20}, at(minute))
    assert market.once == [(*key, 52)] * 2  # refused once, then given once
    assert (market.asked, market.stopped) == (begun, [])
    assert series.settle(at(3)) == [bar(*key, -20, 99.0), bar(*key, -15, 99.0)]


async def test_more_history_leaves_the_stream_as_it_is() -> None:
    series, market = stepped(), Archive()
    await series.follow(market, {("SPY", 5): 20}, NOON)
    series.settle(NOON)
    series.on_bar(bar("SPY", 5, 0, 102.0))
    await series.follow(market, {("SPY", 5): 3900}, at(1))
    series.settle(at(1))
    series.on_bar(bar("SPY", 5, 0, 103.0))
    assert [(one.start, one.high, one.close) for one in series.settle(at(5))] == [(NOON, 103.0, 103.0)]


async def test_a_series_that_begins_anew_begins_with_what_is_needed_then() -> None:
    series, market = stepped(), Archive()
    await series.follow(market, {("SPY", 5): 3900}, NOON)
    await series.follow(market, {}, at(1))
    await series.follow(market, {("SPY", 5): 20}, at(2))
    await series.follow(market, {("SPY", 5): 3900}, at(3))
    assert (market.asked, market.once) == ([("SPY", 5, 52), ("SPY", 5, 10)], [("SPY", 5, 52)])


async def test_more_history_takes_no_room_of_streams() -> None:
    series, market = stepped(), Archive()
    wanted = {(f"S{number}", 5): 20 for number in range(MOST_SERIES)}
    await series.follow(market, wanted, NOON)
    await series.follow(market, {**wanted, ("S7", 5): 3900}, at(1))
    assert (market.once, series._troubles) == ([("S7", 5, 52)], [])
