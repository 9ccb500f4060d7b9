"""kill -9 of the gateway's process: books, ids and clock go on where the client was told they are."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import pytest
from ib_async import IB, ComboLeg, Contract, Index, LimitOrder, MarketOrder, Option, Stock, Trade
from tests.support.paper_process import PaperProcess
from tests.support.waiting import PATIENCE_S, settled

START = "2026-03-04T10:00:00-05:00"


@pytest.fixture(scope="module")
def calendar_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The exchange's calendar takes a second to make: once for all."""
    return tmp_path_factory.mktemp("calendar")


@pytest.fixture
def process(tmp_path: Path, calendar_dir: Path) -> Iterator[PaperProcess]:
    process = PaperProcess(tmp_path / "state", calendar_dir, start=START, seed=3, speed=1.0)
    process.start()
    yield process
    process.kill()


async def gone(ib: IB) -> None:
    """The library has seen that the gateway is dead."""
    await settled(lambda: not ib.isConnected())


async def connect(process: PaperProcess) -> IB:
    ib = IB()
    await ib.connectAsync("127.0.0.1", process.port, clientId=7, timeout=PATIENCE_S, raiseSyncErrors=True)
    return ib


async def put_spread(ib: IB) -> Contract:
    spx = Index("SPX", "CBOE")
    await ib.qualifyContractsAsync(spx)
    ticker = ib.reqMktData(spx)
    await settled(lambda: ticker.last == ticker.last)
    strike = round(ticker.last / 5) * 5
    legs = [Option("SPX", "20260304", strike - gap, "P", "SMART", tradingClass="SPXW") for gap in (10, 35)]
    await ib.qualifyContractsAsync(*legs)
    combo = [
        ComboLeg(conId=leg.conId, ratio=1, action=action, exchange="SMART")
        for leg, action in zip(legs, ("SELL", "BUY"), strict=True)
    ]
    return Contract(symbol="SPX", secType="BAG", exchange="SMART", currency="USD", comboLegs=combo)


async def test_books_ids_and_clock_survive(process: PaperProcess) -> None:
    ib = await connect(process)
    bag = await put_spread(ib)
    filled = ib.placeOrder(bag, MarketOrder("BUY", 2, orderRef="entry"))
    working = ib.placeOrder(bag, LimitOrder("BUY", 1, -24.00, orderRef="rest", tif="GTC"))
    await settled(lambda: filled.isDone() and working.orderStatus.status == "Submitted")
    positions = {row.contract.conId: (row.position, row.avgCost) for row in ib.positions()}
    accounts, before = ib.managedAccounts(), await ib.reqCurrentTimeAsync()
    process.kill()
    await gone(ib)

    process.start()
    again = await connect(process)
    assert again.managedAccounts() == accounts
    assert await again.reqCurrentTimeAsync() >= before
    assert again.client.getReqId() > max(filled.order.orderId, working.order.orderId)
    [open_trade] = await again.reqOpenOrdersAsync()
    assert _identity(open_trade) == _identity(working)
    assert open_trade.order.lmtPrice == -24.0
    fills = await again.reqExecutionsAsync()
    assert [fill.execution.execId for fill in fills] == [fill.execution.execId for fill in filled.fills]
    assert {row.contract.conId: (row.position, row.avgCost) for row in again.positions()} == positions
    [done] = await again.reqCompletedOrdersAsync(False)
    assert (done.order.permId, done.order.orderRef) == (filled.order.permId, "entry")
    close = again.placeOrder(bag, MarketOrder("SELL", 2, orderRef="exit"))
    await settled(close.isDone)
    await settled(lambda: again.positions() == [])
    again.disconnect()


def _identity(trade: Trade) -> tuple[int, int, str]:
    return trade.order.orderId, trade.order.permId, trade.order.orderRef


async def test_the_world_goes_on_and_a_fresh_one_is_another(
    process: PaperProcess, tmp_path: Path, calendar_dir: Path
) -> None:
    ib = await connect(process)
    accounts = ib.managedAccounts()
    ib.disconnect()
    assert process.stop() == 0
    fresh = PaperProcess(tmp_path / "state", calendar_dir, start=START, seed=3, speed=1.0, fresh=True)
    fresh.start()
    other = await connect(fresh)
    assert other.managedAccounts() != accounts
    assert {row.tag: row.value for row in other.accountValues()}["HtbotWorld"].endswith("-1")
    other.disconnect()
    fresh.kill()


async def test_two_gateways_never_share_a_folder(process: PaperProcess, tmp_path: Path, calendar_dir: Path) -> None:
    assert process.port
    with pytest.raises(RuntimeError):
        PaperProcess(tmp_path / "state", calendar_dir, start=START, seed=3).start()


async def test_the_clock_starts_where_it_was_told(process: PaperProcess) -> None:
    ib = await connect(process)
    now = await ib.reqCurrentTimeAsync()
    assert 0 <= (now - datetime.fromisoformat(START)).total_seconds() < 60
    assert now.astimezone(ZoneInfo("America/New_York")).hour == 10
    ib.disconnect()


async def test_nothing_that_was_acknowledged_is_lost_by_a_kill_in_a_storm(process: PaperProcess) -> None:
    random = Random(7)
    told: dict[int, tuple[int, str]] = {}
    fills: set[str] = set()
    for _ in range(3):
        ib = await connect(process)
        ib.orderStatusEvent += lambda trade: told.__setitem__(
            trade.order.orderId, (trade.order.permId, trade.orderStatus.status)
        )
        ib.execDetailsEvent += lambda _trade, fill: fills.add(fill.execution.execId)
        before = len(told)
        storm = asyncio.create_task(_storm(ib, random))
        await settled(lambda before=before: any(status in _ACKNOWLEDGED for _, status in [*told.values()][before:]))
        await asyncio.sleep(random.uniform(0.1, 0.3))
        process.kill()
        storm.cancel()
        await asyncio.gather(storm, return_exceptions=True)
        await gone(ib)
        process.start()

        again = await connect(process)
        permanent = {trade.order.permId for trade in await again.reqOpenOrdersAsync()}
        permanent |= {trade.order.permId for trade in await again.reqCompletedOrdersAsync(False)}
        acknowledged = {perm_id for perm_id, status in told.values() if status in _ACKNOWLEDGED}
        assert acknowledged
        assert acknowledged <= permanent
        assert again.client.getReqId() > max(told)
        kept = [fill.execution for fill in await again.reqExecutionsAsync()]
        assert fills <= {execution.execId for execution in kept}
        assert len({execution.execId for execution in kept}) == len(kept)
        bought = sum(execution.shares if execution.side == "BOT" else -execution.shares for execution in kept)
        assert sum(row.position for row in again.positions()) == bought
        again.disconnect()


_ACKNOWLEDGED = {"PreSubmitted", "Submitted", "Filled", "Cancelled"}


async def _storm(ib: IB, random: Random) -> None:
    """Orders as fast as they go: half of them trade, some are cancelled."""
    spy = Stock("SPY", "SMART", "USD")
    await ib.qualifyContractsAsync(spy)
    while True:
        side = random.choice(["BUY", "SELL"])
        order = MarketOrder(side, 1) if random.random() < 0.5 else LimitOrder("BUY", 1, 1.0)
        ib.placeOrder(spy, order)
        await asyncio.sleep(0)
        if order.orderType == "LMT" and random.random() < 0.5:
            ib.client.cancelOrder(order.orderId)
        await asyncio.sleep(0.005)
