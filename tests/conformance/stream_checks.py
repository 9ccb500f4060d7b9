"""Streams beside the quote line: depth, five-second bars, ticks one by one, bulletins."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from . import nouns
from .client import Answer, Client
from .market_checks import refused
from .registry import Checks

checks = Checks("Depth, bars, ticks")


def _book(c: Client, smart: bool) -> tuple[int, dict[tuple[int, int], float]]:
    def complete(answer: Answer) -> bool:
        return len(answer.of("updateMktDepth", "updateMktDepthL2")) >= 8

    contract = nouns.stock(c) if smart else nouns.stock(c, exchange="ARCA")
    got = c.request("reqMktDepth", contract, 5, smart, [], until=complete)
    assert got.codes in ([], [2152]), got.codes
    c.pause(20)
    c.call("cancelMktDepth", got.id, smart)
    c.settle()
    book: list[list[float]] = [[], []]
    for row in c.more(got.id).of("updateMktDepth", "updateMktDepthL2"):
        position, operation, side, price = (row[0], *row[-5:-2]) if len(row) == 7 else row[:4]
        rows = book[side]
        if operation == 0:
            rows.insert(position, price)
        elif operation == 1:
            rows[position] = price
        else:
            del rows[position]
    return got.id, {(side, n): price for side in (0, 1) for n, price in enumerate(book[side])}


@checks("reqMktDepth", "smart depth: a book that stays in order through inserts, updates, deletes")
def smart_depth(c: Client) -> None:
    _sound_book(_book(c, smart=True)[1])


@checks("reqMktDepth", "one exchange's book")
def plain_depth(c: Client) -> None:
    _sound_book(_book(c, smart=False)[1])


def _sound_book(book: dict[tuple[int, int], float]) -> None:
    asks = [price for (side, _), price in sorted(book.items()) if side == 0]
    bids = [price for (side, _), price in sorted(book.items()) if side == 1]
    assert 0 < len(asks) <= 5 and 0 < len(bids) <= 5, book
    assert asks == sorted(asks) and bids == sorted(bids, reverse=True), book
    assert bids[0] < asks[0], book


@checks("cancelMktDepth", "an id that is not in use")
def cancel_depth(c: Client) -> int:
    position = c.call("cancelMktDepth", 424243, False)
    c.until(lambda: c.errors(position, 424243), "error")
    return c.errors(position, 424243)[0]


@checks("reqRealTimeBars", "a bar each five seconds, its time a multiple of five")
def real_time_bars(c: Client) -> None:
    got = c.request(
        "reqRealTimeBars", nouns.stock(c), 5, "TRADES", True, [], until=lambda a: len(a.of("realtimeBar")) > 2
    )
    c.call("cancelRealTimeBars", got.id)
    assert got.code is None, got.code
    rows = got.of("realtimeBar")
    times = [row[0] for row in rows]
    assert all(later - earlier == 5 for earlier, later in pairwise(times)), times
    assert all(time % 5 == 0 for time in times)
    for _time, open_, high, low, close, *_ in rows:
        assert low <= min(open_, close) <= max(open_, close) <= high


@checks("reqRealTimeBars", "mid prices of a currency pair")
def real_time_mid(c: Client) -> None:
    got = c.request("reqRealTimeBars", nouns.forex(c), 5, "MIDPOINT", False, [], until="realtimeBar")
    c.call("cancelRealTimeBars", got.id)
    assert got.code is None, got.code


TICKS = (
    ("Last", "tickByTickAllLast"),
    ("AllLast", "tickByTickAllLast"),
    ("BidAsk", "tickByTickBidAsk"),
    ("MidPoint", "tickByTickMidPoint"),
)
_SYMBOLS = ("SPY", "QQQ", "AAPL", "MSFT")


def _ticks(kind: str, name: str, symbol: str) -> Any:
    def check(c: Client) -> None:
        got = c.request(
            "reqTickByTickData", nouns.stock(c, symbol), kind, 0, False, until=lambda a: len(a.of(name)) > 2
        )
        c.call("cancelTickByTickData", got.id)
        assert got.code is None, got.code
        for row in got.of(name):
            when = row[1] if "Last" in kind else row[0]
            stamp = when if isinstance(when, int) else when.timestamp()
            assert abs(stamp - c.now()) < 900

    return check


for (_kind, _name), _symbol in zip(TICKS, _SYMBOLS, strict=True):
    checks("reqTickByTickData", f"{_kind}: a callback each")(_ticks(_kind, _name, _symbol))


@checks("reqTickByTickData", "with a number of ticks the past ones come first")
def past_ticks(c: Client) -> None:
    got = c.request("reqTickByTickData", nouns.stock(c, "NVDA"), "Last", 10, False, until="tickByTickAllLast")
    c.call("cancelTickByTickData", got.id)
    assert got.code is None, got.code
    assert got.has("historicalTicksLast")


@checks("reqTickByTickData", "a kind that does not exist")
def wrong_ticks(c: Client) -> int:
    return refused(c, "reqTickByTickData", nouns.stock(c, "AMZN"), "Nonsense", 0, False)


@checks("reqTickByTickData", "not for options")
def option_ticks(c: Client) -> int | None:
    got = c.request("reqTickByTickData", nouns.option(c), "BidAsk", 0, False, until="tickByTickBidAsk")
    return got.code


@checks("reqNewsBulletins", "on and off")
def bulletins(c: Client) -> None:
    position = c.call("reqNewsBulletins", True)
    c.call("cancelNewsBulletins")
    c.settle()
    assert c.errors(position) == []
