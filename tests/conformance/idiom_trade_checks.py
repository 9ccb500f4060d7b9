"""Trading with ib_async and ib_insync: trades, events, brackets, positions, what comes back after a reconnect."""

from __future__ import annotations

from .desk import Desk
from .registry import Checks

checks = Checks("Trading with the IB class")


@checks("IB.placeOrder", "a market order: events, fills, commission, log")
def market(d: Desk) -> None:
    told: list[str] = []
    trade = d.ib.placeOrder(d.spy(), d.library.MarketOrder("BUY", 2))
    trade.statusEvent += lambda row: told.append(row.orderStatus.status)
    trade.filledEvent += lambda _: told.append("filled!")
    trade.commissionReportEvent += lambda *_: told.append("commission!")
    d.until(lambda: "commission!" in told, "commission")
    assert told[-1] == "commission!"
    assert "filled!" in told
    assert (trade.filled(), trade.remaining()) == (2, 0)
    assert trade.fills[0].commissionReport.commission > 0
    assert trade.log[0].status == "PendingSubmit"
    assert trade.order.permId
    d.filled(d.spy(), d.library.MarketOrder("SELL", 2))


@checks("IB.placeOrder", "placed, modified, cancelled")
def limit(d: Desk) -> None:
    trade = d.resting()
    assert trade in d.ib.openTrades()
    perm_id = trade.order.permId
    trade.order.lmtPrice -= 1
    d.ib.placeOrder(trade.contract, trade.order)
    d.until(lambda: any("odify" in row.message for row in trade.log), "Modify in the log")
    d.ib.cancelOrder(trade.order)
    d.until(trade.isDone, "end")
    assert trade.orderStatus.status == "Cancelled"
    assert trade.order.permId == perm_id
    assert trade not in d.ib.openTrades()


@checks("IB.placeOrder", "refused: the trade ends, the log has the code")
def refused(d: Desk) -> int:
    trade = d.ib.placeOrder(d.spy(), d.library.LimitOrder("BUY", 100_000, 600.0))
    d.until(lambda: trade.orderStatus.status in {"Inactive", "Cancelled"}, "end")
    d.until(lambda: [row for row in trade.log if row.errorCode], "a code in the log")
    return int(next(row.errorCode for row in trade.log if row.errorCode))


@checks("IB.bracketOrder", "three orders; the target's fill ends the stop")
def bracket(d: Desk) -> None:
    price = round(d.ib.reqTickers(d.spy())[0].marketPrice(), 2)
    orders = d.ib.bracketOrder("BUY", 1, round(price * 1.01, 2), round(price * 1.2, 2), round(price * 0.8, 2))
    parent, target, stop = [d.ib.placeOrder(d.spy(), order) for order in orders]
    d.until(lambda: parent.orderStatus.status == "Filled", "the parent's fill")
    d.until(lambda: target.orderStatus.status == "Submitted", "the target at work")
    target.order.lmtPrice = round(price * 0.9, 2)
    d.ib.placeOrder(target.contract, target.order)
    d.until(lambda: target.isDone() and stop.isDone(), "the end of both")
    assert (target.orderStatus.status, stop.orderStatus.status) == ("Filled", "Cancelled")


@checks("IB.oneCancelsAll", "one filled, one cancelled")
def one_cancels_all(d: Desk) -> None:
    price = round(d.ib.reqTickers(d.spy())[0].marketPrice(), 2)
    orders = [d.library.LimitOrder("BUY", 1, round(price * part, 2)) for part in (0.8, 1.01)]
    first, second = [d.ib.placeOrder(d.spy(), order) for order in d.ib.oneCancelsAll(orders, "together-1", 1)]
    d.until(lambda: first.isDone() and second.isDone(), "the end of both")
    assert (first.orderStatus.status, second.orderStatus.status) == ("Cancelled", "Filled")
    d.filled(d.spy(), d.library.MarketOrder("SELL", 1))


@checks("IB.whatIfOrder", "margins and commission")
def what_if(d: Desk) -> None:
    before = d.ib.openTrades()
    state = d.ib.whatIfOrder(d.spy(), d.library.MarketOrder("BUY", 10))
    assert float(state.initMarginChange) > 0
    assert 0.3 < state.commission < 3
    assert d.ib.openTrades() == before


@checks("IB.placeOrder", "a spread: fills of the combination and of its legs")
def spread(d: Desk) -> None:
    near, far = d.option(), d.option(-0.02)
    legs = [
        d.library.ComboLeg(conId=leg.conId, ratio=1, action=side, exchange="SMART")
        for leg, side in ((near, "SELL"), (far, "BUY"))
    ]
    bag = d.library.Contract(symbol="SPY", secType="BAG", exchange="SMART", currency="USD", comboLegs=legs)
    trade = d.filled(bag, d.library.MarketOrder("BUY", 1))
    assert [fill.contract.secType for fill in trade.fills] == ["BAG", "OPT", "OPT"]
    assert {near.conId, far.conId} == {row.contract.conId for row in d.ib.positions()}
    d.filled(bag, d.library.MarketOrder("SELL", 1))
    d.until(lambda: not d.ib.positions(), "the end of the positions")


@checks("IB.positions, IB.portfolio", "follow the fills")
def positions(d: Desk) -> None:
    d.filled(d.spy(), d.library.MarketOrder("BUY", 3))
    d.until(lambda: [row.position for row in d.ib.positions()] == [3], "position")
    d.until(lambda: [row.position for row in d.ib.portfolio()] == [3], "portfolio row")
    [row] = d.ib.portfolio()
    assert abs(row.marketValue - 3 * row.marketPrice) < 0.05
    d.filled(d.spy(), d.library.MarketOrder("SELL", 3))
    d.until(lambda: not d.ib.positions(), "the end of the position")


@checks("IB.accountSummary", "tags as numbers")
def summary(d: Desk) -> None:
    rows = {row.tag: row.value for row in d.ib.accountSummary()}
    assert float(rows["NetLiquidation"]) > 0
    assert {"Cushion", "ExcessLiquidity", "GrossPositionValue", "MaintMarginReq"} <= set(rows)


@checks("IB.reqPnL", "an object that is kept")
def pnl(d: Desk) -> None:
    account = d.ib.managedAccounts()[0]
    row = d.ib.reqPnL(account)
    d.until(lambda: row.dailyPnL == row.dailyPnL, "profit")
    assert row in d.ib.pnl(account)
    d.ib.cancelPnL(account)


@checks("IB.fills, IB.executions, IB.reqExecutions", "the day's, the same everywhere")
def fills(d: Desk) -> None:
    with d.second(92) as ib:
        told = {fill.execution.execId for fill in ib.reqExecutions()}
    own = {fill.execution.execId for fill in d.ib.fills()}
    assert own
    assert own <= told
    assert own == {row.execId for row in d.ib.executions()}


@checks("IB.reqAllOpenOrders, IB.reqCompletedOrders", "trades of others, finished ones")
def others(d: Desk) -> None:
    trade = d.resting(tif="GTC")
    with d.second(93) as ib:
        assert trade.order.permId in {row.order.permId for row in ib.reqAllOpenOrders()}
    d.ib.reqGlobalCancel()
    d.until(trade.isDone, "end")
    with d.second(94) as ib:
        states = {row.order.permId: row.orderStatus.status for row in ib.reqCompletedOrders(False)}
    assert states[trade.order.permId] == "Cancelled"


@checks("IB.connect", "finds the working orders and positions of the session before")
def restored(d: Desk) -> None:
    with d.second(95) as ib:
        price = round(d.ib.reqTickers(d.spy())[0].marketPrice() * 0.8, 2)
        trade = ib.placeOrder(d.spy(), d.library.LimitOrder("BUY", 1, price, tif="GTC", orderRef="kept"))
        d.until(lambda: trade.orderStatus.status == "Submitted", "Submitted")
    with d.second(95) as ib:
        [found] = [row for row in ib.openTrades() if row.order.orderRef == "kept"]
        assert (found.order.permId, found.order.orderId) == (trade.order.permId, trade.order.orderId)
        assert found.orderStatus.status == "Submitted"
        ib.cancelOrder(found.order)
        d.until(found.isDone, "end")
