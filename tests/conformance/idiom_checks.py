"""ib_async and ib_insync as their users write them: the `IB` class, blocking calls, events, live lists."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from types import ModuleType
from typing import Any

from .registry import Checks

checks = Checks("The IB class of ib_async and ib_insync")


class Desk:
    """A connected `IB` and the library that it is from."""

    def __init__(self, library: ModuleType, port: int, client_id: int = 6) -> None:
        self.library, self.port = library, port
        self.codes: list[int] = []
        self.ib = self.connected(client_id)

    server_version = 178
    """Nothing here depends on it."""

    def sound(self, _position: int) -> None:
        """Of a library that complains only the codes are heard."""

    def tidy(self) -> None:
        """After a failure: no working orders, no lines."""
        self.ib.reqGlobalCancel()
        for ticker in list(self.ib.tickers()):
            if ticker.contract is not None:
                self.ib.cancelMktData(ticker.contract)
        self.ib.sleep(0.1)

    events: tuple[Any, ...] = ()

    def connected(self, client_id: int) -> Any:
        ib = self.library.IB()
        ib.errorEvent += lambda _id, code, *_: self.codes.append(code)
        ib.connect("127.0.0.1", self.port, clientId=client_id, timeout=8)
        return ib

    def until(self, found: Callable[[], Any], what: str, timeout: float = 8.0) -> Any:
        """Let the library work until it is so."""
        for _ in range(int(timeout / 0.02)):
            value = found()
            if value:
                return value
            self.ib.sleep(0.02)
        raise AssertionError(f"no {what} within {timeout:g} s; codes {self.codes[-3:]}")

    def spy(self) -> Any:
        contract = self.library.Stock("SPY", "SMART", "USD")
        self.ib.qualifyContracts(contract)
        return contract

    def option(self, away: float = 0.0, right: str = "P") -> Any:
        [chain, *_] = sorted(self.ib.reqSecDefOptParams("SPY", "", "STK", 756733), key=lambda row: -len(row.strikes))
        wanted = self.ib.reqTickers(self.spy())[0].marketPrice() * (1 + away)
        strike = min(chain.strikes, key=lambda value: abs(value - wanted))
        contract = self.library.Option("SPY", sorted(chain.expirations)[1], strike, right, "SMART")
        assert self.ib.qualifyContracts(contract)
        return contract

    def filled(self, contract: Any, order: Any) -> Any:
        trade = self.ib.placeOrder(contract, order)
        self.until(trade.isDone, "end of the trade")
        assert trade.orderStatus.status == "Filled", trade.log
        singles = [fill for fill in trade.fills if fill.contract.secType != "BAG"]
        self.until(lambda: all(fill.commissionReport.execId for fill in singles), "commission")
        return trade

    def resting(self, part: float = 0.8, **more: Any) -> Any:
        price = round(self.ib.reqTickers(self.spy())[0].marketPrice() * part, 2)
        trade = self.ib.placeOrder(self.spy(), self.library.LimitOrder("BUY", 1, price, **more))
        self.until(lambda: trade.orderStatus.status == "Submitted", "Submitted")
        return trade

    @contextmanager
    def second(self, client_id: int) -> Iterator[Any]:
        ib = self.connected(client_id)
        try:
            yield ib
        finally:
            ib.disconnect()


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
    d.ib.sleep(0.1)
    assert row.domBids[0].price < row.domAsks[0].price
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
    d.ib.sleep(0.1)
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
