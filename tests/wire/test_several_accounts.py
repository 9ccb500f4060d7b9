"""A login with several accounts and an adviser's login, met by ib_async."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from ib_async import IB, LimitOrder, MarketOrder, Order, Stock, Trade
from tests.support.paper_process import PaperProcess
from tests.support.waiting import PATIENCE_S, settled

ACCOUNTS = ["DU1000001", "DU1000002"]
MASTER = "DF1000000"
START = "2024-05-14T10:00:00-04:00"


@asynccontextmanager
async def joined(folder: Path, accounts: list[str]) -> AsyncIterator[IB]:
    gateway = PaperProcess(folder / "state", folder / "calendar", start=START, speed=20.0, accounts=accounts)
    ib = IB()
    try:
        await ib.connectAsync("127.0.0.1", gateway.start(), clientId=7, timeout=PATIENCE_S, raiseSyncErrors=True)
        yield ib
    finally:
        ib.disconnect()
        gateway.stop()


async def spy(ib: IB) -> Stock:
    contract = Stock("SPY", "SMART", "USD")
    await ib.qualifyContractsAsync(contract)
    return contract


def code_of(trade: Trade) -> int:
    return next((row.errorCode for row in trade.log if row.errorCode), 0)


async def test_orders_go_to_the_account_that_they_name(tmp_path: Path) -> None:
    async with joined(tmp_path, ACCOUNTS) as ib:
        assert ib.managedAccounts() == ACCOUNTS
        contract = await spy(ib)
        trade = ib.placeOrder(contract, MarketOrder("BUY", 3, account=ACCOUNTS[1]))
        await settled(lambda: bool(ib.positions(ACCOUNTS[1])))
        assert ib.positions(ACCOUNTS[0]) == []
        assert trade.fills[0].execution.acctNumber == ACCOUNTS[1]
        nobody = ib.placeOrder(contract, LimitOrder("BUY", 1, 100.0))
        await settled(nobody.isDone)
        assert code_of(nobody) == 435
        summary = await ib.accountSummaryAsync()
        assert {row.account for row in summary if row.tag == "NetLiquidation"} >= set(ACCOUNTS)


async def test_an_adviser_shares_an_order_out(tmp_path: Path) -> None:
    async with joined(tmp_path, [MASTER, *ACCOUNTS]) as ib:
        assert ib.managedAccounts() == [MASTER, *ACCOUNTS]
        root = ET.fromstring(await ib.requestFAAsync(1))
        assert root.tag == "ListOfGroups"
        listed = "".join(f"<String>{account}</String>" for account in ACCOUNTS)
        group = f"<Group><name>both</name><ListOfAccts varName='list'>{listed}</ListOfAccts>"
        ib.replaceFA(1, f"<ListOfGroups>{group}<defaultMethod>Equal</defaultMethod></Group></ListOfGroups>")
        contract = await spy(ib)
        order = Order(action="BUY", totalQuantity=10, orderType="MKT", faGroup="both", faMethod="Equal")
        ib.placeOrder(contract, order)
        await settled(lambda: len(ib.positions()) == 2)
        assert {row.account: row.position for row in ib.positions()} == dict.fromkeys(ACCOUNTS, 5.0)


@pytest.mark.parametrize("account", ["", MASTER])
async def test_an_adviser_must_say_who_trades(tmp_path: Path, account: str) -> None:
    async with joined(tmp_path, [MASTER, *ACCOUNTS]) as ib:
        trade = ib.placeOrder(await spy(ib), LimitOrder("BUY", 1, 100.0, account=account))
        await settled(trade.isDone)
        assert code_of(trade) == 436
