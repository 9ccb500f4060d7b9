from __future__ import annotations

from datetime import date

from tests.support.paper_desk import PaperDesk, errors, of_kind
from tests.support.paper_world import SESSIONS, SPX, SPY, option_id
from tests.support.tws_client import contract12

from htbot.domain.instruments import Right
from htbot.paper.handlers.contracts import hours_text

PUT = option_id(4700, Right.PUT)


def test_a_query_gives_every_contract_that_fits(desk: PaperDesk) -> None:
    client = desk.client()
    query = contract12(symbol="SPX", sec_type="OPT", expiry="20240102", right="P")
    messages = client.ask(9, 8, 4, *query, 0, "", "", "")
    details = of_kind(messages, 10)
    assert [fields[5] for fields in details] == ["4650", "4675", "4700", "4725"]
    assert {fields[6] for fields in details} == {"P"}
    assert messages[-1][:3] == ["52", "1", "4"]


def test_details_name_the_listing_of_an_option(desk: PaperDesk) -> None:
    [fields] = of_kind(desk.client().ask(9, 8, 4, *contract12(PUT), 0, "", "", ""), 10)
    where = fields.index("HtbotListing")
    assert fields[where - 1 : where + 2] == ["1", "HtbotListing", "modelled"]
    assert fields[9] == "SPXW  240102P04700000"


def test_rights_and_expiries_are_read_as_clients_write_them(desk: PaperDesk) -> None:
    client = desk.client()
    for right, expiry in (("PUT", "20240102"), ("P", "20240102 16:00:00 US/Eastern")):
        query = contract12(symbol="SPX", sec_type="OPT", expiry=expiry, right=right, strike=4700)
        [fields] = of_kind(client.ask(9, 8, 4, *query, 0, "", "", ""), 10)
        assert str(PUT) in fields


def test_chains_of_what_is_no_underlying(desk: PaperDesk) -> None:
    client = desk.client()
    assert errors(client.ask(78, 4, "SPX", "", "IND", 99)) == [(4, 200)]
    assert errors(client.ask(78, 5, "SPY", "", "IND", SPX)) == [(5, 200)]


def test_symbols(desk: PaperDesk) -> None:
    client = desk.client()
    [samples] = client.ask(81, 4, "spy")
    assert samples[:6] == ["79", "4", "1", str(SPY), "SPY", "STK"]
    assert samples[8:10] == ["1", "OPT"]
    assert client.ask(81, 5, "") == [["79", "5", "0"]]


def test_hours_name_closed_days() -> None:
    session = SESSIONS.all()[1]
    days = [(session.day, "US/Eastern", ((session.opens, session.closes),)), (date(2024, 1, 4), "US/Eastern", ())]
    assert hours_text(days) == "20240103:0930-20240103:1600;20240104:CLOSED"
    central = [(session.day, "US/Central", ((session.opens, session.closes),))]
    assert hours_text(central) == "20240103:0830-20240103:1500"


def test_a_combination_remembers_its_tick(desk: PaperDesk) -> None:
    client = desk.client()
    legs = [2, PUT, 1, "SELL", "SMART", option_id(4675, Right.PUT), 1, "BUY", "SMART"]
    [parameters] = of_kind(client.ask(1, 11, 5, *contract12(symbol="SPX", sec_type="BAG"), *legs, 0, "", 1, 0, ""), 81)
    assert parameters[2] == "0.05"
    legs = [1, option_id(470, Right.PUT, symbol="SPY"), 2, "BUY", "SMART"]
    [parameters] = of_kind(client.ask(1, 11, 6, *contract12(symbol="SPY", sec_type="BAG"), *legs, 0, "", 1, 0, ""), 81)
    assert parameters[2] == "0.01"


def test_a_stock_without_an_exchange_is_told_on_each_of_its_exchanges(desk: PaperDesk) -> None:
    client = desk.client()
    bare = [0, "SPY", "STK", "", 0, "", "", "", "", "USD", "", ""]
    messages = of_kind(client.ask(9, 8, 4, *bare, 0, "", "", ""), 10)
    assert [fields[7] for fields in messages] == ["SMART", "CBOE"]
    [only] = of_kind(client.ask(9, 8, 5, *contract12(symbol="SPY", sec_type="STK", exchange="CBOE"), 0, "", "", ""), 10)
    assert only[7] == "CBOE"


def test_a_security_type_must_be_one(desk: PaperDesk) -> None:
    client = desk.client()
    for sec_type, code in (("XYZ", 321), ("", 321), ("CFD", 200), ("BOND", 200)):
        query = contract12(symbol="AAPL", sec_type=sec_type)
        assert errors(client.ask(9, 8, 4, *query, 0, "", "", "")) == [(4, code)]


def test_letters_of_exchanges_and_where_books_are_shown(desk: PaperDesk) -> None:
    client = desk.client()
    [components] = client.ask(83, 6, "a60001")
    assert components[:3] == ["82", "6", "19"]
    assert components[components.index("NASDAQ") + 1] == "Q"
    [exchanges] = client.ask(82)
    assert exchanges[0] == "80"
    assert exchanges[exchanges.index("IDEALPRO") :][:2] == ["IDEALPRO", "CASH"]
