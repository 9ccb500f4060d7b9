"""Scanner, news, fundamentals, calendar of events."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from . import nouns
from .client import Client
from .registry import Checks

checks = Checks("Scanner, news, fundamentals")


def _scan(c: Client, code: str, rows: int = 10) -> int:
    scan = c.make(
        "ScannerSubscription", instrument="STK", locationCode="STK.US.MAJOR", scanCode=code, numberOfRows=rows
    )
    got = c.request("reqScannerSubscription", scan, [], [], until="scannerDataEnd")
    assert got.code is None, got.code
    found = got.of("scannerData")
    assert 0 < len(found) <= rows
    assert [row[0] for row in found] == list(range(len(found)))
    assert all(row[1].contract.symbol and row[1].contract.secType == "STK" for row in found)
    return got.id


@checks("reqScannerParameters", "XML with the scan codes")
def parameters(c: Client) -> None:
    [event] = [e for e in c.plain("reqScannerParameters", until="scannerParameters") if e.name == "scannerParameters"]
    root = ET.fromstring(event.args[0])
    codes = {node.text for node in root.iter("scanCode")}
    assert {"TOP_PERC_GAIN", "MOST_ACTIVE"} <= codes


@checks("reqScannerSubscription", "TOP_PERC_GAIN: ranked rows and their end")
def top(c: Client) -> None:
    c.call("cancelScannerSubscription", _scan(c, "TOP_PERC_GAIN"))
    c.settle()


@checks("reqScannerSubscription", "MOST_ACTIVE, no more rows than asked for")
def active(c: Client) -> None:
    c.call("cancelScannerSubscription", _scan(c, "MOST_ACTIVE", 3))
    c.settle()


@checks("reqScannerSubscription", "a scan that does not exist")
def wrong_scan(c: Client) -> int:
    scan = c.make("ScannerSubscription", instrument="STK", locationCode="STK.US.MAJOR", scanCode="NONSENSE")
    got = c.request("reqScannerSubscription", scan, [], [], until="scannerDataEnd")
    assert got.code is not None
    return got.code


@checks("reqNewsProviders", "the list")
def providers(c: Client) -> None:
    [event] = [e for e in c.plain("reqNewsProviders", until="newsProviders") if e.name == "newsProviders"]
    assert all(row.code and row.name for row in event.args[0])


@checks("reqHistoricalNews", "not subscribed")
def past_news(c: Client) -> int:
    got = c.request("reqHistoricalNews", 756733, "BRFG", "", "", 10, [], until="historicalNewsEnd")
    assert got.code is not None
    return got.code


@checks("reqNewsArticle", "not subscribed")
def article(c: Client) -> int:
    got = c.request("reqNewsArticle", "BRFG", "BRFG$0000", [], until="newsArticle")
    assert got.code is not None
    return got.code


@checks("reqMktData", "generic tick 292, news: not subscribed")
def news_line(c: Client) -> int | None:
    got = c.request("reqMktData", nouns.stock(c), "mdoff,292", False, False, [], until="tickReqParams")
    c.call("cancelMktData", got.id)
    return got.code


@checks("reqFundamentalData", "not subscribed")
def fundamentals(c: Client) -> int:
    got = c.request("reqFundamentalData", nouns.stock(c, "AAPL"), "ReportSnapshot", [], until="fundamentalData")
    assert got.code is not None
    return got.code


@checks("reqWshMetaData", "not subscribed", since=171)
def wsh(c: Client) -> int:
    got = c.request("reqWshMetaData", until="wshMetaData")
    assert got.code is not None
    return got.code


@checks("reqWshEventData", "not subscribed", since=171)
def wsh_events(c: Client) -> int:
    data = c.make("WshEventData", conId=756733)
    got = c.request("reqWshEventData", data, until="wshEventData")
    assert got.code is not None
    return got.code
