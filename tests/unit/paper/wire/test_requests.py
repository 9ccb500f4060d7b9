"""Every request as ib_async writes it, read by our tables."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from ib_async import ComboLeg, Contract, DeltaNeutralContract, ExecutionFilter, ScannerSubscription, TagValue
from ib_async.objects import WshEventData
from tests.support.tws_client import Recorder

from htbot.paper.handlers import HANDLERS
from htbot.paper.wire import requests
from htbot.paper.wire.tables import decode

OPTION = Contract(
    conId=7, symbol="SPY", secType="OPT", lastTradeDateOrContractMonth="20240102", strike=470.5, right="C",
    multiplier="100", exchange="SMART", primaryExchange="CBOE", currency="USD", localSymbol="L", tradingClass="T",
    includeExpired=True, secIdType="ISIN", secId="US1", issuerId="e1",
)  # fmt: skip
BAG = Contract(
    symbol="SPX", secType="BAG", exchange="SMART", currency="USD", comboLegs=[ComboLeg(5, 2, "SELL", "CBOE")]
)
HEDGED = Contract(conId=9, deltaNeutralContract=DeltaNeutralContract(4, 0.5, 12.0))
SCAN = ScannerSubscription(10, "STK", "STK.US", "TOP_PERC_GAIN", 5.5, aboveVolume=9, stockTypeFilter="ETF")

Case = tuple[str, int, Callable[[Any], None], dict[str, Any]]
CASES: tuple[Case, ...] = (
    ("reqMktData", 178, lambda c: c.reqMktData(3, OPTION, "100,101", True, False, []),
     {"reqId": 3, "strike": Decimal("470.5"), "tradingClass": "T", "genericTicks": "100,101", "snapshot": True}),
    ("reqMktData", 178, lambda c: c.reqMktData(3, BAG, "221", False, False, []),
     {"comboLegs": [{"conId": 5, "ratio": 2, "action": "SELL", "exchange": "CBOE"}], "genericTicks": "221"}),
    ("reqMktData", 178, lambda c: c.reqMktData(3, HEDGED, "", False, True, []),
     {"deltaNeutralContractId": 4, "deltaNeutralPrice": "12.0", "regulatorySnapshot": True}),
    ("reqContractDetails", 178, lambda c: c.reqContractDetails(3, OPTION),
     {"includeExpired": True, "secIdType": "ISIN", "secId": "US1", "issuerId": "e1"}),
    ("reqContractDetails", 157, lambda c: c.reqContractDetails(3, OPTION), {"secId": "US1"}),
    ("reqExecutions", 178, lambda c: c.reqExecutions(3, ExecutionFilter(2, "DU1", "t", "SPY", "STK", "X", "BUY")),
     {"clientId": 2, "account": "DU1", "time": "t", "symbol": "SPY", "secType": "STK", "exchange": "X", "side": "BUY"}),
    ("reqMktDepth", 178, lambda c: c.reqMktDepth(3, OPTION, 5, True, []), {"rows": 5, "isSmartDepth": True}),
    ("cancelMktDepth", 178, lambda c: c.cancelMktDepth(3, True), {"reqId": 3, "isSmartDepth": True}),
    ("replaceFA", 178, lambda c: c.replaceFA(3, 1, "<x/>"), {"reqId": 3, "type": 1, "xml": "<x/>"}),
    ("reqHistoricalData", 178,
     lambda c: c.reqHistoricalData(3, BAG, "", "1 D", "1 min", "MIDPOINT", True, 2, True, []),
     {"duration": "1 D", "barSize": "1 min", "whatToShow": "MIDPOINT", "formatDate": 2, "keepUpToDate": True}),
    ("exerciseOptions", 178, lambda c: c.exerciseOptions(3, OPTION, 2, 4, "DU1", 1),
     {"right": "C", "exerciseAction": 2, "exerciseQuantity": Decimal(4), "account": "DU1", "override": 1}),
    ("reqScannerSubscription", 178,
     lambda c: c.reqScannerSubscription(3, SCAN, [TagValue("a", "b")], [TagValue("priceAbove", "5")]),
     {"numberOfRows": 10, "locationCode": "STK.US", "scanCode": "TOP_PERC_GAIN", "abovePrice": 5.5, "belowPrice": None,
      "aboveVolume": 9, "stockTypeFilter": "ETF", "filterOptions": {"priceAbove": "5"}, "options": {"a": "b"}}),
    ("reqRealTimeBars", 178, lambda c: c.reqRealTimeBars(3, OPTION, 5, "BID", True, []),
     {"barSize": 5, "whatToShow": "BID", "useRTH": True}),
    ("reqFundamentalData", 178, lambda c: c.reqFundamentalData(3, OPTION, "ReportSnapshot", []),
     {"conId": 7, "localSymbol": "L", "reportType": "ReportSnapshot"}),
    ("reqCalcImpliedVolatility", 178, lambda c: c.calculateImpliedVolatility(3, OPTION, 2.5, 470.0, []),
     {"optionPrice": 2.5, "underPrice": 470.0}),
    ("reqCalcOptionPrice", 178, lambda c: c.calculateOptionPrice(3, OPTION, 0.2, 470.0, []),
     {"volatility": 0.2, "underPrice": 470.0}),
    ("verifyAndAuthRequest", 178, lambda c: c.verifyAndAuthRequest("a", "1", "k"), {"opaqueIsvKey": "k"}),
    ("subscribeToGroupEvents", 178, lambda c: c.subscribeToGroupEvents(3, 4), {"reqId": 3, "groupId": 4}),
    ("updateDisplayGroup", 178, lambda c: c.updateDisplayGroup(3, "8314@SMART"), {"contractInfo": "8314@SMART"}),
    ("reqNewsArticle", 178, lambda c: c.reqNewsArticle(3, "BRFG", "x$1", []),
     {"providerCode": "BRFG", "articleId": "x$1"}),
    ("reqHistoricalNews", 178, lambda c: c.reqHistoricalNews(3, 7, "BRFG", "a", "b", 9, []),
     {"conId": 7, "providerCodes": "BRFG", "startDateTime": "a", "endDateTime": "b", "totalResults": 9}),
    ("reqHeadTimeStamp", 178, lambda c: c.reqHeadTimeStamp(3, OPTION, "BID", True, 2),
     {"useRTH": True, "whatToShow": "BID", "formatDate": 2}),
    ("reqHistogramData", 178, lambda c: c.reqHistogramData(3, OPTION, True, "1 week"),
     {"includeExpired": True, "useRTH": True, "timePeriod": "1 week"}),
    ("reqHistoricalTicks", 178,
     lambda c: c.reqHistoricalTicks(3, OPTION, "a", "b", 50, "TRADES", True, True, []),
     {"startDateTime": "a", "endDateTime": "b", "numberOfTicks": 50, "whatToShow": "TRADES", "ignoreSize": True}),
    ("reqTickByTickData", 178, lambda c: c.reqTickByTickData(3, OPTION, "BidAsk", 6, True),
     {"tickType": "BidAsk", "numberOfTicks": 6, "ignoreSize": True}),
    ("reqWshEventData", 178, lambda c: c.reqWshEventData(3, WshEventData(conId=8, startDate="20240101", totalLimit=5)),
     {"conId": 8, "startDate": "20240101", "totalLimit": 5}),
    ("reqWshEventData", 170, lambda c: c.reqWshEventData(3, WshEventData(conId=8)), {"conId": 8}),
    ("cancelOrder", 178, lambda c: c.cancelOrder(3, "20240102-15:00:00"),
     {"manualCancelOrderTime": "20240102-15:00:00"}),
)  # fmt: skip


@pytest.mark.parametrize(("name", "version", "ask", "expected"), CASES, ids=lambda value: str(value)[:24])
def test_request_is_read(name: str, version: int, ask: Callable[[Any], None], expected: dict[str, Any]) -> None:
    recorder = Recorder(version)
    ask(recorder)
    fields = recorder.recorded[0].split("\0")[:-1]
    table = requests.BY_ID[int(fields[0])]
    assert table.name == name
    values = decode(table, fields[1:], version)
    assert {key: values[key] for key in expected} == expected


def test_each_request_has_its_handler() -> None:
    assert {table.name for table in requests.TABLES} == set(HANDLERS)
    assert len(requests.BY_ID) == len(requests.TABLES)
