"""Brackets, OCA groups, combinations, and the executions of the day."""

from __future__ import annotations

from typing import Any

from . import nouns
from .client import Client
from .order_checks import far_limit, flat
from .registry import Checks
from .tickets import place

checks = Checks("Orders that belong together")


@checks(
    "placeOrder", "a bracket is parked until its last member is transmitted; children wait; the parent's end is theirs"
)
def bracket(c: Client) -> None:
    parent = far_limit(c, transmit=False)
    price = parent.order.lmtPrice
    target = place(
        c, nouns.stock(c), nouns.order(c, "SELL", 1, "LMT", lmtPrice=price + 50, parentId=parent.id, transmit=False)
    )
    c.pause(5)
    assert "Submitted" not in parent.statuses() + target.statuses()
    stop = place(c, nouns.stock(c), nouns.order(c, "SELL", 1, "STP", auxPrice=price - 50, parentId=parent.id))
    parent.until("Submitted")
    for child in (target, stop):
        child.until("PreSubmitted")
        assert child.last_status()["parent_id"] == parent.id
    parent.cancel()
    for child in (target, stop):
        child.until("Cancelled")


@checks("placeOrder", "a bracket's children go live when the parent fills; one that fills ends the other")
def bracket_filled(c: Client) -> None:
    price = nouns.price(c, nouns.stock(c))
    parent = place(c, nouns.stock(c), nouns.order(c, "BUY", 1, transmit=False))
    high, low = round(price * 1.2, 2), round(price * 0.8, 2)
    target = place(
        c, nouns.stock(c), nouns.order(c, "SELL", 1, "LMT", lmtPrice=high, parentId=parent.id, transmit=False)
    )
    stop = place(c, nouns.stock(c), nouns.order(c, "SELL", 1, "STP", auxPrice=low, parentId=parent.id))
    parent.until("Filled")
    target.until("Submitted")
    assert stop.statuses()[-1] == "PreSubmitted"
    target.order.lmtPrice = low
    target.order.transmit = True
    target.place().until("Filled")
    stop.until("Cancelled")


@checks("placeOrder", "one of an OCA group fills, the others end")
def oca(c: Client) -> None:
    group = f"oca-{c.client_id}-{c.order_id()}"
    tickets = [far_limit(c, ocaGroup=group, ocaType=1).until("Submitted") for _ in range(2)]
    tickets[0].order.lmtPrice = round(tickets[0].order.lmtPrice * 1.5, 2)
    tickets[0].place().until("Filled")
    tickets[1].until("Cancelled")
    flat(c, nouns.stock(c), 1)


@checks("placeOrder", "a combination: one execution of the whole and one of each leg, commissions of the legs")
def combination(c: Client) -> None:
    near, far = nouns.option(c), nouns.option(c, -0.02)
    contract = nouns.bag(c, (near.conId, "SELL"), (far.conId, "BUY"))
    ticket = place(c, contract, nouns.order(c, "BUY", 1)).fill()
    rows = ticket.executions()
    assert [row[0].secType for row in rows] == ["BAG", "OPT", "OPT"]
    whole, *legs = (row for _, row in rows)
    signs = {"BOT": 1, "SLD": -1}
    assert abs(whole.price - sum(signs[leg.side] * leg.price for leg in legs)) < 0.005
    assert whole.price < 0  # a credit
    assert {leg.permId for leg in legs} == {whole.permId}
    assert {row.execId for row in ticket.commissions() if row.commission > 0} == {leg.execId for leg in legs}
    place(c, contract, nouns.order(c, "SELL", 1)).fill()


@checks("placeOrder", "a combination at a credit limit rests, and is cancelled")
def resting_combination(c: Client) -> None:
    near, far = nouns.option(c), nouns.option(c, -0.02)
    contract = nouns.bag(c, (near.conId, "SELL"), (far.conId, "BUY"))
    ticket = place(c, contract, nouns.order(c, "BUY", 1, "LMT", lmtPrice=-9.0)).until("Submitted")
    assert ticket.opened[0].secType == "BAG"
    assert len(ticket.opened[0].comboLegs) == 2
    ticket.cancel()


@checks("placeOrder", "whatIf of a combination")
def what_if_combination(c: Client) -> None:
    near, far = nouns.option(c), nouns.option(c, -0.02)
    contract = nouns.bag(c, (near.conId, "SELL"), (far.conId, "BUY"))
    ticket = place(c, contract, nouns.order(c, "BUY", 1, "LMT", lmtPrice=-0.5, whatIf=True))
    c.until(lambda: ticket.events("openOrder"), "openOrder")
    assert float(ticket.opened[2].initMarginChange) > 0


# name, fields of the filter, what every row must have; None = there must be no row
FILTERS: tuple[tuple[str, dict[str, Any], tuple[str, str, Any] | None], ...] = (
    ("client", {"clientId": 5}, ("execution", "clientId", 5)),
    ("symbol", {"symbol": "SPY"}, ("contract", "symbol", "SPY")),
    ("side", {"side": "SELL"}, ("execution", "side", "SLD")),
    ("kind", {"secType": "OPT"}, ("contract", "secType", "OPT")),
    ("time", {"time": "20240514-23:00:00"}, None),
)


def _filtered(fields: dict[str, Any], wanted: tuple[str, str, Any] | None) -> Any:
    def check(c: Client) -> None:
        got = c.request("reqExecutions", c.make("ExecutionFilter", **fields), until="execDetailsEnd")
        rows = [{"contract": contract, "execution": execution} for contract, execution in got.of("execDetails")]
        if wanted is None:
            assert not rows, len(rows)
        else:
            noun, attribute, value = wanted
            assert {getattr(row[noun], attribute) for row in rows} == {value}

    return check


for _name, _fields, _wanted in FILTERS:
    checks("reqExecutions", f"filtered by {_name}")(_filtered(_fields, _wanted))
