"""Orders that IB refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import nouns
from .client import Client, NotInClient
from .order_checks import far_limit, flat
from .registry import Checks
from .tickets import place

checks = Checks("Refused orders")
Made = Callable[[Client], tuple[Any, Any]]


def _limit(c: Client, **more: Any) -> Any:
    values: dict[str, Any] = {"action": "BUY", "quantity": 1, "kind": "LMT", "lmtPrice": 100.0, **more}
    return nouns.order(c, values.pop("action"), values.pop("quantity"), values.pop("kind"), **values)


REFUSED: tuple[tuple[str, Made, set[int]], ...] = (
    ("an unknown contract", lambda c: (nouns.stock(c, "NOSUCHTHING"), _limit(c)), {200}),
    ("a contract without an exchange", lambda c: (nouns.stock(c, exchange=""), _limit(c)), {321}),
    ("a price off the tick grid", lambda c: (nouns.stock(c), _limit(c, lmtPrice=100.003)), {110}),
    ("quantity zero", lambda c: (nouns.stock(c), _limit(c, quantity=0)), {321, 434, 10052, 201}),
    ("a type that does not exist", lambda c: (nouns.stock(c), _limit(c, kind="NONSENSE")), {387, 321, 201}),
    ("a side that does not exist", lambda c: (nouns.stock(c), _limit(c, action="HOLD")), {321, 201}),
    ("a time in force that does not exist", lambda c: (nouns.stock(c), _limit(c, tif="NONSENSE")), {321, 201}),
    ("more than the account can pay", lambda c: (nouns.stock(c), _limit(c, quantity=100000, lmtPrice=600.0)), {201}),
    ("an account that is not ours", lambda c: (nouns.stock(c), _limit(c, account="DU0000000")), {321, 435, 201, 10013}),
    ("a parent that does not exist", lambda c: (nouns.stock(c), _limit(c, parentId=987654)), {135, 201, 10006, 321}),
    ("a stop without its price", lambda c: (nouns.stock(c), _limit(c, kind="STP", lmtPrice=0.0)), {321, 403, 201, 110}),
    ("an index", lambda c: (nouns.index(c), _limit(c)), {201, 200, 321, 387}),
    (
        "an algorithm that does not exist",
        lambda c: (nouns.stock(c), _limit(c, algoStrategy="Nonsense")),
        {439, 442, 443, 201},
    ),
)


def _refused(made: Made, codes: set[int]) -> Any:
    def check(c: Client) -> int:
        ticket = place(c, *made(c))
        code = ticket.refused()
        assert code in codes, code
        return code

    return check


for _name, _made, _codes in REFUSED:
    checks("placeOrder", _name)(_refused(_made, _codes))


@checks("placeOrder", "an order id that was used")
def used_id(c: Client) -> int:
    ticket = place(c, nouns.stock(c), nouns.order(c, "BUY", 1)).fill()
    again = place(c, nouns.stock(c), _limit(c), ticket.id)
    c.until(again.errors, "error")
    flat(c, nouns.stock(c), 1)
    code = again.errors()[0]
    assert code in {103, 104}, code
    return code


@checks("placeOrder", "an order id below the first valid one")
def old_id(c: Client) -> int:
    position = c.call("placeOrder", 0, nouns.stock(c), _limit(c))
    c.until(lambda: c.errors(position), "error")
    return c.errors(position)[0]


@checks("placeOrder", "a modification that cannot be leaves the order as it was")
def refused_change(c: Client) -> int:
    ticket = far_limit(c).until("Submitted")
    price = ticket.order.lmtPrice
    ticket.order.lmtPrice = price + 0.003
    ticket.place()
    c.until(ticket.errors, "error")
    code = ticket.errors()[0]
    rows = [e.args for e in c.plain("reqOpenOrders", until="openOrderEnd") if e.name == "openOrder"]
    assert [row[2].lmtPrice for row in rows if row[0] == ticket.id] == [price]
    ticket.cancel()
    return code


@checks("placeOrder", "the side of an order cannot be changed")
def refused_side(c: Client) -> int:
    ticket = far_limit(c).until("Submitted")
    ticket.order.action = "SELL"
    ticket.place()
    c.until(ticket.errors, "error")
    code = ticket.errors()[0]
    ticket.order.action = "BUY"
    ticket.cancel()
    return code


@checks("placeOrder", "a part of a share")
def fraction(c: Client) -> int:
    if c.server_version < 163:
        raise NotInClient("sizes are whole numbers up to version 162")
    return place(c, nouns.stock(c), _limit(c, quantity=0.5)).refused()


@checks("placeOrder", "an expired option")
def expired(c: Client) -> int:
    asked = c.make("Contract", symbol="SPY", secType="OPT", exchange="SMART", currency="USD", strike=500.0, right="P")
    asked.lastTradeDateOrContractMonth = "20240105"
    return place(c, asked, _limit(c)).refused()
