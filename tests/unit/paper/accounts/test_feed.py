from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from ib_async import Contract, MarketOrder, Stock
from tests.support.paper_desk import PaperDesk, errors, of_kind
from tests.support.paper_world import SPY, HandMarket, option_id
from tests.support.tws_client import RawClient, spread

from htbot.domain.instruments import Right

LONG, SHORT = option_id(4675, Right.PUT), option_id(4700, Right.PUT)
STOCK = Stock("SPY", "SMART", "USD")


def values_of(messages: list[list[str]]) -> dict[str, str]:
    """Account values by key: of the whole account, or in USD."""
    return {fields[2]: fields[3] for fields in of_kind(messages, 6) if fields[4] in {"", "USD"}}


def bought(client: RawClient, quantity: int = 100) -> list[list[str]]:
    client.place(1, STOCK, MarketOrder("BUY", quantity))
    return client.ask(49, 1)


def test_account_values_end_with_the_download(desk: PaperDesk) -> None:
    messages = desk.client().ask(6, 2, 1, desk.gateway.accounts[0])
    values = values_of(messages)
    assert values["NetLiquidation"] == values["TotalCashValue"] == values["AvailableFunds"] == "100000.00"
    assert values["BuyingPower"] == "400000.00"
    assert (values["HtbotWorld"], values["HtbotSpeed"]) == ("hand-1", "max")
    assert [fields[0] for fields in messages[-2:]] == ["8", "54"]


def test_a_trade_moves_the_values_and_the_portfolio(desk: PaperDesk) -> None:
    client = desk.client()
    client.ask(6, 2, 1, "")
    messages = bought(client)
    values = values_of(messages)
    # 100 shares at 470.01, marked at 470.00, one dollar of commission; by day they are opened against maintenance
    assert values["NetLiquidation"] == "99998.00"
    assert values["InitMarginReq"] == values["MaintMarginReq"] == "11750.00"
    assert values["RegTMargin"] == values["LookAheadInitMarginReq"] == "23500.00"
    assert values["AvailableFunds"] == "88248.00"
    assert values["BuyingPower"] == "352992.00"
    assert values["FullAvailableFunds"] == values["SMA"] == "76498.00"
    assert values["GrossPositionValue"] == "47000.00"
    [row] = of_kind(messages, 7)
    assert (row[2], row[13:20]) == (
        str(SPY),
        ["100", "470", "47000.00", "470.02", "-2.00", "0.00", desk.gateway.accounts[0]],
    )


def test_a_closed_position_is_shown_once_at_zero(desk: PaperDesk) -> None:
    client = desk.client()
    client.ask(61, 1)
    bought(client)
    client.place(2, STOCK, MarketOrder("SELL", 100))
    [row] = of_kind(client.ask(49, 1), 61)
    assert row[-2:] == ["0", "0"]
    assert of_kind(desk.client(2).ask(61, 1), 61) == []


def test_the_position_of_a_share_names_its_listing(desk: PaperDesk, market: HandMarket) -> None:
    market._contracts[SPY] = replace(market._contracts[SPY], primary_exchange="ARCA")
    client = desk.client()
    bought(client)
    call = Contract(conId=option_id(470, Right.CALL, symbol="SPY"), secType="OPT", exchange="SMART")
    client.place(2, call, MarketOrder("BUY", 1))
    client.ask(49, 1)
    assert {row[5]: row[10] for row in of_kind(client.ask(61, 1), 61)} == {"STK": "ARCA", "OPT": ""}


def test_unsubscribed_clients_hear_nothing(desk: PaperDesk) -> None:
    client = desk.client()
    for request in ((6, 2, 1, ""), (61, 1), (74, 1, 7, "", ""), (62, 1, 8, "All", "NetLiquidation"), (92, 9, "", "")):
        client.ask(*request)
    for request in ((6, 2, 0, ""), (64, 1), (75, 1, 7), (63, 1, 8), (93, 9)):
        client.ask(*request)
    kinds = {fields[0] for fields in bought(client)}
    assert kinds == {"11", "5", "3", "59", "49"}


def test_summary_tags_and_ledger(desk: PaperDesk) -> None:
    messages = desk.client().ask(62, 1, 4, "All", "NetLiquidation,HtbotWorld,Nonsense,$LEDGER:ALL")
    rows = {(fields[3], fields[4], fields[6]): fields[5] for fields in of_kind(messages, 63)}
    account = desk.gateway.accounts[0]
    assert rows[account, "NetLiquidation", "USD"] == "100000.00"
    assert rows[account, "HtbotWorld", ""] == "hand-1"
    assert rows["All", "CashBalance", "USD"] == rows["All", "CashBalance", "BASE"] == "100000.00"
    assert not [key for key in rows if key[1] == "Nonsense"]
    assert messages[-1][0] == "64"


@pytest.mark.parametrize(
    ("tag", "currencies"), [("$LEDGER", {"BASE"}), ("$LEDGER:USD", {"USD"}), ("$LEDGER:EUR", set())]
)
def test_a_ledger_of_one_currency(desk: PaperDesk, tag: str, currencies: set[str]) -> None:
    messages = desk.client().ask(62, 1, 4, "All", tag)
    assert {fields[6] for fields in of_kind(messages, 63)} == currencies


@pytest.mark.parametrize(("group", "tags"), [("", "SMA"), ("All", ""), ("Nobody", "SMA")])
def test_a_summary_needs_tags_and_a_group(desk: PaperDesk, group: str, tags: str) -> None:
    assert errors(desk.client().ask(62, 1, 4, group, tags)) == [(4, 321)]


SUMMARY_TAGS = (
    "AccountType,NetLiquidation,TotalCashValue,SettledCash,AccruedCash,BuyingPower,EquityWithLoanValue,"
    "PreviousEquityWithLoanValue,PreviousDayEquityWithLoanValue,GrossPositionValue,ReqTEquity,ReqTMargin,RegTEquity,"
    "RegTMargin,SMA,InitMarginReq,MaintMarginReq,AvailableFunds,ExcessLiquidity,Cushion,FullInitMarginReq,"
    "FullMaintMarginReq,FullAvailableFunds,FullExcessLiquidity,LookAheadNextChange,LookAheadInitMarginReq,"
    "LookAheadMaintMarginReq,LookAheadAvailableFunds,LookAheadExcessLiquidity,HighestSeverity,DayTradesRemaining,"
    "DayTradesRemainingT+1,DayTradesRemainingT+2,DayTradesRemainingT+3,DayTradesRemainingT+4,Leverage"
)


def test_every_summary_tag_has_a_value(desk: PaperDesk) -> None:
    messages = desk.client().ask(62, 1, 4, "All", SUMMARY_TAGS)
    assert [fields[4] for fields in of_kind(messages, 63)] == SUMMARY_TAGS.split(",")


def test_a_third_summary_is_refused(desk: PaperDesk) -> None:
    client = desk.client()
    for request_id in (1, 2):
        assert errors(client.ask(62, 1, request_id, "All", "NetLiquidation")) == []
    assert errors(client.ask(62, 1, 3, "All", "NetLiquidation")) == [(3, 322)]
    assert of_kind(client.ask(62, 1, 2, "All", "SMA"), 63)[0][4] == "SMA"  # the same id again replaces its request
    client.ask(63, 1, 1)
    assert errors(client.ask(62, 1, 3, "All", "NetLiquidation")) == []


def test_profit_lines_follow_the_market(desk: PaperDesk, market: HandMarket) -> None:
    client = desk.client()
    account = desk.gateway.accounts[0]
    bought(client)
    assert client.ask(92, 4, account, "") == [["94", "4", "-2.00", "-2.00", "0.00"]]
    assert client.ask(94, 5, account, "", SPY) == [["95", "5", "100", "-2.00", "-2.00", "0.00", "47000.00"]]
    unset = ["1.7976931348623157E308"] * 3
    assert client.ask(94, 6, account, "", 99) == [["95", "6", "0", *unset, "0"]]
    market.quotes[SPY] = (471.0, 471.0)
    messages = client.ask(49, 1)
    assert of_kind(messages, 94) == [["94", "4", "98.00", "98.00", "0.00"]]
    held, stranger = of_kind(messages, 95)
    assert held == ["95", "5", "100", "98.00", "98.00", "0.00", "47100.00"]
    assert stranger == ["95", "6", "0", *unset, "0"]
    assert of_kind(client.ask(49, 1), 94) == [["94", "4", "98.00", "98.00", "0.00"]]  # each second, changed or not
    assert errors(client.ask(92, 4, account, "")) == [(4, 322)]
    assert errors(client.ask(92, 7, "", "")) == [(7, 321)]


def test_profit_that_nobody_asked_for_cannot_be_ended(desk: PaperDesk) -> None:
    client = desk.client()
    client.ask(92, 4, desk.gateway.accounts[0], "")
    assert errors(client.ask(93, 5)) == [(5, 10185)]
    assert errors(client.ask(95, 4)) == [(4, 10186)]
    assert client.ask(93, 4) == []
    assert errors(client.ask(93, 4)) == [(4, 10185)]


def test_a_position_of_an_earlier_day_has_realised_nothing_yet(desk: PaperDesk) -> None:
    client = desk.client()
    bought(client)
    account = desk.gateway.accounts[0]
    worth = desk.gateway.valuer.value(account)
    desk.gateway.ledger.close_day(account, worth.net_liquidation, worth.equity_with_loan, {SPY: 47_000})
    [row] = client.ask(94, 5, account, "", SPY)
    assert row[3:6] == ["0.00", "-2.00", "1.7976931348623157E308"]


def test_a_credit_spread_ties_up_its_width(desk: PaperDesk, market: HandMarket) -> None:
    market.quotes[SHORT], market.quotes[LONG] = (8.1, 8.2), (3.3, 3.4)
    client = desk.client()
    client.ask(6, 2, 1, "")
    client.place(1, spread((SHORT, "SELL"), (LONG, "BUY")), MarketOrder("BUY", 2))
    values = values_of(client.ask(49, 1))
    assert values["InitMarginReq"] == "5000.00"
    # 940 received, 4.92 of commissions; marks are mids: 4.80 a spread
    assert values["TotalCashValue"] == "100935.08"
    assert values["NetLiquidation"] == "99975.08"
    assert values["AvailableFunds"] == "95935.08"


@pytest.mark.parametrize(
    "request_fields", [(6, 2, 1, "DU0"), (92, 4, "DU0", ""), (74, 1, 4, "DU0", ""), (76, 1, 4, "DU0", "", 0)]
)
def test_an_unknown_account_is_invalid(desk: PaperDesk, request_fields: tuple[object, ...]) -> None:
    assert [code for _id, code in errors(desk.client().ask(*request_fields))] == [321]


def test_the_end_of_account_updates_is_told(desk: PaperDesk) -> None:
    client = desk.client()
    assert client.ask(6, 2, 0, "") == []
    client.ask(6, 2, 1, "")
    [note] = client.ask(6, 2, 0, "")
    assert note[:4] == ["4", "2", "-1", "2100"]
    assert client.ask(6, 2, 0, "") == []


def test_segments_add_up(desk: PaperDesk) -> None:
    client = desk.client()
    bought(client)
    values = values_of(client.ask(6, 2, 1, ""))
    wholes = [key.removesuffix("-C") for key in values if key.endswith("-C") and key != "SegmentTitle-C"]
    assert len(wholes) == 24
    for key in wholes:
        assert float(values[key]) == float(values[f"{key}-C"]) + float(values[f"{key}-S"])


def test_a_ledger_row_in_each_currency(desk: PaperDesk) -> None:
    rows = of_kind(desk.client().ask(6, 2, 1, ""), 6)
    currencies: dict[str, list[str]] = {}
    for row in rows:
        currencies.setdefault(row[2], []).append(row[4])
    assert currencies["CashBalance"] == currencies["RealCurrency"] == ["BASE", "USD"]
    assert currencies["NetLiquidation"] == ["USD"]
    assert currencies["DayTradesRemainingT+4"] == [""]
    assert [row[2] for row in rows] == sorted(row[2] for row in rows)


@pytest.mark.parametrize(("ledger_only", "has_buying_power"), [(0, True), (1, False)])
def test_updates_under_a_request_id(desk: PaperDesk, ledger_only: int, has_buying_power: bool) -> None:
    client = desk.client()
    messages = client.ask(76, 1, 8, desk.gateway.accounts[0], "", ledger_only)
    assert messages[-1] == ["74", "1", "8"]
    keys = {row[5] for row in of_kind(messages, 73)}
    assert {"CashBalance", "NetLiquidation"} <= keys
    assert ("BuyingPower" in keys) is has_buying_power
    assert errors(client.ask(76, 1, 8, "", "", 0)) == [(8, 322)]
    assert {row[2] for row in of_kind(bought(client), 73)} == {"8"}


def test_what_is_about_one_account_needs_its_name(make_desk: Callable[..., PaperDesk]) -> None:
    client = make_desk(accounts=("DU1", "DU2")).client()
    assert errors(client.ask(6, 2, 1, "")) == [(-1, 321)]
    client.place(1, STOCK, MarketOrder("BUY", 100, account="DU1"))
    client.place(2, STOCK, MarketOrder("BUY", 100, account="DU2"))
    client.ask(49, 1)
    for name in ("All", ""):
        rows = of_kind(client.ask(74, 1, 5, name, ""), 71)
        assert [row[3] for row in rows] == ["DU1", "DU2"]
    assert [row[3] for row in of_kind(client.ask(74, 1, 5, "DU2", ""), 71)] == ["DU2"]
    messages = client.ask(62, 1, 4, "All", "NetLiquidation,$LEDGER:USD")
    rows = [(row[3], row[5]) for row in of_kind(messages, 63) if row[4] in {"NetLiquidation", "CashBalance"}]
    assert rows == [("DU1", "99998.00"), ("DU2", "99998.00"), ("All", "105996.00")]
    assert client.ask(92, 6, "All", "") == [["94", "6", "-4.00", "-4.00", "0.00"]]


def test_values_come_every_three_minutes(desk: PaperDesk, market: HandMarket) -> None:
    client = desk.client()
    bought(client)
    client.ask(6, 2, 1, "")
    market.quotes[SPY] = (471.0, 471.0)
    heard = [client.ask(49, 1) for _ in range(12)]  # 30 seconds an instant
    assert [bool(of_kind(messages, 8)) for messages in heard].count(True) == 2
    assert [bool(of_kind(messages, 6)) for messages in heard].count(True) == 1  # what did not change is not repeated


def test_accounts_are_kept_apart(make_desk: Callable[..., PaperDesk]) -> None:
    desk = make_desk(accounts=("DU1", "DU2"))
    client = desk.client()
    client.place(1, STOCK, MarketOrder("BUY", 100, account="DU2"))
    client.ask(49, 1)
    assert values_of(client.ask(6, 2, 1, "DU1"))["NetLiquidation"] == "100000.00"
    assert values_of(client.ask(6, 2, 1, "DU2"))["NetLiquidation"] == "99998.00"
    assert [fields[2] for fields in of_kind(client.ask(61, 1), 61)] == ["DU2"]


def test_costs_are_short_and_zero_has_no_sign(desk: PaperDesk, market: HandMarket) -> None:
    client = desk.client()
    bought(client, 3)
    [row] = of_kind(client.ask(61, 1), 61)
    assert row[-1] == "470.34333333"
    market.quotes[SPY] = (470.3433, 470.3433)
    client.ask(49, 1)
    assert client.ask(94, 5, desk.gateway.accounts[0], "", SPY)[0][4] == "0.00"
