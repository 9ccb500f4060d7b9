"""The life of orders."""

from __future__ import annotations

from typing import Any

from . import nouns
from .client import Client
from .registry import Checks
from .tickets import LIVE, Ticket, place

checks = Checks("Orders")


def far_limit(c: Client, side: str = "BUY", part: float = 0.8, quantity: int = 1, **more: Any) -> Ticket:
    """A resting limit order of SPY, nowhere near the market."""
    price = round(nouns.price(c, nouns.stock(c)) * (part if side == "BUY" else 2 - part), 2)
    return place(c, nouns.stock(c), nouns.order(c, side, quantity, "LMT", lmtPrice=price, **more))


def flat(c: Client, contract: Any, quantity: float) -> None:
    place(c, contract, nouns.order(c, "SELL", quantity)).fill()


@checks("placeOrder", "MKT: openOrder, then status; execution, then status Filled, then commission")
def market_order(c: Client) -> None:
    ticket = place(c, nouns.stock(c), nouns.order(c, "BUY", 3)).fill()
    names = [event.name for event in ticket.events()]
    assert names[0] == "openOrder", names
    assert names.index("openOrder") < names.index("orderStatus")
    events = c.since(ticket.position)
    filled = next(e for e in events if e.name == "orderStatus" and e.args[0] == ticket.id and float(e.args[2]) == 3)
    execution = next(e for e in events if e.name == "execDetails")
    commission = next(e for e in events if e.name == "commissionReport")
    assert events.index(execution) < events.index(filled) < events.index(commission), names


@checks("placeOrder", "status Filled: filled, remaining, average, last price, client, parent")
def filled_status(c: Client) -> None:
    ticket = place(c, nouns.stock(c), nouns.order(c, "SELL", 3)).fill()
    told = ticket.last_status()
    assert (float(told["filled"]), float(told["remaining"])) == (3, 0)
    assert told["average"] == told["last_price"] > 0
    assert (told["client_id"], told["parent_id"]) == (c.client_id, 0)
    assert told["perm_id"] > 0


@checks("placeOrder", "execution: id, account, side, shares, price, cumulated, average, exchange, time, orderRef")
def execution_fields(c: Client) -> None:
    ticket = place(c, nouns.stock(c), nouns.order(c, "BUY", 2, orderRef="conformance")).fill()
    [(contract, row)] = ticket.executions()
    assert (contract.symbol, contract.secType) == ("SPY", "STK")
    assert len(row.execId.split(".")) >= 2, row.execId
    assert (row.acctNumber, row.side, row.orderRef) == (c.account(), "BOT", "conformance")
    assert (float(row.shares), float(row.cumQty)) == (2, 2)
    assert row.avgPrice == row.price > 0
    assert row.exchange
    assert (row.permId, row.clientId, row.orderId) == (ticket.perm_id, c.client_id, ticket.id)
    assert "2024" in str(row.time)
    assert row.lastLiquidity in {1, 2} or int(row.lastLiquidity) in {1, 2}
    flat(c, nouns.stock(c), 2)


@checks("placeOrder", "commission: currency, amount, realized profit of the trade that closes")
def commission_fields(c: Client) -> None:
    opening = place(c, nouns.stock(c), nouns.order(c, "BUY", 2)).fill()
    closing = place(c, nouns.stock(c), nouns.order(c, "SELL", 2)).fill()
    [first], [second] = opening.commissions(), closing.commissions()
    assert first.currency == "USD"
    assert 0.3 < first.commission < 2
    bought, sold = opening.executions()[0][1].price, closing.executions()[0][1].price
    realized = (sold - bought) * 2 - first.commission - second.commission
    assert abs(second.realizedPNL - realized) < 0.011, (second.realizedPNL, realized)
    assert first.realizedPNL in {0.0, 1.7976931348623157e308}, first.realizedPNL


@checks("placeOrder", "LMT that crosses fills at its limit or better")
def crossing_limit(c: Client) -> None:
    limit = round(nouns.price(c, nouns.stock(c)) * 1.01, 2)
    ticket = place(c, nouns.stock(c), nouns.order(c, "BUY", 1, "LMT", lmtPrice=limit)).fill()
    assert ticket.executions()[0][1].price <= limit
    flat(c, nouns.stock(c), 1)


@checks("placeOrder", "LMT that rests is Submitted and stays so")
def resting_limit(c: Client) -> None:
    ticket = far_limit(c).until("Submitted")
    c.pause(20)
    assert ticket.statuses()[-1] == "Submitted"
    told = ticket.last_status()
    assert (float(told["filled"]), float(told["remaining"]), told["average"]) == (0, 1, 0)
    ticket.cancel()


@checks("placeOrder", "openOrder says what was ordered")
def echo(c: Client) -> None:
    values = {"orderRef": "echo", "tif": "GTC", "outsideRth": True, "account": c.account(), "allOrNone": True}
    ticket = far_limit(c, quantity=7, **values).until_live()
    contract, order, state = ticket.opened
    assert (contract.conId, contract.symbol) == (756733, "SPY")
    assert {name: getattr(order, name) for name in values} == values
    assert (order.action, float(order.totalQuantity), order.orderType) == ("BUY", 7, "LMT")
    assert order.lmtPrice == ticket.order.lmtPrice
    assert (order.permId, order.clientId, order.orderId) == (ticket.perm_id, c.client_id, ticket.id)
    assert state.status in LIVE
    ticket.cancel()


@checks("placeOrder", "modified: same permId, new price, still working")
def modified(c: Client) -> None:
    ticket = far_limit(c).until("Submitted")
    perm_id = ticket.perm_id
    ticket.order.lmtPrice = round(ticket.order.lmtPrice - 1, 2)
    ticket.order.totalQuantity = 2
    ticket.place()
    c.until(lambda: ticket.opened[1].lmtPrice == ticket.order.lmtPrice, "openOrder with the new price")
    c.settle()
    assert float(ticket.opened[1].totalQuantity) == 2
    assert (ticket.statuses()[-1], ticket.perm_id) == ("Submitted", perm_id)
    assert ticket.errors() == []
    ticket.cancel()


@checks("placeOrder", "modified to the market it fills")
def modified_to_fill(c: Client) -> None:
    ticket = far_limit(c).until("Submitted")
    ticket.order.lmtPrice = round(ticket.order.lmtPrice * 1.5, 2)
    ticket.place().fill()
    flat(c, nouns.stock(c), 1)


@checks("placeOrder", "a large order fills in parts, cumulated quantity and average rising with them")
def partial(c: Client) -> None:
    contract = nouns.option(c, -0.03)
    line = c.request("reqMktData", contract, "", True, False, [], until="tickSnapshotEnd")
    size = next(float(row[1]) for row in line.of("tickSize") if row[0] == 3)
    ask = next(row[1] for row in line.of("tickPrice") if row[0] == 2)
    quantity = int(size * 2) + 1
    order = nouns.order(c, "BUY", quantity, "LMT", lmtPrice=round(ask * 1.5 + 0.05, 2))
    ticket = place(c, contract, order)
    ticket.until("Filled")
    rows = [row for _, row in ticket.executions()]
    assert len(rows) > 1
    assert [float(row.cumQty) for row in rows] == [
        sum(float(r.shares) for r in rows[: n + 1]) for n in range(len(rows))
    ]
    assert float(rows[-1].cumQty) == quantity
    for event in ticket.events("orderStatus"):
        assert float(event.args[2]) + float(event.args[3]) == quantity
    closing = place(c, contract, nouns.order(c, "SELL", quantity))
    closing.until("Filled")


@checks("cancelOrder", "status Cancelled, and 202")
def cancelled(c: Client) -> int:
    ticket = far_limit(c).until("Submitted").cancel()
    c.until(ticket.errors, "error 202")
    assert ticket.errors() == [202]
    return 202


@checks("cancelOrder", "an id that was never used")
def cancel_unknown(c: Client) -> int:
    position = c.call("cancelOrder", 999999, "")
    c.until(lambda: c.errors(position, 999999), "error")
    return c.errors(position, 999999)[0]


@checks("cancelOrder", "an order that is filled")
def cancel_filled(c: Client) -> int:
    ticket = place(c, nouns.stock(c), nouns.order(c, "BUY", 1)).fill()
    c.call("cancelOrder", ticket.id, "")
    c.until(ticket.errors, "error")
    assert ticket.statuses()[-1] == "Filled"
    flat(c, nouns.stock(c), 1)
    return ticket.errors()[0]


@checks("reqGlobalCancel", "ends every working order")
def global_cancel(c: Client) -> None:
    tickets = [far_limit(c).until("Submitted"), far_limit(c, tif="GTC").until("Submitted")]
    c.call("reqGlobalCancel")
    for ticket in tickets:
        ticket.until("Cancelled", "ApiCancelled")


@checks("reqOpenOrders", "own orders with their status, then the end")
def open_orders(c: Client) -> None:
    ticket = far_limit(c).until("Submitted")
    events = c.plain("reqOpenOrders", until="openOrderEnd")
    assert ticket.id in {event.args[0] for event in events if event.name == "openOrder"}
    assert ticket.id in {event.args[0] for event in events if event.name == "orderStatus"}
    ticket.cancel()
    events = c.plain("reqOpenOrders", until="openOrderEnd")
    assert ticket.id not in {event.args[0] for event in events if event.name == "openOrder"}


@checks("reqAllOpenOrders", "orders of other clients, with their client id; they cannot be cancelled from here")
def others(c: Client) -> int:
    ticket = far_limit(c).until("Submitted")
    other = c.another()
    other.open(c.port, 81)
    try:
        assert not [e for e in other.plain("reqOpenOrders", until="openOrderEnd") if e.name == "openOrder"]
        rows = [e.args for e in other.plain("reqAllOpenOrders", until="openOrderEnd") if e.name == "openOrder"]
        seen = next(row[2] for row in rows if row[2].permId == ticket.perm_id)
        assert seen.clientId == c.client_id
        position = other.call("cancelOrder", ticket.id, "")
        other.until(lambda: other.errors(position, ticket.id), "error")
        code = other.errors(position, ticket.id)[0]
    finally:
        other.close()
    c.settle()
    assert ticket.statuses()[-1] == "Submitted"
    ticket.cancel()
    return code


@checks("reqOpenOrders", "an order outlives its connection: same id, same permId, and can be cancelled")
def after_reconnect(c: Client) -> None:
    first = c.another()
    first.open(c.port, 82)
    ticket = far_limit(first, tif="GTC").until("Submitted")
    first.close()
    second = c.opened_again(82)
    try:
        rows = [e.args for e in second.plain("reqOpenOrders", until="openOrderEnd") if e.name == "openOrder"]
        assert [(row[0], row[2].permId) for row in rows] == [(ticket.id, ticket.perm_id)]
        assert second.order_id() > ticket.id
        again = Ticket(second, ticket.id, ticket.contract, ticket.order)
        again.cancel()
    finally:
        second.close()


@checks("reqAutoOpenOrders", "client 0 sees orders of others as they come")
def master_sees(c: Client) -> None:
    ticket = far_limit(c).until("Submitted")
    zero = c.opened_again(0)
    rows = [e.args for e in zero.plain("reqAllOpenOrders", until="openOrderEnd") if e.name == "openOrder"]
    zero.close()
    ticket.cancel()
    assert ticket.perm_id in {row[2].permId for row in rows}


@checks("reqCompletedOrders", "the day's finished orders with status and time, no order ids")
def completed(c: Client) -> None:
    ended = far_limit(c, orderRef="ended").until("Submitted").cancel()
    rows = [
        e.args for e in c.plain("reqCompletedOrders", False, until="completedOrdersEnd") if e.name == "completedOrder"
    ]
    states = {row[1].permId: row[2] for row in rows}
    assert states[ended.perm_id].status == "Cancelled"
    assert "Filled" in {row[2].status for row in rows}
    assert all(row[2].completedTime for row in rows)


@checks("reqExecutions", "the day's executions of this client with their commissions, then the end")
def executions(c: Client) -> None:
    ticket = place(c, nouns.stock(c), nouns.order(c, "BUY", 1)).fill()
    position = len(c.events)
    got = c.request("reqExecutions", c.make("ExecutionFilter"), until="execDetailsEnd")
    rows = got.of("execDetails")
    own = ticket.executions()[0][1].execId
    assert own in {row[1].execId for row in rows}
    c.until(lambda: own in {e.args[0].execId for e in c.since(position, "commissionReport")}, "commissionReport")
    assert all(row[1].permId > 0 for row in rows)
    flat(c, nouns.stock(c), 1)


@checks("placeOrder", "whatIf: margins and commission in one openOrder, and no order")
def what_if(c: Client) -> None:
    ticket = place(c, nouns.stock(c), nouns.order(c, "BUY", 10, whatIf=True))
    c.until(lambda: ticket.events("openOrder"), "openOrder")
    c.settle()
    _contract, _order, state = ticket.opened
    before, change, after = (float(getattr(state, f"initMargin{name}")) for name in ("Before", "Change", "After"))
    assert change > 0
    assert abs(before + change - after) < 0.02
    commission = getattr(state, "commission", None) or state.commissionAndFees
    assert 0.3 < commission < 3
    assert not {"Submitted", "Filled"} & set(ticket.statuses())
    assert not [
        e for e in c.plain("reqOpenOrders", until="openOrderEnd") if e.name == "openOrder" and e.args[0] == ticket.id
    ]


@checks("placeOrder", "a short sale makes a negative position")
def short(c: Client) -> None:
    ticket = place(c, nouns.stock(c, "QQQ"), nouns.order(c, "SELL", 1)).fill()
    assert ticket.executions()[0][1].side == "SLD"
    events = c.plain("reqPositions", until="positionEnd")
    held = {event.args[1].symbol: float(event.args[2]) for event in events if event.name == "position"}
    c.call("cancelPositions")
    assert held["QQQ"] == -1
    place(c, nouns.stock(c, "QQQ"), nouns.order(c, "BUY", 1)).fill()


@checks("placeOrder", "a currency pair")
def trade_a_pair(c: Client) -> None:
    place(c, nouns.forex(c), nouns.order(c, "BUY", 20000)).fill()
    place(c, nouns.forex(c), nouns.order(c, "SELL", 20000)).fill()


@checks("placeOrder", "a coin is paid at its limit: an order far below the market ties up little")
def coin_far_below(c: Client) -> None:
    order = nouns.order(c, "BUY", 2, "LMT", lmtPrice=1.0)
    place(c, nouns.crypto(c), order).until_live().cancel()


@checks("placeOrder", "a future")
def trade_a_future(c: Client) -> None:
    contract = nouns.future(c, "MES")
    place(c, contract, nouns.order(c, "BUY", 1)).fill()
    place(c, contract, nouns.order(c, "SELL", 1)).fill()


@checks("exerciseOptions", "nothing held to exercise")
def exercise(c: Client) -> int:
    got = c.request("exerciseOptions", nouns.option(c), 1, 1, c.account(), 0, until="nothing")
    assert got.code is not None
    return got.code


@checks("cancelOrder", "an order that is cancelled already")
def cancel_twice(c: Client) -> int:
    ticket = far_limit(c).until("Submitted").cancel()
    position = c.call("cancelOrder", ticket.id, "")
    c.until(lambda: set(c.errors(position, ticket.id)) - {202}, "error")
    return next(code for code in c.errors(position, ticket.id) if code != 202)


@checks("placeOrder", "an order parked by transmit=False can be cancelled, and is then gone")
def parked(c: Client) -> None:
    ticket = far_limit(c, transmit=False)
    c.settle()
    assert not {"Submitted", "Filled"} & set(ticket.statuses())
    c.call("cancelOrder", ticket.id, "")
    c.until(lambda: ticket.errors() or ticket.statuses(), "answer")
    c.settle()
    events = c.plain("reqOpenOrders", until="openOrderEnd")
    assert ticket.id not in {event.args[0] for event in events if event.name == "openOrder"}


@checks("placeOrder", "the orders of two clients may have the same id")
def same_id(c: Client) -> None:
    other = c.opened_again(83)
    try:
        order_id = max(c.order_id(), other.order_id()) + 1
        price = round(nouns.price(c, nouns.stock(c)) * 0.8, 2)
        tickets = [
            place(client, nouns.stock(client), nouns.order(client, "BUY", 1, "LMT", lmtPrice=price), order_id)
            for client in (c, other)
        ]
        perm_ids = {ticket.until("Submitted").perm_id for ticket in tickets}
        assert len(perm_ids) == 2
        for ticket in tickets:
            ticket.cancel()
    finally:
        other.close()
    c.plain("reqIds", 1, until="nextValidId")
