from __future__ import annotations

from collections.abc import Callable

import pytest
from ib_async import MarketOrder, Stock
from tests.support.paper_desk import PaperDesk, errors, of_kind
from tests.support.paper_world import SPY, HandMarket, option_id
from tests.support.tws_client import RawClient, spread

from htbot.domain.instruments import Right

LONG, SHORT = option_id(4675, Right.PUT), option_id(4700, Right.PUT)
STOCK = Stock("SPY", "SMART", "USD")


def values_of(messages: list[list[str]]) -> dict[str, str]:
    return {fields[2]: fields[3] for fields in of_kind(messages, 6)}


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
    # 100 shares at 470.01, marked at 470.00, one dollar of commission
    assert values["NetLiquidation"] == "99998.00"
    assert values["InitMarginReq"] == "23500.00"
    assert values["MaintMarginReq"] == "11750.00"
    assert values["AvailableFunds"] == "76498.00"
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
    rows = {fields[4]: (fields[5], fields[6]) for fields in of_kind(messages, 63)}
    assert rows["NetLiquidation"] == ("100000.00", "USD")
    assert rows["HtbotWorld"] == ("hand-1", "")
    assert rows["CashBalance"] == ("100000.00", "USD")
    assert "Nonsense" not in rows
    assert messages[-1][0] == "64"


def test_a_third_summary_is_refused(desk: PaperDesk) -> None:
    client = desk.client()
    for request_id in (1, 2):
        assert errors(client.ask(62, 1, request_id, "All", "NetLiquidation")) == []
    assert errors(client.ask(62, 1, 3, "All", "NetLiquidation")) == [(3, 322)]
    client.ask(63, 1, 1)
    assert errors(client.ask(62, 1, 3, "All", "NetLiquidation")) == []


def test_profit_lines_follow_the_market(desk: PaperDesk, market: HandMarket) -> None:
    client = desk.client()
    bought(client)
    assert client.ask(92, 4, "", "") == [["94", "4", "-2.00", "-2.00", "0.00"]]
    assert client.ask(94, 5, "", "", SPY) == [["95", "5", "100", "-2.00", "-2.00", "0.00", "47000.00"]]
    assert client.ask(94, 6, "", "", 99) == [["95", "6", "0", "0", "0", "0", "0"]]
    market.quotes[SPY] = (471.0, 471.0)
    messages = client.ask(49, 1)
    assert of_kind(messages, 94) == [["94", "4", "98.00", "98.00", "0.00"]]
    assert of_kind(messages, 95) == [["95", "5", "100", "98.00", "98.00", "0.00", "47100.00"]]
    assert errors(client.ask(92, 4, "", "")) == [(4, 322)]


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


def test_accounts_are_kept_apart(make_desk: Callable[..., PaperDesk]) -> None:
    desk = make_desk(accounts=("DU1", "DU2"))
    client = desk.client()
    client.place(1, STOCK, MarketOrder("BUY", 100, account="DU2"))
    client.ask(49, 1)
    assert values_of(client.ask(6, 2, 1, "DU1"))["NetLiquidation"] == "100000.00"
    assert values_of(client.ask(6, 2, 1, "DU2"))["NetLiquidation"] == "99998.00"
    assert [fields[2] for fields in of_kind(client.ask(61, 1), 61)] == ["DU2"]
