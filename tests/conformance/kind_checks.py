"""Every type of order and time in force: taken, worked, cancelled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import nouns
from .client import Client
from .registry import Checks
from .tickets import place

checks = Checks("Order types")
Fields = dict[str, Any]
BOTH = ("PreSubmitted", "Submitted")
HELD = ("PreSubmitted",)
WORKING = ("Submitted",)


def cents(value: float) -> float:
    return round(value, 2)


# name, fields by price, statuses that say it is well
KINDS: tuple[tuple[str, Callable[[float], Fields], tuple[str, ...]], ...] = (
    ("LMT DAY", lambda p: {"orderType": "LMT", "lmtPrice": cents(p * 0.8), "tif": "DAY"}, WORKING),
    ("LMT GTC", lambda p: {"orderType": "LMT", "lmtPrice": cents(p * 0.8), "tif": "GTC"}, WORKING),
    (
        "LMT GTD",
        lambda p: {"orderType": "LMT", "lmtPrice": cents(p * 0.8), "tif": "GTD", "goodTillDate": "20240514-19:59:00"},
        WORKING,
    ),
    ("STP", lambda p: {"orderType": "STP", "auxPrice": cents(p * 1.2)}, HELD),
    ("STP LMT", lambda p: {"orderType": "STP LMT", "auxPrice": cents(p * 1.2), "lmtPrice": cents(p * 1.21)}, HELD),
    ("TRAIL, an amount", lambda p: {"orderType": "TRAIL", "auxPrice": 50.0, "trailStopPrice": cents(p * 1.2)}, HELD),
    ("TRAIL, a percentage", lambda _: {"orderType": "TRAIL", "trailingPercent": 10.0}, HELD),
    (
        "TRAIL LIMIT",
        lambda p: {
            "orderType": "TRAIL LIMIT",
            "auxPrice": 50.0,
            "trailStopPrice": cents(p * 1.2),
            "lmtPriceOffset": 0.1,
        },
        HELD,
    ),
    ("MIT", lambda p: {"orderType": "MIT", "auxPrice": cents(p * 0.8)}, HELD),
    ("LIT", lambda p: {"orderType": "LIT", "auxPrice": cents(p * 0.8), "lmtPrice": cents(p * 0.81)}, HELD),
    ("MOC", lambda _: {"orderType": "MOC"}, BOTH),
    ("LOC", lambda p: {"orderType": "LOC", "lmtPrice": cents(p)}, BOTH),
    ("REL", lambda p: {"orderType": "REL", "auxPrice": 0.01, "lmtPrice": cents(p * 0.8)}, BOTH),
    ("MIDPRICE", lambda p: {"orderType": "MIDPRICE", "lmtPrice": cents(p * 0.8)}, BOTH),
    ("MKT OPG", lambda _: {"orderType": "MKT", "tif": "OPG"}, BOTH),
    (
        "good after a time",
        lambda p: {"orderType": "LMT", "lmtPrice": cents(p * 0.8), "goodAfterTime": "20240514-19:00:00"},
        HELD,
    ),
    ("outside regular hours", lambda p: {"orderType": "LMT", "lmtPrice": cents(p * 0.8), "outsideRth": True}, WORKING),
    (
        "iceberg",
        lambda p: {"orderType": "LMT", "lmtPrice": cents(p * 0.8), "totalQuantity": 20, "displaySize": 10},
        WORKING,
    ),
    (
        "hidden",
        lambda p: {"orderType": "LMT", "lmtPrice": cents(p * 0.8), "exchange": "ISLAND", "hidden": True},
        WORKING,
    ),
    ("all or none", lambda p: {"orderType": "LMT", "lmtPrice": cents(p * 0.8), "allOrNone": True}, WORKING),
)


def _rests(name: str, fields: Callable[[float], Fields], statuses: tuple[str, ...]) -> Any:
    def check(c: Client) -> None:
        values = dict(fields(nouns.price(c, nouns.stock(c))))
        exchange = values.pop("exchange", "SMART")
        kind, quantity = values.pop("orderType"), values.pop("totalQuantity", 2)
        ticket = place(c, nouns.stock(c, exchange=exchange), nouns.order(c, "BUY", quantity, kind, **values))
        ticket.until(*statuses)
        order = ticket.opened[1]
        assert order.orderType in {kind, kind.replace(" ", "")}, order.orderType
        for field, value in values.items():
            if field not in {"goodTillDate", "goodAfterTime", "trailStopPrice", "lmtPrice"}:
                assert getattr(order, field) == value, (field, getattr(order, field))
        ticket.cancel()

    return check


for _name, _fields, _statuses in KINDS:
    checks("placeOrder", _name)(_rests(_name, _fields, _statuses))

ALGOS = (
    ("Adaptive", {"adaptivePriority": "Normal"}),
    ("Twap", {"strategyType": "Marketable", "allowPastEndTime": "1"}),
    ("Vwap", {"maxPctVol": "0.1", "noTakeLiq": "1"}),
    ("ArrivalPx", {"maxPctVol": "0.1", "riskAversion": "Aggressive"}),
    ("PctVol", {"pctVol": "0.1", "noTakeLiq": "1"}),
    ("DarkIce", {"displaySize": "10"}),
)


def _algo(name: str, parameters: dict[str, str]) -> Any:
    def check(c: Client) -> None:
        price = cents(nouns.price(c, nouns.stock(c)) * 0.8)
        order = nouns.order(c, "BUY", 2, "LMT", lmtPrice=price, algoStrategy=name)
        order.algoParams = [c.make("TagValue", tag=tag, value=value) for tag, value in parameters.items()]
        ticket = place(c, nouns.stock(c), order).until_live()
        echoed = ticket.opened[1]
        assert echoed.algoStrategy == name
        assert {item.tag: item.value for item in echoed.algoParams} == parameters
        ticket.cancel()

    return check


for _name, _parameters in ALGOS:
    checks("placeOrder", f"algorithm {_name}, with its parameters")(_algo(_name, _parameters))


@checks("placeOrder", "IOC away from the market ends at once")
def ioc(c: Client) -> None:
    price = cents(nouns.price(c, nouns.stock(c)) * 0.8)
    place(c, nouns.stock(c), nouns.order(c, "BUY", 1, "LMT", lmtPrice=price, tif="IOC")).until("Cancelled")


@checks("placeOrder", "FOK at the market fills whole")
def fok(c: Client) -> None:
    price = cents(nouns.price(c, nouns.stock(c)) * 1.01)
    ticket = place(c, nouns.stock(c), nouns.order(c, "BUY", 1, "LMT", lmtPrice=price, tif="FOK")).fill()
    assert len(ticket.executions()) == 1
    place(c, nouns.stock(c), nouns.order(c, "SELL", 1)).fill()


@checks("placeOrder", "STP on the market's side triggers and fills")
def stop_fills(c: Client) -> None:
    price = cents(nouns.price(c, nouns.stock(c)) * 0.99)
    place(c, nouns.stock(c), nouns.order(c, "BUY", 1, "STP", auxPrice=price)).fill()
    place(c, nouns.stock(c), nouns.order(c, "SELL", 1)).fill()


@checks("placeOrder", "TRAIL: openOrder shows the stop, and how it moves")
def trail_moves(c: Client) -> None:
    order = nouns.order(c, "SELL", 1, "TRAIL", auxPrice=5.0)
    ticket = place(c, nouns.stock(c), order).until("PreSubmitted")
    c.until(lambda: ticket.opened[1].trailStopPrice < 1e9, "a trailStopPrice")
    stop = ticket.opened[1].trailStopPrice
    price = nouns.price(c, nouns.stock(c))
    assert price - 8 < stop < price, (stop, price)
    ticket.cancel()


@checks("placeOrder", "with a price condition it is held until the condition is true")
def condition(c: Client) -> None:
    order = nouns.order(c, "BUY", 1)
    order.conditions = [
        c.make("PriceCondition", conId=756733, exch="SMART", isMore=True, price=9999.0, triggerMethod=0)
    ]
    ticket = place(c, nouns.stock(c), order).until("PreSubmitted")
    [told] = ticket.opened[1].conditions
    assert (told.conId, told.price, bool(told.isMore)) == (756733, 9999.0, True)
    ticket.cancel()


@checks("placeOrder", "GTD with its time zone")
def with_zone(c: Client) -> None:
    price = cents(nouns.price(c, nouns.stock(c)) * 0.8)
    order = nouns.order(c, "BUY", 1, "LMT", lmtPrice=price, tif="GTD", goodTillDate="20240514 15:59:00 US/Eastern")
    place(c, nouns.stock(c), order).until("Submitted").cancel()


@checks("placeOrder", "a stop says why it waits")
def why_held(c: Client) -> None:
    price = cents(nouns.price(c, nouns.stock(c)) * 1.2)
    ticket = place(c, nouns.stock(c), nouns.order(c, "BUY", 1, "STP", auxPrice=price)).until("PreSubmitted")
    assert "trigger" in ticket.events("orderStatus")[-1].args[9]
    ticket.cancel()


@checks("placeOrder", "an option at a limit between bid and ask rests; its execution is per share")
def option_limit(c: Client) -> None:
    contract = nouns.option(c)
    got = c.request("reqMktData", contract, "", True, False, [], until="tickSnapshotEnd")
    prices = {row[0]: row[1] for row in got.of("tickPrice")}
    resting = place(c, contract, nouns.order(c, "BUY", 1, "LMT", lmtPrice=cents(prices[1] * 0.5))).until("Submitted")
    resting.cancel()
    ticket = place(c, contract, nouns.order(c, "BUY", 1)).fill()
    [(filled, row)] = ticket.executions()
    assert (filled.secType, str(filled.multiplier), filled.strike) == ("OPT", "100", contract.strike)
    assert abs(row.price - prices[2]) < 0.3 * prices[2]
    [charge] = ticket.commissions()
    assert 0.2 < charge.commission < 3
    place(c, contract, nouns.order(c, "SELL", 1)).fill()
