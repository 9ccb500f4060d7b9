"""ib_async 2.1, unmodified, against the gateway over TCP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from ib_async import IB, Index, LimitOrder, MarketOrder, Option, Stock
from tests.support.paper_world import SPX, SPY, HandMarket, option_id
from tests.support.tws_client import spread
from tests.support.waiting import PATIENCE_S, settled

from htbot.domain.instruments import Right
from htbot.paper.clock import PacedTime
from htbot.paper.gateway import Gateway, GatewayConfig
from htbot.paper.server import serving
from htbot.paper.store import Store

LONG, SHORT = option_id(4675, Right.PUT), option_id(4700, Right.PUT)
BULL_PUT = ((SHORT, "SELL"), (LONG, "BUY"))


class Running:
    """A paced gateway that serves, ticked by hand."""

    def __init__(self, gateway: Gateway, pace: PacedTime, port: int) -> None:
        self.gateway, self.pace, self.port = gateway, pace, port

    async def client(self, client_id: int = 7) -> IB:
        ib = IB()
        await ib.connectAsync("127.0.0.1", self.port, clientId=client_id, timeout=PATIENCE_S, raiseSyncErrors=True)
        return ib


class HandClock:
    """A clock that a test sets."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at


@pytest.fixture
def market() -> HandMarket:
    market = HandMarket()
    market.quotes[SHORT], market.quotes[LONG] = (8.1, 8.2), (3.3, 3.4)
    return market


@pytest.fixture
async def running(tmp_path: Path, market: HandMarket) -> AsyncIterator[Running]:
    gateway = Gateway(market, Store(tmp_path / "gateway.sqlite"), GatewayConfig(latency_s=0.0))
    pace = PacedTime(gateway, 1.0, HandClock(gateway.now))
    async with serving(gateway, pace, "127.0.0.1", 0) as port:
        yield Running(gateway, pace, port)


@asynccontextmanager
async def joined(running: Running, client_id: int = 7) -> AsyncIterator[IB]:
    ib = await running.client(client_id)
    try:
        yield ib
    finally:
        ib.disconnect()
        await settled(lambda: client_id not in running.gateway.sessions)


async def test_it_connects_at_the_highest_common_version(running: Running) -> None:
    async with joined(running) as ib:
        assert ib.client.serverVersion() == 178
        assert ib.managedAccounts() == list(running.gateway.accounts)
        assert ib.managedAccounts()[0].startswith("DU")
        values = {row.tag: row.value for row in ib.accountValues()}
        assert values["NetLiquidation"] == "100000.00"
        assert values["HtbotWorld"] == running.gateway.world_id
        assert values["HtbotSpeed"] == "1"


async def test_market_time_is_told(running: Running) -> None:
    async with joined(running) as ib:
        assert await ib.reqCurrentTimeAsync() == running.gateway.now


async def test_contracts_resolve_and_unknown_ones_are_error_200(running: Running) -> None:
    async with joined(running) as ib:
        codes: list[int] = []
        ib.errorEvent += lambda _id, code, _text, _contract: codes.append(code)
        index, stock = Index("SPX", "CBOE"), Stock("SPY", "SMART", "USD")
        await ib.qualifyContractsAsync(index, stock)
        assert (index.conId, stock.conId) == (SPX, SPY)
        [details] = await ib.reqContractDetailsAsync(index)
        assert details.longName == "The SPX \\ test"
        assert details.liquidHours.startswith("20240102:0930-20240102:1600;20240103:0930-20240103:1600;20240104:CLOSED")
        assert await ib.reqContractDetailsAsync(Stock("NONE", "SMART", "USD")) == []
        assert codes == [200]


async def test_chains_and_market_rules(running: Running) -> None:
    async with joined(running) as ib:
        [chain] = await ib.reqSecDefOptParamsAsync("SPX", "", "IND", SPX)
        assert chain.tradingClass == "SPXW"
        assert chain.expirations == ["20240102", "20240103"]
        assert chain.strikes == [4650.0, 4675.0, 4700.0, 4725.0]
        option = Option("SPX", "20240102", 4700, "P", "SMART")
        [details] = await ib.reqContractDetailsAsync(option)
        rule = await ib.reqMarketRuleAsync(int(details.marketRuleIds.split(",")[0]))
        assert [(row.lowEdge, row.increment) for row in rule] == [(0.0, 0.05), (3.0, 0.1)]


async def test_quotes_with_greeks_come_and_only_change_when_they_change(running: Running, market: HandMarket) -> None:
    async with joined(running) as ib:
        option = Option("SPX", "20240102", 4700, "P", "SMART")
        await ib.qualifyContractsAsync(option)
        ticker = ib.reqMktData(option)
        await settled(lambda: ticker.modelGreeks is not None)
        assert (ticker.bid, ticker.ask, ticker.bidSize, ticker.askSize) == (8.1, 8.2, 10.0, 12.0)
        assert ticker.modelGreeks.delta == -0.25
        market.quotes[SHORT] = (None, 8.3)
        updates: list[list[int]] = []
        ticker.updateEvent += lambda row: updates.append([tick.tickType for tick in row.ticks])
        running.pace._clock.at = running.gateway.now.replace(second=5)
        running.pace.tick()
        await settled(lambda: ticker.ask == 8.3)
        assert (ticker.bid, ticker.bidSize) == (-1, 0)
        assert updates == [[1, 2]]


async def test_history_is_kept_up_to_date(running: Running) -> None:
    async with joined(running) as ib:
        bars = await ib.reqHistoricalDataAsync(
            Index("SPX", "CBOE", conId=SPX), "", "1 D", "5 mins", "TRADES", useRTH=True, formatDate=2, keepUpToDate=True
        )
        assert len(bars) == 7
        assert bars[0].date == datetime(2024, 1, 2, 14, 30, tzinfo=UTC)
        assert (bars[-1].date.minute, bars[-1].close) == (0, 4700.0), "the bar that begins now"
        new: list[bool] = []
        bars.updateEvent += lambda _bars, has_new: new.append(has_new)
        running.pace._clock.at = datetime(2024, 1, 2, 15, 7, tzinfo=UTC)
        running.pace.tick()
        await settled(lambda: len(bars) == 8)
        assert bars[-1].date == datetime(2024, 1, 2, 15, 5, tzinfo=UTC)
        assert bars[-1].close == 4704.2
        running.pace._clock.at = datetime(2024, 1, 2, 15, 8, tzinfo=UTC)
        running.pace.tick()
        await settled(lambda: bars[-1].close == 4704.8)
        assert (len(bars), new) == (8, [False, True, False])


async def test_history_without_data_is_error_162(running: Running) -> None:
    async with joined(running) as ib:
        codes: list[int] = []
        ib.errorEvent += lambda _id, code, _text, _contract: codes.append(code)
        spx = Index("SPX", "CBOE", conId=SPX)
        assert not await ib.reqHistoricalDataAsync(spx, "20200101 00:00:00 UTC", "1 D", "5 mins", "TRADES", True)
        assert not await ib.reqHistoricalDataAsync(spx, "", "1 D", "5 mins", "MIDPOINT", True)
        assert codes == [162, 162]


async def test_a_combination_is_modified_filled_and_closed(running: Running) -> None:
    async with joined(running) as ib:
        bag = spread(*BULL_PUT)
        order = LimitOrder("BUY", 2, -5.00, orderRef="ref-entry")
        trade = ib.placeOrder(bag, order)
        await settled(lambda: trade.orderStatus.status == "Submitted")
        order.lmtPrice = -4.70
        ib.placeOrder(bag, order)
        await settled(lambda: trade.orderStatus.status == "Filled")
        assert trade.orderStatus.avgFillPrice == -4.7
        assert [fill.execution.price for fill in trade.fills] == [-4.7, 8.1, 3.4]
        assert [fill.contract.secType for fill in trade.fills] == ["BAG", "OPT", "OPT"]
        assert {fill.execution.permId for fill in trade.fills} == {trade.order.permId}
        assert {fill.execution.orderRef for fill in trade.fills} == {"ref-entry"}
        await settled(lambda: trade.fills[2].commissionReport.commission > 0)
        assert [fill.commissionReport.commission for fill in trade.fills] == [0.0, 2.46, 2.46]
        assert {row.contract.conId: row.position for row in ib.positions()} == {SHORT: -2.0, LONG: 2.0}
        close = ib.placeOrder(bag, MarketOrder("SELL", 2, orderRef="ref-exit"))
        await settled(lambda: close.orderStatus.status == "Filled")
        assert close.orderStatus.avgFillPrice == -4.9
        await settled(lambda: ib.positions() == [])
        cash = running.gateway.ledger.accounts[running.gateway.accounts[0]].cash_usd
        assert cash == Decimal(100_000) - 40 - 4 * Decimal("2.46")


async def test_executions_and_completed_orders_of_the_day(running: Running) -> None:
    async with joined(running) as ib:
        filled = ib.placeOrder(spread(*BULL_PUT), MarketOrder("BUY", 1, orderRef="a"))
        working = ib.placeOrder(Stock("SPY", "SMART", "USD"), LimitOrder("BUY", 1, 400, orderRef="b"))
        await settled(lambda: filled.isDone() and working.orderStatus.status == "Submitted")
        ib.cancelOrder(working.order)
        await settled(working.isDone)
        assert working.log[-1].status == "Cancelled"
    async with joined(running, 8) as other:
        fills = await other.reqExecutionsAsync()
        assert [fill.contract.secType for fill in fills] == ["BAG", "OPT", "OPT"]
        assert {fill.execution.clientId for fill in fills} == {7}
        done = await other.reqCompletedOrdersAsync(False)
        assert [(trade.order.orderRef, trade.orderStatus.status) for trade in done] == [
            ("a", "Filled"),
            ("b", "Cancelled"),
        ]


async def test_what_if_shows_margin_and_places_nothing(running: Running) -> None:
    async with joined(running) as ib:
        state = await ib.whatIfOrderAsync(spread(*BULL_PUT), LimitOrder("BUY", 1, -4.70))
        assert (state.initMarginChange, state.commission) == ("2500.00", 2.46)
        assert running.gateway.book.working == []


async def test_orders_of_others_are_seen_but_not_touched(running: Running) -> None:
    async with joined(running) as ib, joined(running, 8) as other:
        trade = ib.placeOrder(Stock("SPY", "SMART", "USD"), LimitOrder("BUY", 1, 400))
        await settled(lambda: trade.orderStatus.status == "Submitted")
        assert await other.reqOpenOrdersAsync() == []
        [seen] = await other.reqAllOpenOrdersAsync()
        assert (seen.order.clientId, seen.order.permId) == (7, trade.order.permId)
        codes: list[int] = []
        other.errorEvent += lambda _id, code, _text, _contract: codes.append(code)
        other.client.cancelOrder(trade.order.orderId)
        await settled(lambda: codes == [10147])
        assert trade.orderStatus.status == "Submitted"


async def test_a_client_id_in_use_is_refused_and_the_first_stays(running: Running) -> None:
    async with joined(running) as ib:
        with pytest.raises((ConnectionError, asyncio.TimeoutError)):
            await IB().connectAsync("127.0.0.1", running.port, clientId=7, timeout=0.5)
        assert await ib.reqCurrentTimeAsync() == running.gateway.now


async def test_profit_of_account_and_position(running: Running) -> None:
    async with joined(running) as ib:
        account = running.gateway.accounts[0]
        trade = ib.placeOrder(spread(*BULL_PUT), MarketOrder("BUY", 1))
        await settled(trade.isDone)
        profit = ib.reqPnL(account)
        single = ib.reqPnLSingle(account, "", SHORT)
        await settled(lambda: single.position == -1)
        # marks are mids: -(8.15 - 3.35) against -4.70 received, and 2.46 of commissions
        assert profit.unrealizedPnL == pytest.approx(-12.46)
        assert profit.dailyPnL == pytest.approx(-12.46)
        assert single.unrealizedPnL == pytest.approx(-6.23)
