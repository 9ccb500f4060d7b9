from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from htbot.domain.instruments import Right
from htbot.domain.recorded import OptionSeries
from htbot.domain.sessions import SessionTable
from htbot.market.contracts import ContractBook
from htbot.market.details import occ_symbol, option_rule, parse_occ, underlying_details
from htbot.market.listing import ExpiryRules
from htbot.market.ports import ContractQuery
from htbot.market.timeline import Timeline

DAY = date(2024, 7, 1)
NOW = datetime(2024, 7, 1, 14, 0, tzinfo=UTC)
SPX, SPY = 416904, 756733
ODD = OptionSeries("SPXW", DAY, Decimal(4000), Right.PUT)
MONTHLY = OptionSeries("SPX", date(2024, 7, 19), Decimal(5500), Right.CALL)


@pytest.fixture
def book(calendar: SessionTable) -> ContractBook:
    prices = {"SPX": 5480.0, "SPY": 548.0}
    rules = ExpiryRules(Timeline(calendar))
    return ContractBook(["SPX", "SPY", "TWX"], rules, lambda symbol, _: prices.get(symbol), [ODD, MONTHLY])


def test_underlyings(book: ContractBook) -> None:
    [index] = book.details(ContractQuery(symbol="SPX", sec_type="IND", exchange="CBOE", currency="USD"), NOW)
    assert (index.contract.con_id, index.contract.exchange, index.under_con_id) == (SPX, "CBOE", 0)
    [stock] = book.details(ContractQuery(symbol="SPY", sec_type="STK", exchange="SMART"), NOW)
    assert (stock.contract.con_id, stock.primary_exchange, stock.stock_type) == (SPY, "ARCA", "ETF")
    assert book.details(ContractQuery(con_id=SPY), NOW) == [stock]


@pytest.mark.parametrize(
    "query",
    [
        ContractQuery(symbol="XXX", sec_type="STK"),
        ContractQuery(symbol="SPX", sec_type="IND", exchange="SMART"),
        ContractQuery(symbol="SPX", sec_type="STK"),
        ContractQuery(symbol="SPY", sec_type="STK", currency="EUR"),
        ContractQuery(symbol="SPX", sec_type="OPT", expiry="20240704"),
        ContractQuery(symbol="SPX", sec_type="OPT", trading_class="SPY"),
        ContractQuery(symbol="SPX", sec_type="OPT", right="X"),
        ContractQuery(symbol="SPX", sec_type="OPT", strike=float("nan")),
        ContractQuery(symbol="SPX", sec_type="OPT", strike=-5500.0),
        ContractQuery(symbol="TWX", sec_type="OPT"),
        ContractQuery(con_id=123),
        ContractQuery(),
    ],
)
def test_nothing_fits(book: ContractBook, query: ContractQuery) -> None:
    assert book.details(query, NOW) == []


def test_a_whole_expiry_of_the_weeklies(book: ContractBook) -> None:
    rows = book.details(ContractQuery(symbol="SPX", sec_type="OPT", trading_class="SPXW", expiry="20240702"), NOW)
    strikes = sorted({row.contract.strike for row in rows if row.contract.strike is not None})
    assert len(rows) == 2 * len(strikes)
    assert (strikes[0], strikes[-1]) == (Decimal(4380), Decimal(6580))
    first = rows[0]
    assert (first.contract.trading_class, first.contract.multiplier, first.under_con_id) == ("SPXW", 100, SPX)
    assert (first.min_tick, first.price_rule[1]) == (Decimal("0.05"), (Decimal(3), Decimal("0.10")))
    assert first.listing == "modelled"


def test_one_option_by_its_terms_and_back_by_its_id(book: ContractBook) -> None:
    query = ContractQuery(symbol="SPX", sec_type="OPT", expiry="20240702", strike=5500.0, right="PUT")
    [row] = book.details(query, NOW)
    assert row.local_symbol == "SPXW  240702P05500000"
    assert book.contract(row.contract.con_id) == row
    assert book.details(ContractQuery(con_id=row.contract.con_id), NOW) == [row]
    assert book.details(ContractQuery(sec_type="OPT", local_symbol="SPXW  240702P05500000"), NOW) == [row]
    later = datetime(2024, 7, 3, 14, tzinfo=UTC)
    assert book.details(ContractQuery(con_id=row.contract.con_id), later) == []
    assert book.contract(row.contract.con_id) == row  # a book may still hold it


def test_recorded_options_are_listed_beyond_the_grid(book: ContractBook) -> None:
    [odd] = book.details(ContractQuery(symbol="SPX", sec_type="OPT", strike=4000.0), NOW)
    assert (odd.contract.right, odd.listing) == (Right.PUT, "recorded")
    monthly = ContractQuery(symbol="SPX", sec_type="OPT", trading_class="SPX", expiry="202407", strike=5500.0)
    call, put = book.details(monthly, NOW)
    assert (call.contract.expiry, call.listing, put.listing) == (date(2024, 7, 19), "recorded", "modelled")
    assert call.last_trade_date == "20240718"
    [one] = book.details(ContractQuery(symbol="SPX", sec_type="OPT", expiry="20240718", strike=5500.0, right="C"), NOW)
    assert one.contract.trading_class == "SPX"


def test_chains(book: ContractBook) -> None:
    chains = {(chain.exchange, chain.trading_class): chain for chain in book.chains(SPX, DAY)}
    assert set(chains) == {("CBOE", "SPX"), ("SMART", "SPX"), ("CBOE", "SPXW"), ("SMART", "SPXW")}
    weekly = chains["SMART", "SPXW"]
    assert weekly.expirations[:4] == ("20240701", "20240702", "20240703", "20240705")
    assert weekly.strikes[:2] == (Decimal(4000), Decimal(4380))
    assert book.chains(1, DAY) == []


def test_occ_symbols() -> None:
    assert occ_symbol(OptionSeries("SPY", DAY, Decimal("547.5"), Right.CALL)) == "SPY   240701C00547500"
    assert parse_occ("SPY   240701C00547500") == OptionSeries("SPY", DAY, Decimal("547.5"), Right.CALL)
    assert [parse_occ(text) for text in ("SPY", "SPY 241301C00547500", "")] == [None, None, None]


def test_trading_classes_of_underlyings() -> None:
    symbols = ("AAPL", "SPY", "SPX", "EUR.USD", "BTC.USD")
    rows = [underlying_details(symbol) for symbol in symbols]
    assert [row.contract.trading_class for row in rows] == ["NMS", "SPY", "", "EUR.USD", "BTC"]
    assert [row.market_name for row in rows] == ["NMS", "SPY", "SPX", "EUR.USD", "BTC"]


def test_ticks() -> None:
    assert option_rule("SPY") == ((Decimal(0), Decimal("0.01")),)
    assert option_rule("VIX") == option_rule("AAPL")
    assert option_rule("AAPL")[1] == (Decimal(3), Decimal("0.05"))
