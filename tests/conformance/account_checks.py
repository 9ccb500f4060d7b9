"""Accounts, positions, profit."""

from __future__ import annotations

import re
from typing import Any

from . import nouns
from .client import Client, Event
from .order_checks import flat
from .registry import Checks
from .tickets import place

checks = Checks("Accounts")
SUMMARY_TAGS = (
    "AccountType", "NetLiquidation", "TotalCashValue", "SettledCash", "AccruedCash", "BuyingPower",
    "EquityWithLoanValue", "PreviousEquityWithLoanValue", "GrossPositionValue", "ReqTEquity", "ReqTMargin", "SMA",
    "InitMarginReq", "MaintMarginReq", "AvailableFunds", "ExcessLiquidity", "Cushion", "FullInitMarginReq",
    "FullMaintMarginReq", "FullAvailableFunds", "FullExcessLiquidity", "LookAheadNextChange",
    "LookAheadInitMarginReq", "LookAheadMaintMarginReq", "LookAheadAvailableFunds", "LookAheadExcessLiquidity",
    "HighestSeverity", "DayTradesRemaining", "Leverage",
)  # fmt: skip
SILENT = {"ReqTEquity", "ReqTMargin", "HighestSeverity", "PreviousEquityWithLoanValue"}
"""Tags that IB leaves out when it has nothing to say."""
VALUES = {
    "AccountCode", "AccountReady", "AccountType", "NetLiquidation", "TotalCashValue", "BuyingPower",
    "AvailableFunds", "ExcessLiquidity", "CashBalance", "UnrealizedPnL", "RealizedPnL", "InitMarginReq",
    "MaintMarginReq", "GrossPositionValue",
}  # fmt: skip


def updates(c: Client) -> list[Event]:
    events = c.plain("reqAccountUpdates", True, c.account(), until="accountDownloadEnd")
    c.call("reqAccountUpdates", False, c.account())
    return events


@checks("reqAccountUpdates", "values, time, then the end with the account's name")
def account_updates(c: Client) -> None:
    events = updates(c)
    values = {event.args[0]: event.args[1] for event in events if event.name == "updateAccountValue"}
    assert not VALUES - set(values), VALUES - set(values)
    assert float(values["NetLiquidation"]) > 90_000
    assert {event.args[3] for event in events if event.name == "updateAccountValue"} == {c.account()}
    times = [event.args[0] for event in events if event.name == "updateAccountTime"]
    assert times
    assert all(re.fullmatch(r"\d\d:\d\d", time) for time in times)
    [end] = [event for event in events if event.name == "accountDownloadEnd"]
    assert end.args == (c.account(),)


@checks("reqAccountUpdates", "a ledger row in BASE and in USD")
def ledger_rows(c: Client) -> None:
    rows = {
        event.args[2] for event in updates(c) if event.name == "updateAccountValue" and event.args[0] == "CashBalance"
    }
    assert {"BASE", "USD"} <= rows, rows


@checks("reqAccountUpdates", "positions: price, value, cost, profit")
def portfolio(c: Client) -> None:
    ticket = place(c, nouns.stock(c), nouns.order(c, "BUY", 2)).fill()
    [event] = [e for e in updates(c) if e.name == "updatePortfolio" and e.args[0].symbol == "SPY"]
    contract, position, price, value, cost, unrealized, _realized, account = event.args
    assert (contract.secType, float(position), account) == ("STK", 2, c.account())
    assert abs(value - 2 * price) < 0.02
    paid = ticket.executions()[0][1].price
    assert paid <= cost < paid + 1
    assert abs(unrealized - (value - 2 * cost)) < 0.03
    flat(c, nouns.stock(c), 2)


@checks("reqAccountUpdates", "of an option: cost and value are per contract")
def option_portfolio(c: Client) -> None:
    contract = nouns.option(c)
    ticket = place(c, contract, nouns.order(c, "BUY", 1)).fill()
    [event] = [e for e in updates(c) if e.name == "updatePortfolio" and e.args[0].conId == contract.conId]
    paid = ticket.executions()[0][1].price
    assert paid * 100 <= event.args[4] < paid * 100 + 5
    flat(c, contract, 1)


@checks("reqAccountSummary", "every tag, then the end")
def summary(c: Client) -> None:
    got = c.request("reqAccountSummary", "All", ",".join(SUMMARY_TAGS), until="accountSummaryEnd")
    c.call("cancelAccountSummary", got.id)
    rows = {row[1]: row for row in got.of("accountSummary")}
    missing = set(SUMMARY_TAGS) - SILENT - set(rows)
    assert not missing, missing
    assert {row[0] for row in rows.values()} == {c.account()}
    assert rows["NetLiquidation"][3] == "USD"
    assert float(rows["BuyingPower"][2]) >= float(rows["AvailableFunds"][2])
    assert 0 <= float(rows["Cushion"][2]) <= 1


@checks("reqAccountSummary", "$LEDGER: the base currency's ledger")
def ledger(c: Client) -> None:
    got = c.request("reqAccountSummary", "All", "$LEDGER", until="accountSummaryEnd")
    c.call("cancelAccountSummary", got.id)
    tags = {row[1] for row in got.of("accountSummary")}
    assert {"CashBalance", "NetLiquidationByCurrency", "RealizedPnL", "UnrealizedPnL", "ExchangeRate"} <= tags, tags


@checks("reqAccountSummary", "$LEDGER:ALL: a ledger per currency")
def ledger_all(c: Client) -> None:
    got = c.request("reqAccountSummary", "All", "$LEDGER:ALL", until="accountSummaryEnd")
    c.call("cancelAccountSummary", got.id)
    assert {"BASE", "USD"} <= {row[3] for row in got.of("accountSummary") if row[1] == "CashBalance"}


@checks("reqAccountSummary", "a third one at a time")
def third_summary(c: Client) -> int:
    open_ = [c.request("reqAccountSummary", "All", "NetLiquidation", until="accountSummaryEnd") for _ in range(2)]
    third = c.request("reqAccountSummary", "All", "NetLiquidation", until="accountSummaryEnd")
    for got in open_:
        c.call("cancelAccountSummary", got.id)
    c.settle()
    assert third.code == 322, third.code
    return 322


@checks("reqPositions", "all positions, then the end, then changes")
def positions(c: Client) -> None:
    events = c.plain("reqPositions", until="positionEnd")
    held = [event for event in events if event.name == "position" and float(event.args[2])]
    assert held == [], held
    position = len(c.events)
    ticket = place(c, nouns.stock(c), nouns.order(c, "BUY", 2)).fill()
    c.until(lambda: c.since(position, "position"), "position")
    [event, *_] = c.since(position, "position")
    account, contract, quantity, cost = event.args
    assert (account, contract.symbol, float(quantity)) == (c.account(), "SPY", 2)
    assert cost >= ticket.executions()[0][1].price
    c.call("cancelPositions")
    flat(c, nouns.stock(c), 2)


@checks("reqPositionsMulti", "of an account, with the end")
def positions_multi(c: Client) -> None:
    place(c, nouns.stock(c), nouns.order(c, "BUY", 2)).fill()
    got = c.request("reqPositionsMulti", c.account(), "", until="positionMultiEnd")
    c.call("cancelPositionsMulti", got.id)
    assert got.code is None, got.code
    assert {(row[0], row[2].symbol, float(row[3])) for row in got.of("positionMulti")} == {(c.account(), "SPY", 2)}
    flat(c, nouns.stock(c), 2)


@checks("reqAccountUpdatesMulti", "values of an account, with the end")
def updates_multi(c: Client) -> None:
    got = c.request("reqAccountUpdatesMulti", c.account(), "", False, until="accountUpdateMultiEnd")
    c.call("cancelAccountUpdatesMulti", got.id)
    assert got.code is None, got.code
    assert {"NetLiquidation", "BuyingPower"} <= {row[2] for row in got.of("accountUpdateMulti")}


@checks("reqAccountUpdatesMulti", "ledger and net liquidation alone")
def ledger_multi(c: Client) -> None:
    got = c.request("reqAccountUpdatesMulti", c.account(), "", True, until="accountUpdateMultiEnd")
    c.call("cancelAccountUpdatesMulti", got.id)
    tags = {row[2] for row in got.of("accountUpdateMulti")}
    assert "CashBalance" in tags
    assert "BuyingPower" not in tags


@checks("reqPnL", "daily, unrealized, realized; again each second")
def pnl(c: Client) -> None:
    place(c, nouns.stock(c), nouns.order(c, "BUY", 2)).fill()
    got = c.request("reqPnL", c.account(), "", until=lambda answer: len(answer.of("pnl")) > 2)
    c.call("cancelPnL", got.id)
    assert got.code is None, got.code
    assert all(len(row) == 3 for row in got.of("pnl"))
    assert all(abs(row[0]) < 10_000 for row in got.of("pnl")[1:])
    flat(c, nouns.stock(c), 2)


@checks("reqPnLSingle", "of a position: quantity, profits, value")
def pnl_single(c: Client) -> None:
    place(c, nouns.stock(c), nouns.order(c, "BUY", 2)).fill()

    def known(answer: Any) -> bool:
        return any(float(row[0]) == 2 and abs(row[4]) < 1e9 for row in answer.of("pnlSingle"))

    got = c.request("reqPnLSingle", c.account(), "", 756733, until=known)
    c.call("cancelPnLSingle", got.id)
    assert got.of("pnlSingle")[-1][4] > 100
    flat(c, nouns.stock(c), 2)


@checks("reqPnL", "an account that is not ours")
def wrong_account(c: Client) -> int:
    got = c.request("reqPnL", "DU0000000", "", until="pnl")
    assert got.code is not None
    return got.code


@checks("requestFA", "not for an account without clients")
def advisor(c: Client) -> int:
    position = c.call("requestFA", 1)
    c.until(lambda: c.errors(position), "error")
    return c.errors(position)[0]


@checks("replaceFA", "not for an account without clients")
def replace_advisor(c: Client) -> int:
    position = c.call("replaceFA", c.new_id(), 1, "<ListOfGroups/>")
    c.until(lambda: c.errors(position), "error")
    return c.errors(position)[0]


@checks("reqAccountUpdates", "a fill pushes portfolio and values while subscribed, and no more after")
def pushed(c: Client) -> None:
    c.plain("reqAccountUpdates", True, c.account(), until="accountDownloadEnd")
    position = len(c.events)
    place(c, nouns.stock(c), nouns.order(c, "BUY", 2)).fill()
    c.until(lambda: [e for e in c.since(position, "updatePortfolio") if float(e.args[1]) == 2], "updatePortfolio")
    c.call("reqAccountUpdates", False, c.account())
    c.settle()
    position = len(c.events)
    flat(c, nouns.stock(c), 2)
    c.settle()
    assert not c.since(position, "updatePortfolio", "updateAccountValue")


@checks("reqPositions", "a closed position is told with zero")
def closed_position(c: Client) -> None:
    c.plain("reqPositions", until="positionEnd")
    place(c, nouns.stock(c), nouns.order(c, "BUY", 2)).fill()
    position = len(c.events)
    flat(c, nouns.stock(c), 2)
    c.until(lambda: [e for e in c.since(position, "position") if float(e.args[2]) == 0], "position of zero")
    c.call("cancelPositions")
