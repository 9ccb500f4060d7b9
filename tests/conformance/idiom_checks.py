"""ib_async and ib_insync as their users write them: the `IB` class, blocking calls, events, live lists."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from .desk import Desk
from .registry import Checks

checks = Checks("The IB class of ib_async and ib_insync")


@checks("IB.connect", "accounts, values, positions and orders are there when it is back")
def connect(d: Desk) -> None:
    assert d.ib.isConnected()
    assert d.ib.managedAccounts()[0].startswith("D")
    assert {"NetLiquidation", "BuyingPower"} <= {row.tag for row in d.ib.accountValues()}
    assert isinstance(d.ib.positions(), list)


@checks("IB.connect", "again after a disconnect, with the same id")
def connect_again(d: Desk) -> None:
    for _ in range(2):
        with d.second(91) as ib:
            assert ib.reqCurrentTime().year == 2024


@checks("IB.qualifyContracts", "fills in the rest, of several kinds at once")
def qualify(d: Desk) -> None:
    made = d.library
    contracts = [
        made.Stock("AAPL", "SMART", "USD"),
        made.Index("SPX", "CBOE"),
        made.Forex("EURUSD"),
        made.Contract(conId=756733),
        made.Crypto("BTC", "PAXOS", "USD"),
    ]
    assert len(d.ib.qualifyContracts(*contracts)) == 5
    assert all(contract.conId for contract in contracts)
    assert (contracts[0].primaryExchange, contracts[3].symbol) == ("NASDAQ", "SPY")


@checks("IB.qualifyContracts", "an unknown one is left out")
def qualify_unknown(d: Desk) -> int:
    d.codes.clear()
    found = d.ib.qualifyContracts(d.library.Stock("NOSUCHTHING", "SMART", "USD"))
    assert [row for row in found if row is not None] == []
    return d.codes[0]


@checks("IB.reqContractDetails", "trading sessions can be read")
def sessions(d: Desk) -> None:
    [details] = d.ib.reqContractDetails(d.spy())
    assert details.contract.conId == 756733
    if hasattr(details, "liquidSessions"):
        assert details.liquidSessions()


@checks("IB.reqSecDefOptParams", "a chain whose options qualify")
def chain(d: Desk) -> None:
    contract = d.option()
    assert contract.multiplier == "100"
    assert contract.localSymbol


@checks("IB.reqMktData", "a ticker that lives: prices, sizes, market price, events")
def ticker(d: Desk) -> None:
    told: list[Any] = []
    row = d.ib.reqMktData(d.spy(), "233", False, False)
    row.updateEvent += told.append
    d.until(lambda: row.bid > 0 and row.ask > 0 and row.last > 0 and row.volume > 0 and row.rtVolume, "quotes")
    assert row.bid < row.ask
    assert row.bidSize > 0
    assert row.low <= row.last <= row.high
    assert row.close > 0
    assert row.midpoint() == row.midpoint()
    assert row.marketPrice() > 0
    d.until(lambda: len(told) > 3, "updates")
    d.ib.cancelMktData(row.contract)


@checks("IB.reqMktData", "greeks of an option")
def greeks(d: Desk) -> None:
    contract = d.option()
    row = d.ib.reqMktData(contract)
    d.until(lambda: row.modelGreeks and row.bidGreeks and row.askGreeks, "greeks")
    assert -1 <= row.modelGreeks.delta < 0
    assert row.modelGreeks.undPrice > 0
    d.ib.cancelMktData(contract)


@checks("IB.reqTickers", "snapshots of a stock, an index and an option")
def tickers(d: Desk) -> None:
    rows = d.ib.reqTickers(d.spy(), *d.ib.qualifyContracts(d.library.Index("SPX", "CBOE")), d.option())
    assert all(row.marketPrice() > 0 for row in rows)
    assert rows[2].modelGreeks is not None


@checks("IB.pendingTickersEvent", "sets of tickers that changed")
def pending(d: Desk) -> None:
    seen: list[Any] = []
    d.ib.pendingTickersEvent += seen.append
    contract = d.spy()
    d.ib.reqMktData(contract)
    d.until(lambda: seen, "event")
    d.ib.pendingTickersEvent -= seen.append
    d.ib.cancelMktData(contract)
    assert all(row.contract.symbol == "SPY" for row in seen[0])


@checks("IB.reqMarketDataType", "delayed and live")
def delayed(d: Desk) -> None:
    d.ib.reqMarketDataType(3)
    row = d.ib.reqMktData(
        d.library.Contract(conId=320227571, symbol="QQQ", secType="STK", exchange="SMART", currency="USD")
    )
    d.until(lambda: row.bid > 0, "bid")
    assert row.marketDataType in {1, 3}
    d.ib.cancelMktData(row.contract)
    d.ib.reqMarketDataType(1)


@checks("IB.reqHistoricalData", "bars with aware times, dates of daily ones")
def bars(d: Desk) -> None:
    intraday = d.ib.reqHistoricalData(d.spy(), "", "1 D", "30 mins", "TRADES", useRTH=True, formatDate=2)
    assert isinstance(intraday[0].date, datetime)
    assert intraday[0].date.tzinfo is not None
    daily = d.ib.reqHistoricalData(d.spy(), "", "2 W", "1 day", "MIDPOINT", useRTH=True)
    assert isinstance(daily[0].date, date)
    assert 9 <= len(daily) <= 11


@checks("IB.reqHistoricalData", "keepUpToDate: the list grows, its event tells")
def kept(d: Desk) -> None:
    rows = d.ib.reqHistoricalData(d.spy(), "", "1800 S", "1 min", "TRADES", useRTH=True, keepUpToDate=True)
    told: list[bool] = []
    rows.updateEvent += lambda _bars, new: told.append(new)
    before = len(rows)
    d.until(lambda: True in told and len(rows) > before, "a new bar", 12)
    d.ib.cancelHistoricalData(rows)


@checks("IB.reqHistoricalData", "an error raises nothing, the list is empty")
def no_bars(d: Desk) -> int:
    d.codes.clear()
    rows = d.ib.reqHistoricalData(d.spy(), "19700105 16:00:00 US/Eastern", "1 D", "1 min", "TRADES", useRTH=True)
    assert not rows
    return d.codes[-1]


@checks("IB.reqRealTimeBars", "a list that grows every five seconds")
def five_seconds(d: Desk) -> None:
    rows = d.ib.reqRealTimeBars(d.spy(), 5, "TRADES", True)
    d.until(lambda: len(rows) > 2, "bars")
    assert (rows[2].time - rows[1].time).total_seconds() == 5
    d.ib.cancelRealTimeBars(rows)


@checks("IB.reqTickByTickData", "ticks on the ticker")
def each_tick(d: Desk) -> None:
    contract = d.library.Stock("META", "SMART", "USD")
    d.ib.qualifyContracts(contract)
    row = d.ib.reqTickByTickData(contract, "BidAsk")
    d.until(lambda: row.tickByTicks, "ticks")
    assert 0 < row.tickByTicks[0].bidPrice < row.tickByTicks[0].askPrice
    d.ib.cancelTickByTickData(contract, "BidAsk")


@checks("IB.reqMktDepth", "the ticker's book")
def book(d: Desk) -> None:
    contract = d.spy()
    row = d.ib.reqMktDepth(contract, 5, isSmartDepth=True)
    d.until(lambda: len(row.domBids) > 2 and len(row.domAsks) > 2, "levels")
    d.until(lambda: row.domBids[0].price < row.domAsks[0].price, "sides that do not cross")
    d.ib.cancelMktDepth(contract, isSmartDepth=True)


@checks("IB.reqHistoricalTicks", "trades with exchange and size")
def past_ticks(d: Desk) -> None:
    end = d.ib.reqCurrentTime()
    rows = d.ib.reqHistoricalTicks(d.spy(), "", end, 50, "TRADES", useRth=True)
    assert len(rows) >= 10
    assert rows[0].price > 0
    assert rows[0].time <= end


@checks("IB.reqHeadTimeStamp", "a time")
def head(d: Desk) -> None:
    assert isinstance(d.ib.reqHeadTimeStamp(d.spy(), "TRADES", True, 1), datetime)


@checks("IB.reqHistogramData", "rows of price and count")
def histogram(d: Desk) -> None:
    rows = d.ib.reqHistogramData(d.spy(), True, "2 days")
    assert all(row.price > 0 for row in rows)
    assert rows


@checks("IB.reqHistoricalSchedule", "sessions")
def schedule(d: Desk) -> None:
    assert len(d.ib.reqHistoricalSchedule(d.spy(), 5).sessions) == 5


@checks("IB.reqMarketRule", "increments")
def rule(d: Desk) -> None:
    [details] = d.ib.reqContractDetails(d.spy())
    assert d.ib.reqMarketRule(int(details.marketRuleIds.split(",")[0]))[0].increment == 0.01


@checks("IB.reqMatchingSymbols", "descriptions")
def matching(d: Desk) -> None:
    assert "AAPL" in {row.contract.symbol for row in d.ib.reqMatchingSymbols("AAPL")}


@checks("IB.reqScannerData", "rows")
def scanner(d: Desk) -> None:
    scan = d.library.ScannerSubscription(instrument="STK", locationCode="STK.US.MAJOR", scanCode="TOP_PERC_GAIN")
    rows = d.ib.reqScannerData(scan)
    assert rows
    assert rows[0].rank == 0


@checks("IB.calculateImpliedVolatility", "and the price back")
def calculator(d: Desk) -> None:
    contract = d.option()
    under = d.ib.reqTickers(d.spy())[0].marketPrice()
    vol = d.ib.calculateImpliedVolatility(contract, under * 0.02, under).impliedVol
    price = d.ib.calculateOptionPrice(contract, vol, under).optPrice
    assert abs(price - under * 0.02) < 0.02 * under * 0.02


@checks("IB.RaiseRequestErrors", "an error raises when that is asked for")
def raising(d: Desk) -> int:
    d.ib.RaiseRequestErrors = True
    try:
        d.ib.reqContractDetails(d.library.Contract(conId=987654321))
    except Exception as error:  # noqa: BLE001 - the libraries have each a class of their own for it
        return int(getattr(error, "code", 0))
    finally:
        d.ib.RaiseRequestErrors = False
    raise AssertionError("nothing was raised")
