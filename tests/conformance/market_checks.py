"""Market data lines and what is calculated on request."""

from __future__ import annotations

from typing import Any

from . import nouns
from .client import Answer, Client
from .registry import Checks

checks = Checks("Market data")
BID, ASK, LAST = 1, 2, 4


def prices(answer: Answer) -> dict[int, float]:
    return {row[0]: row[1] for row in answer.of("tickPrice")}


def sizes(answer: Answer) -> dict[int, float]:
    return {row[0]: float(row[1]) for row in answer.of("tickSize")}


def line(c: Client, contract: Any, wanted: set[int], generic: str = "", kinds: str = "tickPrice") -> Answer:
    """A streaming line until the wanted tick types are in; cancelled again."""
    names = ("tickPrice", "tickSize") if kinds == "tickPrice" else (kinds,)

    def complete(answer: Answer) -> bool:
        return wanted <= {row[0] for row in answer.of(*names)}

    got = c.request("reqMktData", contract, generic, False, False, [], until=complete)
    c.call("cancelMktData", got.id)
    return got


def refused(c: Client, method: str, *args: Any) -> int:
    got = c.request(method, *args, until="nothing")
    assert got.code is not None
    return got.code


@checks("reqMktData", "a stock: bid, ask, last with sizes, volume, open, high, low, close")
def a_stock(c: Client) -> None:
    got = line(c, nouns.stock(c), {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 14})
    assert got.code is None
    price, size = prices(got), sizes(got)
    assert 0 < price[BID] < price[ASK] < price[BID] * 1.01
    assert price[7] <= price[LAST] <= price[6]
    assert size[0] > 0 and size[3] > 0 and size[8] > 0


@checks("reqMktData", "the line's tick and exchange come first, then the kind of data")
def parameters_first(c: Client) -> None:
    got = line(c, nouns.stock(c), {1, 2})
    names = [event.name for event in got.events]
    assert names[0] in {"tickReqParams", "marketDataType"}
    [(tick, exchange, permissions)] = got.of("tickReqParams")
    assert (tick, permissions) == (0.01, 3), (tick, permissions)
    assert exchange
    assert names.index("tickReqParams") < names.index("tickPrice")


@checks("reqMktData", "ticks go on while the market moves and end with the cancel")
def stream_and_end(c: Client) -> None:
    got = c.request("reqMktData", nouns.stock(c), "", False, False, [], until="tickPrice")
    position = len(c.events)
    c.until(lambda: len(c.more(got.id, position).of("tickPrice")) > 3, "more ticks")
    c.call("cancelMktData", got.id)
    c.settle()
    position = len(c.events)
    c.pause(20)
    assert not c.more(got.id, position).events


@checks("reqMktData", "last trade's time and halted state")
def time_and_halt(c: Client) -> None:
    def complete(answer: Answer) -> bool:
        return 45 in dict(answer.of("tickString")) and 49 in dict(answer.of("tickGeneric"))

    got = c.request("reqMktData", nouns.stock(c), "", False, False, [], until=complete)
    c.call("cancelMktData", got.id)
    assert abs(int(dict(got.of("tickString"))[45]) - c.now()) < 900
    assert dict(got.of("tickGeneric"))[49] == 0


@checks("reqMktData", "an option: quote, and greeks of bid, ask, last or model")
def an_option(c: Client) -> None:
    contract = nouns.option(c)

    def complete(answer: Answer) -> bool:
        greeks = {row[0] for row in answer.of("tickOptionComputation")}
        return {1, 2} <= set(prices(answer)) and {10, 11, 13} <= greeks

    got = c.request("reqMktData", contract, "", False, False, [], until=complete)
    c.call("cancelMktData", got.id)
    rows = {row[0]: row[2:] for row in got.of("tickOptionComputation")}
    vol, delta, value, _dividend, gamma, vega, theta, under = rows[13]
    assert 0.01 < vol < 3
    assert -1 <= delta < 0
    assert gamma > 0 and vega > 0 and theta < 0
    assert 0 < value < under
    assert rows[10][0] <= vol + 0.02 and rows[11][0] >= vol - 0.02


@checks("reqMktData", "a call's delta is positive, nearer to one the deeper in the money")
def call_deltas(c: Client) -> None:
    found = []
    for away in (-0.02, 0.02):
        contract = nouns.option(c, away, right="C")
        got = c.request("reqMktData", contract, "", False, False, [], until=_has_model)
        c.call("cancelMktData", got.id)
        found.append(next(row[3] for row in got.of("tickOptionComputation") if row[0] == 13))
    assert 1 >= found[0] > found[1] > 0, found


def _has_model(answer: Answer) -> bool:
    return 13 in {row[0] for row in answer.of("tickOptionComputation")}


@checks("reqMktData", "an index: last and day, no volume, no bid size")
def an_index(c: Client) -> None:
    got = line(c, nouns.index(c), {4, 9})
    c.settle()
    assert not {tick for tick, size in sizes(got).items() if size and tick in {0, 3, 5, 8}}, sizes(got)


@checks("reqMktData", "a currency pair: bid and ask with sizes, no last")
def a_pair(c: Client) -> None:
    got = line(c, nouns.forex(c), {0, 1, 2, 3})
    price = prices(got)
    assert 0 < price[BID] < price[ASK]
    assert LAST not in price


@checks("reqMktData", "a future")
def a_future(c: Client) -> None:
    got = line(c, nouns.future(c), {1, 2, 4, 8})
    assert prices(got)[LAST] % 0.25 == 0


@checks("reqMktData", "a crypto currency")
def a_crypto(c: Client) -> None:
    got = line(c, nouns.crypto(c), {1, 2})
    assert 0 < prices(got)[BID] < prices(got)[ASK]


@checks("reqMktData", "a combination: the price of the legs together")
def a_combination(c: Client) -> None:
    near, far = nouns.option(c), nouns.option(c, -0.02)
    got = line(c, nouns.bag(c, (near.conId, "BUY"), (far.conId, "SELL")), {1, 2})
    price = prices(got)
    assert -0.5 < price[BID] < price[ASK]


@checks("reqMktData", "a snapshot: ticks, then its end, in 11 s, and no more")
def a_snapshot(c: Client) -> None:
    got = c.request("reqMktData", nouns.stock(c), "", True, False, [], until="tickSnapshotEnd")
    assert {1, 2, 4, 9} <= set(prices(got))
    assert got.events[-1].name == "tickSnapshotEnd"
    position = len(c.events)
    c.pause(10)
    assert not c.more(got.id, position).events


@checks("reqMktData", "a snapshot of an option brings greeks")
def option_snapshot(c: Client) -> None:
    got = c.request("reqMktData", nouns.option(c), "", True, False, [], until="tickSnapshotEnd")
    assert 13 in {row[0] for row in got.of("tickOptionComputation")}


@checks("reqMktData", "a regulatory snapshot")
def regulatory(c: Client) -> int | None:
    got = c.request("reqMktData", nouns.stock(c), "", False, True, [], until="tickSnapshotEnd")
    return got.code


GENERIC = (
    ("233", "RTVolume: price, size, time, volume, average, single", "tickString", {48}),
    ("375", "RT trade volume", "tickString", {77}),
    ("236", "shortable, and how many shares", "tickGeneric", {46}),
    ("106", "implied volatility", "tickGeneric", {24}),
    ("104", "historical volatility", "tickGeneric", {23}),
    ("411", "real-time historical volatility", "tickGeneric", {58}),
    ("165", "13, 26 and 52 weeks, average volume", "tickPrice", {15, 16, 17, 18, 19, 20, 21}),
    ("100", "volume of calls and puts", "tickSize", {29, 30}),
    ("101", "open interest of calls and puts", "tickSize", {27, 28}),
    ("456", "dividends", "tickString", {59}),
)


def _generic(number: str, kinds: str, wanted: set[int]) -> Any:
    def check(c: Client) -> None:
        got = line(c, nouns.stock(c), wanted, generic=number, kinds=kinds)
        if number == "233":
            parts = dict(got.of("tickString"))[48].split(";")
            assert len(parts) == 6, parts
            assert abs(int(parts[2]) / 1000 - c.now()) < 900
            assert parts[5] in {"true", "false"}

    return check


for _number, _text, _kinds, _wanted in GENERIC:
    checks("reqMktData", f"generic tick {_number}: {_text}")(_generic(_number, _kinds, _wanted))


@checks("reqMktData", "generic tick 221: mark price")
def mark(c: Client) -> None:
    got = line(c, nouns.stock(c), {37}, generic="221")
    assert prices(got)[37] > 0


@checks("reqMktData", "a generic tick that does not exist")
def wrong_generic(c: Client) -> int:
    return refused(c, "reqMktData", nouns.stock(c), "999", False, False, [])


@checks("reqMktData", "a snapshot may not ask for generic ticks")
def generic_snapshot(c: Client) -> int:
    return refused(c, "reqMktData", nouns.stock(c), "233", True, False, [])


@checks("reqMktData", "an unknown contract")
def unknown(c: Client) -> int:
    return refused(c, "reqMktData", nouns.stock(c, "NOSUCHTHING"), "", False, False, [])


@checks("reqMktData", "an id that is in use")
def duplicate(c: Client) -> int:
    got = c.request("reqMktData", nouns.stock(c), "", False, False, [], until="tickPrice")
    position = c.call("reqMktData", got.id, nouns.stock(c, "QQQ"), "", False, False, [])
    c.until(lambda: c.errors(position, got.id), "error")
    c.call("cancelMktData", got.id)
    return c.errors(position, got.id)[0]


@checks("cancelMktData", "an id that is not in use")
def cancel_unknown(c: Client) -> int:
    position = c.call("cancelMktData", 424242)
    c.until(lambda: c.errors(position, 424242), "error")
    return c.errors(position, 424242)[0]


@checks("reqMarketDataType", "delayed: the line says which kind it is, and its ticks fit")
def delayed(c: Client) -> None:
    c.call("reqMarketDataType", 3)
    got = c.request("reqMktData", nouns.stock(c), "", False, False, [], until=lambda a: len(prices(a)) > 2)
    c.call("cancelMktData", got.id)
    c.call("reqMarketDataType", 1)
    [(kind,), *_] = got.of("marketDataType")
    wanted = {1, 2} if kind == 1 else {66, 67}
    assert wanted <= set(prices(got)), (kind, prices(got))


@checks("reqMarketDataType", "frozen while the market is open is live")
def frozen(c: Client) -> None:
    c.call("reqMarketDataType", 2)
    got = c.request("reqMktData", nouns.stock(c), "", False, False, [], until=lambda a: len(prices(a)) > 2)
    c.call("cancelMktData", got.id)
    c.call("reqMarketDataType", 1)
    assert {1, 2} <= set(prices(got))


@checks("calculateImpliedVolatility", "the volatility of a price")
def implied(c: Client) -> None:
    contract = nouns.option(c)
    under = nouns.price(c, nouns.stock(c))
    got = c.request("calculateImpliedVolatility", contract, under * 0.02, under, [], until="tickOptionComputation")
    assert got.code is None, got.code
    [row] = got.of("tickOptionComputation")
    assert row[0] == 53
    assert 0.01 < row[2] < 5
    c.call("cancelCalculateImpliedVolatility", got.id)


@checks("calculateOptionPrice", "the price of a volatility")
def option_price(c: Client) -> None:
    contract = nouns.option(c)
    under = nouns.price(c, nouns.stock(c))
    got = c.request("calculateOptionPrice", contract, 0.2, under, [], until="tickOptionComputation")
    assert got.code is None, got.code
    [row] = got.of("tickOptionComputation")
    assert row[0] == 53
    assert 0 < row[4] < under
    c.call("cancelCalculateOptionPrice", got.id)


@checks("reqMktData", "an option that has expired")
def expired(c: Client) -> int:
    asked = c.make("Contract", symbol="SPY", secType="OPT", exchange="SMART", currency="USD", strike=500.0, right="P")
    asked.lastTradeDateOrContractMonth = "20240105"
    return refused(c, "reqMktData", asked, "", False, False, [])


@checks("reqMktData", "more lines than the login has")
def too_many(c: Client) -> int:
    contract = nouns.stock(c)
    ids = [c.new_id() for _ in range(101)]
    position = len(c.events)
    for request_id in ids:
        c.call("reqMktData", request_id, contract, "", False, False, [])
    c.until(lambda: 101 in c.errors(position), "error 101")
    for request_id in ids:
        c.call("cancelMktData", request_id)
    c.settle()
    return 101
