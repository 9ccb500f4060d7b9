"""The recorded 3700/3800 vertical of 2021-01-04, bought and sold by ib_async as one BAG at its recorded quotes.

The expected prices are read from the Parquet file here, not from the gateway: bid and ask at the opening of the minute.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from ib_async import IB, Contract, LimitOrder, Option, Trade
from tests.support.shared_data import shared_file
from tests.support.tws_client import spread
from tests.support.waiting import PATIENCE_S, settled

from htbot.bootstrap.paper import PaperOptions, build_market
from htbot.paper.clock import PacedTime
from htbot.paper.gateway import Gateway, GatewayConfig
from htbot.paper.server import serving
from htbot.paper.store import Store

pytestmark = pytest.mark.timeout(60)

DAY = date(2021, 1, 4)
START = datetime(2021, 1, 4, 15, 30, tzinfo=UTC)
BOUGHT = datetime(2021, 1, 4, 15, 40, 10, tzinfo=UTC)
SOLD = datetime(2021, 1, 4, 16, 55, 40, tzinfo=UTC)
QUIET = datetime(2021, 1, 4, 16, 51, 20, tzinfo=UTC)
"""A minute without a row of the 3800 call, whose last one began at 16:49."""
CASH = Decimal(100_000)


class Sides(NamedTuple):
    """A recorded quote."""

    bid: Decimal
    ask: Decimal


def recorded(file: Path, right: str, strike: int, at: datetime, part: str = "open") -> Sides:
    """What the file says of a minute's opening, or its close; the minute has a row of its own."""
    table = pq.read_table(file)
    minute = at.replace(second=0)
    same = (pc.equal(table[name].cast("string"), text) for name, text in (("symbol", "SPXW"), ("right", right)))
    chosen = pc.and_(*same)
    chosen = pc.and_(chosen, pc.equal(table["strike"].cast("float64"), float(strike)))
    rows = [
        row for row in table.filter(chosen).to_pylist() if row["ts"] == minute and str(row["expiry"]) == DAY.isoformat()
    ]
    assert len(rows) == 1
    return Sides(Decimal(str(rows[0][f"bid_{part}"])), Decimal(str(rows[0][f"ask_{part}"])))


def stated_commission(price: Decimal) -> Decimal:
    """One SPXW contract: 0.65, below a premium of 0.10 0.50; and the exchange's 0.49, from a premium of 1 on 0.58."""
    broker = Decimal("0.65") if price >= Decimal("0.10") else Decimal("0.50")
    return broker + (Decimal("0.49") if price < 1 else Decimal("0.58"))


class HandClock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.at = START

    def now(self) -> datetime:
        return self.at


class World(NamedTuple):
    """The gateway on the recorded day, its clock, and a client."""

    gateway: Gateway
    pace: PacedTime
    clock: HandClock
    ib: IB

    def go_to(self, at: datetime) -> None:
        self.clock.at = at
        self.pace.tick()

    @property
    def cash(self) -> Decimal:
        return self.gateway.ledger.accounts[self.gateway.accounts[0]].cash_usd


@pytest.fixture
def files() -> tuple[Path, Path]:
    return shared_file("market/spx_1m.parquet"), shared_file("market/option_spx_spxw_quote_1m.parquet")


@pytest.fixture
async def world(tmp_path: Path, files: tuple[Path, Path]) -> AsyncIterator[World]:
    options = PaperOptions(state_dir=tmp_path, market="replay", data=files, symbol="SPX", start=START)
    gateway = Gateway(
        build_market(options, START), Store(tmp_path / "gateway.sqlite"), GatewayConfig(cash_usd=CASH, latency_s=0.0)
    )
    clock, ib = HandClock(), IB()
    pace = PacedTime(gateway, 1.0, clock)
    async with serving(gateway, pace, "127.0.0.1", 0) as port:
        await ib.connectAsync("127.0.0.1", port, clientId=7, timeout=PATIENCE_S, raiseSyncErrors=True)
        try:
            yield World(gateway, pace, clock, ib)
        finally:
            ib.disconnect()
            await settled(lambda: not gateway.sessions)


async def leg(ib: IB, right: str, strike: int) -> Contract:
    option = Option("SPX", f"{DAY:%Y%m%d}", strike, right, "SMART", tradingClass="SPXW")
    await ib.qualifyContractsAsync(option)
    assert option.conId
    return option


def legs_of(trade: Trade) -> dict[float, tuple[str, Decimal, Decimal, str]]:
    """By strike: side, price, commission and the mark of a modelled price."""
    return {
        fill.contract.strike: (
            fill.execution.side,
            Decimal(str(fill.execution.price)),
            Decimal(str(fill.commissionReport.commission)),
            fill.execution.evRule,
        )
        for fill in trade.fills
        if fill.contract.secType == "OPT"
    }


async def filled(world: World, trade: Trade) -> None:
    await settled(lambda: trade.orderStatus.status == "Filled" and len(trade.fills) == 3)
    await settled(lambda: all(price[2] > 0 for price in legs_of(trade).values()))


def total(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, Decimal(0))


@pytest.mark.parametrize("right", ["P", "C"])
async def test_the_vertical_trades_at_its_recorded_quotes(world: World, files: tuple[Path, Path], right: str) -> None:
    ib = world.ib
    long_strike, short_strike = (3800, 3700) if right == "P" else (3700, 3800)
    long, short = await leg(ib, right, long_strike), await leg(ib, right, short_strike)
    vertical = spread((long.conId, "BUY"), (short.conId, "SELL"))

    world.go_to(BOUGHT)
    here = {strike: recorded(files[1], right, strike, BOUGHT) for strike in (3700, 3800)}
    paid = here[long_strike].ask - here[short_strike].bid
    tick = Decimal("0.05")
    entry = LimitOrder("BUY", 1, float(paid - tick), orderRef="in")
    bought = ib.placeOrder(vertical, entry)
    await settled(lambda: bought.orderStatus.status == "Submitted")
    assert bought.fills == [], "one tick below the natural price nothing trades"
    entry.lmtPrice = float(paid)
    ib.placeOrder(vertical, entry)
    await filled(world, bought)

    assert Decimal(str(bought.orderStatus.avgFillPrice)) == paid
    assert legs_of(bought) == {
        long_strike: ("BOT", here[long_strike].ask, stated_commission(here[long_strike].ask), ""),
        short_strike: ("SLD", here[short_strike].bid, stated_commission(here[short_strike].bid), ""),
    }
    assert {row.contract.conId: row.position for row in ib.positions()} == {long.conId: 1.0, short.conId: -1.0}
    fees = total(price[2] for price in legs_of(bought).values())
    assert world.cash == CASH - 100 * paid - fees

    world.go_to(SOLD)
    there = {strike: recorded(files[1], right, strike, SOLD) for strike in (3700, 3800)}
    received = there[long_strike].bid - there[short_strike].ask
    assert received != paid
    sold = ib.placeOrder(vertical, LimitOrder("SELL", 1, float(received), orderRef="out"))
    await filled(world, sold)

    assert legs_of(sold) == {
        long_strike: ("SLD", there[long_strike].bid, stated_commission(there[long_strike].bid), ""),
        short_strike: ("BOT", there[short_strike].ask, stated_commission(there[short_strike].ask), ""),
    }
    await settled(lambda: ib.positions() == [])
    fees += total(price[2] for price in legs_of(sold).values())
    assert world.cash == CASH + 100 * (received - paid) - fees


async def test_the_client_sees_what_was_recorded_and_what_was_modelled(world: World, files: tuple[Path, Path]) -> None:
    world.go_to(BOUGHT)
    told = recorded(files[1], "P", 3700, BOUGHT)
    from_file = world.ib.reqMktData(await leg(world.ib, "P", 3700))
    from_model = world.ib.reqMktData(await leg(world.ib, "P", 3750))
    await settled(lambda: from_file.ask > 0 and from_model.ask > 0)
    assert (Decimal(str(from_file.bid)), Decimal(str(from_file.ask))) == told
    await settled(lambda: from_model.bidExchange == "MODEL")
    assert from_file.bidExchange == ""
    between = recorded(files[1], "P", 3800, BOUGHT)
    assert told.bid < from_model.bid < between.bid


async def test_a_minute_without_a_row_is_a_minute_without_news(world: World, files: tuple[Path, Path]) -> None:
    world.go_to(QUIET)
    ticker = world.ib.reqMktData(await leg(world.ib, "C", 3800))
    await settled(lambda: ticker.ask > 0)
    last_row = QUIET - timedelta(minutes=2)
    assert (Decimal(str(ticker.bid)), Decimal(str(ticker.ask))) == recorded(files[1], "C", 3800, last_row, "close")
    assert ticker.bidExchange == ""


async def test_a_neighbour_without_quotes_says_that_its_price_is_modelled(world: World) -> None:
    world.go_to(BOUGHT + timedelta(seconds=1))
    low, high = await leg(world.ib, "P", 3700), await leg(world.ib, "P", 3750)
    trade = world.ib.placeOrder(spread((high.conId, "BUY"), (low.conId, "SELL")), LimitOrder("BUY", 1, 50.0))
    await filled(world, trade)
    assert {strike: row[3] for strike, row in legs_of(trade).items()} == {3700.0: "", 3750.0: "MODEL"}
