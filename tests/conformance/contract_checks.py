"""Contracts, chains, rules."""

from __future__ import annotations

import re
from typing import Any

from . import nouns
from .client import Client
from .registry import Checks

checks = Checks("Contracts")


def details(c: Client, contract: Any) -> list[Any]:
    got = c.request("reqContractDetails", contract, until="contractDetailsEnd")
    assert got.code is None, f"error {got.code}"
    return [row[0] for row in got.of("contractDetails")]


def refused(c: Client, contract: Any) -> int:
    got = c.request("reqContractDetails", contract, until="contractDetailsEnd")
    assert got.code is not None, "no error"
    assert not got.of("contractDetails")
    return got.code


@checks("reqContractDetails", "a stock: one row with its id, primary exchange and name")
def a_stock(c: Client) -> None:
    [row] = details(c, nouns.stock(c, "AAPL"))
    assert (row.contract.conId, row.contract.secType, row.contract.currency) == (265598, "STK", "USD")
    assert row.contract.primaryExchange == "NASDAQ"
    assert row.longName and row.marketName
    assert row.stockType == "COMMON", row.stockType


@checks("reqContractDetails", "an ETF says so")
def an_etf(c: Client) -> None:
    [row] = details(c, nouns.stock(c))
    assert (row.contract.conId, row.stockType) == (756733, "ETF")


@checks("reqContractDetails", "tick, order types, exchanges with a market rule each")
def rules_of(c: Client) -> None:
    [row] = details(c, nouns.stock(c))
    exchanges, rules = row.validExchanges.split(","), row.marketRuleIds.split(",")
    assert "SMART" in exchanges
    assert len(exchanges) == len(rules), (exchanges, rules)
    assert row.minTick == 0.01
    assert {"LMT", "MKT", "STP"} <= set(row.orderTypes.split(","))
    assert row.priceMagnifier == 1


@checks("reqContractDetails", "hours by day in IB's form, with the time zone")
def hours(c: Client) -> None:
    [row] = details(c, nouns.stock(c))
    assert row.timeZoneId in {"US/Eastern", "America/New_York", "EST5EDT"}
    pattern = r"\d{8}:(CLOSED|\d{4}-\d{8}:\d{4})"
    for text in (row.tradingHours, row.liquidHours):
        assert all(re.fullmatch(pattern, day) for day in text.split(";") if day), text
    assert "0930-" in row.liquidHours
    assert "0400-" in row.tradingHours, row.tradingHours[:60]


@checks("reqContractDetails", "a stock has its ISIN")
def isin(c: Client) -> None:
    [row] = details(c, nouns.stock(c, "AAPL"))
    tags = {item.tag: item.value for item in row.secIdList or []}
    assert tags.get("ISIN") == "US0378331005", tags


@checks("reqContractDetails", "sizes: smallest and step", since=164)
def sizes(c: Client) -> None:
    [row] = details(c, nouns.stock(c))
    assert float(row.minSize) > 0
    assert float(row.sizeIncrement) > 0


@checks("reqContractDetails", "by contract id alone")
def by_id(c: Client) -> None:
    [row] = details(c, c.make("Contract", conId=756733))
    assert row.contract.symbol == "SPY"


@checks("reqContractDetails", "by ISIN")
def by_isin(c: Client) -> None:
    rows = details(c, c.make("Contract", secIdType="ISIN", secId="US0378331005", exchange="SMART", currency="USD"))
    assert {row.contract.symbol for row in rows} == {"AAPL"}


@checks("reqContractDetails", "an index")
def an_index(c: Client) -> None:
    [row] = details(c, nouns.index(c))
    assert (row.contract.conId, row.contract.secType, row.contract.exchange) == (416904, "IND", "CBOE")


@checks("reqContractDetails", "an option: terms, multiplier, class, underlying")
def an_option(c: Client) -> None:
    contract = nouns.option(c)
    [row] = details(c, c.make("Contract", conId=contract.conId, exchange="SMART"))
    assert (row.contract.secType, row.contract.symbol, row.contract.right) == ("OPT", "SPY", "P")
    assert (str(row.contract.multiplier), row.contract.tradingClass) == ("100", "SPY")
    assert (row.underConId, row.underSymbol, row.underSecType) == (756733, "SPY", "STK")
    assert row.contractMonth == row.contract.lastTradeDateOrContractMonth[:6]
    assert row.realExpirationDate == row.contract.lastTradeDateOrContractMonth[:8]
    assert re.fullmatch(r"SPY   \d{6}P\d{8}", row.contract.localSymbol), row.contract.localSymbol


@checks("reqContractDetails", "an option by its local symbol")
def by_local_symbol(c: Client) -> None:
    wanted = nouns.option(c)
    asked = c.make("Contract", localSymbol=wanted.localSymbol, secType="OPT", exchange="SMART", currency="USD")
    [row] = details(c, asked)
    assert row.contract.conId == wanted.conId


@checks("reqContractDetails", "all options of an expiry and side when the strike is left open")
def option_rows(c: Client) -> None:
    expirations, strikes = nouns.chain(c)
    asked = c.make("Contract", symbol="SPY", secType="OPT", exchange="SMART", currency="USD", right="C")
    asked.lastTradeDateOrContractMonth = expirations[1]
    rows = details(c, asked)
    assert len(rows) > 10
    assert {row.contract.strike for row in rows} <= set(strikes)
    assert {row.contract.right for row in rows} == {"C"}


@checks("reqContractDetails", "an index option is told apart by its class")
def index_option(c: Client) -> None:
    contract = nouns.option(c, symbol="SPX")
    assert contract.tradingClass in {"SPX", "SPXW"}


@checks("reqContractDetails", "futures: every expiry with local symbol and multiplier")
def futures(c: Client) -> None:
    asked = c.make("Contract", symbol="ES", secType="FUT", exchange="CME", currency="USD")
    rows = details(c, asked)
    assert len(rows) >= 4
    assert {str(row.contract.multiplier) for row in rows} == {"50"}
    assert all(re.fullmatch(r"ES[HMUZ]\d", row.contract.localSymbol) for row in rows)
    assert {row.minTick for row in rows} == {0.25}


@checks("reqContractDetails", "a future by its month")
def future_by_month(c: Client) -> None:
    front = nouns.future(c)
    month = front.lastTradeDateOrContractMonth[:6]
    asked = c.make("Contract", symbol="ES", secType="FUT", exchange="CME", lastTradeDateOrContractMonth=month)
    [row] = details(c, asked)
    assert row.contract.conId == front.conId


@checks("reqContractDetails", "the continuous future is the front month")
def continuous(c: Client) -> None:
    [row] = details(c, nouns.front_future(c))
    assert row.contract.localSymbol.startswith("ES")


@checks("reqContractDetails", "a currency pair")
def a_pair(c: Client) -> None:
    [row] = details(c, nouns.forex(c))
    assert (row.contract.localSymbol, row.contract.exchange, row.minTick) == ("EUR.USD", "IDEALPRO", 0.00005)


@checks("reqContractDetails", "a crypto currency")
def a_crypto(c: Client) -> None:
    [row] = details(c, nouns.crypto(c))
    assert (row.contract.symbol, row.contract.secType, row.contract.exchange) == ("BTC", "CRYPTO", "PAXOS")


@checks("reqContractDetails", "an unknown symbol")
def unknown(c: Client) -> int:
    return refused(c, nouns.stock(c, "NOSUCHTHING"))


@checks("reqContractDetails", "an unknown contract id")
def unknown_id(c: Client) -> int:
    return refused(c, c.make("Contract", conId=987654321))


@checks("reqContractDetails", "the wrong currency")
def wrong_currency(c: Client) -> int:
    return refused(c, nouns.stock(c, currency="JPY"))


@checks("reqContractDetails", "a strike that is not listed")
def wrong_strike(c: Client) -> int:
    contract = nouns.option(c)
    asked = c.make("Contract", symbol="SPY", secType="OPT", exchange="SMART", currency="USD", right="C", strike=1.23)
    asked.lastTradeDateOrContractMonth = contract.lastTradeDateOrContractMonth
    return refused(c, asked)


@checks("reqContractDetails", "a combination has none")
def combination(c: Client) -> int:
    return refused(c, nouns.bag(c, (756733, "BUY"), (265598, "SELL")))


@checks("reqMatchingSymbols", "by the beginning of a symbol, with what derives from it")
def matching(c: Client) -> None:
    [(rows,)] = c.request("reqMatchingSymbols", "SPY", until="symbolSamples").of("symbolSamples")
    found = {row.contract.symbol: row for row in rows}
    assert found["SPY"].contract.conId == 756733
    assert "OPT" in found["SPY"].derivativeSecTypes


@checks("reqMatchingSymbols", "by name")
def matching_name(c: Client) -> None:
    [(rows,)] = c.request("reqMatchingSymbols", "Apple", until="symbolSamples").of("symbolSamples")
    assert "AAPL" in {row.contract.symbol for row in rows}


@checks("reqMatchingSymbols", "nothing found is an empty list")
def matching_none(c: Client) -> None:
    [(rows,)] = c.request("reqMatchingSymbols", "QQXXZZY", until="symbolSamples").of("symbolSamples")
    assert not rows


@checks("reqSecDefOptParams", "chain of a stock: exchange, class, multiplier, expirations, strikes")
def chain_of_stock(c: Client) -> None:
    got = c.request("reqSecDefOptParams", "SPY", "", "STK", 756733, until="securityDefinitionOptionParameterEnd")
    rows = got.of("securityDefinitionOptionParameter")
    smart = [row for row in rows if row[0] == "SMART"]
    assert smart
    _exchange, under, trading_class, multiplier, expirations, strikes = smart[0]
    assert (int(under), trading_class, str(multiplier)) == (756733, "SPY", "100")
    assert all(re.fullmatch(r"\d{8}", expiry) for expiry in expirations)
    assert len(strikes) > 20


@checks("reqSecDefOptParams", "chain of an index")
def chain_of_index(c: Client) -> None:
    got = c.request("reqSecDefOptParams", "SPX", "", "IND", 416904, until="securityDefinitionOptionParameterEnd")
    assert "SPXW" in {row[2] for row in got.of("securityDefinitionOptionParameter")}


@checks("reqSecDefOptParams", "an unknown underlying")
def chain_of_nothing(c: Client) -> int | None:
    got = c.request("reqSecDefOptParams", "XXX", "", "STK", 987654321, until="securityDefinitionOptionParameterEnd")
    assert not got.of("securityDefinitionOptionParameter")
    return got.code


@checks("reqMarketRule", "price increments of a stock")
def market_rule(c: Client) -> None:
    [row] = details(c, nouns.stock(c))
    rule = int(row.marketRuleIds.split(",")[0])
    events = c.plain("reqMarketRule", rule, until="marketRule")
    [answer] = [event for event in events if event.name == "marketRule"]
    assert answer.args[0] == rule
    assert answer.args[1][0].increment == row.minTick


@checks("reqMarketRule", "increments of an index option grow with the price")
def market_rule_index(c: Client) -> None:
    contract = nouns.option(c, symbol="SPX")
    [row] = details(c, c.make("Contract", conId=contract.conId))
    [answer] = [
        e
        for e in c.plain("reqMarketRule", int(row.marketRuleIds.split(",")[0]), until="marketRule")
        if e.name == "marketRule"
    ]
    assert [(item.lowEdge, item.increment) for item in answer.args[1]] == [(0.0, 0.05), (3.0, 0.1)]


@checks("reqSmartComponents", "the exchanges behind a best price")
def smart_components(c: Client) -> None:
    line = c.request("reqMktData", nouns.stock(c), "", False, False, [], until="tickReqParams")
    [(_tick, exchange, _permissions)] = line.of("tickReqParams")
    c.call("cancelMktData", line.id)
    [(rows,)] = c.request("reqSmartComponents", exchange, until="smartComponents").of("smartComponents")
    assert rows


@checks("reqMktDepthExchanges", "exchanges with a book")
def depth_exchanges(c: Client) -> None:
    [event] = [e for e in c.plain("reqMktDepthExchanges", until="mktDepthExchanges") if e.name == "mktDepthExchanges"]
    assert event.args[0]


@checks("reqSoftDollarTiers", "an answer, empty for most")
def soft_dollars(c: Client) -> None:
    c.request("reqSoftDollarTiers", until="softDollarTiers")


@checks("reqFamilyCodes", "a row for all accounts of a login without a family")
def family_codes(c: Client) -> None:
    [event] = [e for e in c.plain("reqFamilyCodes", until="familyCodes") if e.name == "familyCodes"]
    assert {row.accountID for row in event.args[0]} <= {"*", c.account()}
    assert event.args[0]


@checks("reqContractDetails", "options of a month")
def option_month(c: Client) -> None:
    asked = c.make("Contract", symbol="SPY", secType="OPT", exchange="SMART", currency="USD", right="C", strike=550.0)
    asked.lastTradeDateOrContractMonth = "202406"
    rows = details(c, asked)
    assert {row.contract.lastTradeDateOrContractMonth[:6] for row in rows} == {"202406"}
    assert {row.contract.strike for row in rows} == {550.0}


@checks("reqContractDetails", "a stock on an exchange of its own")
def directed(c: Client) -> None:
    [row] = details(c, nouns.stock(c, exchange="ARCA"))
    assert (row.contract.conId, row.contract.exchange) == (756733, "ARCA")
