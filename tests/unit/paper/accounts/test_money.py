"""Several currencies, futures, crypto, and what kinds of accounts may do with their money."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from ib_async import Contract as WireContract
from ib_async import LimitOrder, MarketOrder, Stock
from tests.support.paper_desk import PaperDesk, errors, of_kind
from tests.support.paper_world import DAYS, RULE_CENT, SESSIONS, SPY, HandMarket, _details, option_id
from tests.support.tws_client import RawClient, spread

from htbot.domain.instruments import Contract, Right, SecType
from htbot.matching.fees import Plan
from htbot.paper.accounts.valuation import AccountKind, BrokerTerms

STOCK = Stock("SPY", "SMART", "USD")
EUR, JPY, ES, ES_NOW, BTC = 12087792, 15016059, 495512563, 495512564, 479624278
CLOSE = SESSIONS.all()[0].closes
CASH_ACCOUNT = BrokerTerms((AccountKind.CASH,))
RULE_PIP = ((Decimal(0), Decimal("0.00005")),)


@pytest.fixture
def market() -> HandMarket:
    """The world of the other tests with forex, a future and a coin."""
    made = HandMarket()
    for contract in (
        Contract(EUR, "EUR", SecType.FOREX, "IDEALPRO", "USD", trading_class="EUR.USD"),
        Contract(JPY, "USD", SecType.FOREX, "IDEALPRO", "JPY", trading_class="USD.JPY"),
        Contract(ES, "ES", SecType.FUTURE, "CME", "USD", DAYS[1], trading_class="ES", multiplier=50),
        Contract(ES_NOW, "ES", SecType.FUTURE, "CME", "USD", DAYS[0], trading_class="ES", multiplier=50),
        Contract(BTC, "BTC", SecType.CRYPTO, "PAXOS", "USD", trading_class="BTC"),
    ):
        made._contracts[contract.con_id] = _details(
            contract, RULE_PIP if contract.sec_type is SecType.FOREX else RULE_CENT, (0, "", "")
        )
    made.quotes |= {
        EUR: (1.1, 1.1),
        JPY: (145.0, 145.0),
        ES: (4700.0, 4700.0),
        ES_NOW: (4700.0, 4700.0),
        BTC: (43_000.0, 43_000.0),
    }
    made.sizes.default_factory = lambda: (1e9, 1e9)
    return made


def con(con_id: int, sec_type: str) -> WireContract:
    exchanges = {"CASH": "IDEALPRO", "FUT": "CME", "CRYPTO": "PAXOS"}
    return WireContract(conId=con_id, secType=sec_type, exchange=exchanges.get(sec_type, "SMART"))


def trade(client: RawClient, order_id: int, contract: WireContract, side: str, quantity: float) -> list[list[str]]:
    first = client.place(order_id, contract, MarketOrder(side, quantity))
    return first + client.ask(49, 1)


def cash(desk: PaperDesk) -> dict[str, Decimal]:
    return desk.gateway.ledger.accounts[desk.gateway.accounts[0]].cash


def worth(desk: PaperDesk) -> Decimal:
    return desk.gateway.valuer.value(desk.gateway.accounts[0]).net_liquidation


def test_forex_exchanges_two_currencies(desk: PaperDesk, market: HandMarket) -> None:
    client = desk.client()
    trade(client, 1, con(EUR, "CASH"), "BUY", 20_000)
    assert cash(desk) == {"USD": Decimal(100_000) - 22_000 - 2, "EUR": Decimal(20_000)}
    assert worth(desk) == Decimal(99_998)
    messages = client.ask(6, 2, 1, "")
    rows = {(row[2], row[4]): row[3] for row in of_kind(messages, 6)}
    assert rows["CashBalance", "EUR"] == "20000.00"
    assert rows["CashBalance", "BASE"] == "99998.00"
    assert rows["ExchangeRate", "EUR"] == "1.1000000"
    [held] = of_kind(messages, 7)
    assert held[13:17] == ["20000", "1.1", "22000.00", "1.1"]
    market.quotes[EUR] = (1.2, 1.2)
    client.ask(49, 1)
    assert worth(desk) == Decimal(101_998)


def test_a_pair_quoted_the_other_way_round(desk: PaperDesk, market: HandMarket) -> None:
    client = desk.client()
    trade(client, 1, con(JPY, "CASH"), "BUY", 10_000)
    assert cash(desk) == {"USD": Decimal(100_000) + 10_000 - 2, "JPY": Decimal(-1_450_000)}
    assert round(worth(desk), 2) == Decimal(99_998)
    market.quotes[JPY] = (150.0, 150.0)
    client.ask(49, 1)
    [report] = of_kind(trade(client, 2, con(JPY, "CASH"), "SELL", 10_000), 59)
    assert round(float(report[5]), 2) == round(
        50_000 / 150 - 2, 2
    )  # the profit in yen, in dollars, less the commission
    assert cash(desk) == {"USD": Decimal(100_000) - 4, "JPY": Decimal(50_000)}


@pytest.fixture
def late(make_desk: Callable[..., PaperDesk], market: HandMarket) -> PaperDesk:
    """A few minutes before the first session's close."""
    market.start = CLOSE - timedelta(minutes=3)
    return make_desk()


def to_the_close(desk: PaperDesk, client: RawClient) -> None:
    while desk.gateway.now < CLOSE:
        client.ask(49, 1)


def test_a_future_takes_margin_and_settles_daily(late: PaperDesk, market: HandMarket) -> None:
    client = late.client()
    trade(client, 1, con(ES, "FUT"), "BUY", 2)
    account = late.gateway.accounts[0]
    assert cash(late) == {"USD": Decimal(100_000) - Decimal("4.50")}
    value = late.gateway.valuer.value(account)
    assert (value.gross_value, value.requirement.maintenance) == (0, 23_500)
    market.quotes[ES] = (4710.0, 4710.0)
    client.ask(49, 1)
    value = late.gateway.valuer.value(account)
    assert (value.total.future, value.total.unrealized) == (1000, Decimal("995.50"))
    assert value.net_liquidation == Decimal(100_000) - Decimal("4.50") + 1000
    rows = {row[2]: row[3] for row in of_kind(client.ask(6, 2, 1, ""), 6) if row[4] == "USD"}
    assert (rows["FuturesPNL"], rows["MaintMarginReq-C"], rows["AvailableFunds-C"]) == ("1000.00", "23550.00", "0.00")
    to_the_close(late, client)
    assert cash(late) == {"USD": Decimal(100_000) - Decimal("4.50") + 1000}
    assert late.gateway.valuer.value(account).daily == 0
    assert late.gateway.ledger.positions[account, ES].quantity == 2


def test_a_future_ends_at_its_last_price(late: PaperDesk, market: HandMarket) -> None:
    client = late.client()
    trade(client, 1, con(ES_NOW, "FUT"), "SELL", 1)
    market.quotes[ES_NOW] = (4710.0, 4710.0)
    to_the_close(late, client)
    assert late.gateway.ledger.held(late.gateway.accounts[0]) == []
    assert cash(late) == {"USD": Decimal(100_000) - Decimal("2.25") - 500}


def test_crypto_is_paid_in_full_and_never_short(desk: PaperDesk) -> None:
    client = desk.client()
    trade(client, 1, con(BTC, "CRYPTO"), "BUY", 1)
    value = desk.gateway.valuer.value(desk.gateway.accounts[0])
    assert (value.total.crypto, value.initial) == (43_000, 43_000)
    assert errors(trade(client, 2, con(BTC, "CRYPTO"), "SELL", 2))[0] == (2, 201)


# --- kinds of accounts --------------------------------------------------------------------------------------------


def test_a_cash_account_spends_what_has_settled(make_desk: Callable[..., PaperDesk], market: HandMarket) -> None:
    market.start = CLOSE - timedelta(minutes=5)
    desk = make_desk(terms=CASH_ACCOUNT)
    client = desk.client()
    trade(client, 1, STOCK, "BUY", 200)
    value = desk.gateway.valuer.value(desk.gateway.accounts[0])
    assert value.buying_power == value.available_funds == value.settled_cash == Decimal("5997.00")
    trade(client, 2, STOCK, "SELL", 200)
    value = desk.gateway.valuer.value(desk.gateway.accounts[0])
    assert (value.total.cash, value.settled_cash) == (Decimal("99994.00"), Decimal("5997.00"))
    assert errors(trade(client, 3, STOCK, "BUY", 100)) == [(3, 201)]
    to_the_close(desk, client)
    assert desk.gateway.valuer.value(desk.gateway.accounts[0]).settled_cash == Decimal("99994.00")


@pytest.mark.parametrize(
    ("contract", "side"),
    [
        (STOCK, "SELL"),
        (WireContract(conId=option_id(470, Right.CALL, symbol="SPY"), secType="OPT", exchange="SMART"), "SELL"),
        (
            spread(
                (option_id(465, Right.CALL, symbol="SPY"), "SELL"),
                (option_id(470, Right.CALL, symbol="SPY"), "BUY"),
                symbol="SPY",
            ),
            "BUY",
        ),
    ],
    ids=["short stock", "naked call", "call spread"],
)
def test_a_cash_account_is_never_short(make_desk: Callable[..., PaperDesk], contract: WireContract, side: str) -> None:
    client = make_desk(terms=CASH_ACCOUNT).client()
    messages = client.place(1, contract, MarketOrder(side, 1))
    assert errors(messages) == [(1, 201)]
    assert "cash account" in of_kind(messages, 4)[0][4]


def test_a_cash_account_sells_no_currency_that_it_does_not_have(make_desk: Callable[..., PaperDesk]) -> None:
    client = make_desk(terms=CASH_ACCOUNT).client()
    messages = client.place(1, con(EUR, "CASH"), MarketOrder("SELL", 20_000))
    assert errors(messages) == [(1, 201)]
    assert "may not owe EUR: 20000.00" in of_kind(messages, 4)[0][4]
    assert errors(trade(client, 2, con(EUR, "CASH"), "BUY", 20_000)) == []
    assert errors(trade(client, 3, con(EUR, "CASH"), "SELL", 20_000)) == []


def test_a_cash_account_secures_a_put_in_full(make_desk: Callable[..., PaperDesk]) -> None:
    desk = make_desk(terms=CASH_ACCOUNT)
    client = desk.client()
    put = con(option_id(465, Right.PUT, symbol="SPY"), "OPT")
    assert errors(trade(client, 1, put, "SELL", 2)) == []
    value = desk.gateway.valuer.value(desk.gateway.accounts[0])
    assert value.initial == 93_000
    assert errors(trade(client, 2, put, "SELL", 1)) == [(2, 201)]


def test_naked_options_by_permission(make_desk: Callable[..., PaperDesk]) -> None:
    call = con(option_id(470, Right.CALL, symbol="SPY"), "OPT")
    forbidden = make_desk("one", terms=BrokerTerms(naked_options=False))
    assert errors(trade(forbidden.client(), 1, call, "SELL", 1)) == [(1, 201)]
    desk = make_desk("two")
    assert errors(trade(desk.client(), 1, call, "SELL", 1)) == []
    assert desk.gateway.valuer.value(desk.gateway.accounts[0]).initial == 9_400 + 110


def test_the_tiered_plan_charges_by_the_share(make_desk: Callable[..., PaperDesk]) -> None:
    desk = make_desk(terms=BrokerTerms(plan=Plan.TIERED))
    messages = trade(desk.client(), 1, STOCK, "BUY", 100)
    assert [row[3] for row in of_kind(messages, 59)] == ["0.67"]


# --- credit -------------------------------------------------------------------------------------------------------


def what_if(client: RawClient, order_id: int, contract: WireContract, order: MarketOrder) -> list[float]:
    order.whatIf = True
    [answer] = of_kind(client.place(order_id, contract, order), 5)
    first = next(index for index, text in enumerate(answer) if text == "100000.00" and answer[index - 2] == "0.00")
    return [float(text) for text in answer[first - 2 : first + 7]]


def test_a_what_if_adds_up(desk: PaperDesk) -> None:
    figures = what_if(desk.client(), 1, STOCK, MarketOrder("BUY", 100))
    assert figures[:3] == [0.0, 0.0, 100_000.0]
    assert figures[6:8] == [11_750.0, 11_750.0]
    for before, change, after in zip(figures[:3], figures[3:6], figures[6:], strict=True):
        assert after == pytest.approx(before + change)


def test_a_what_if_adds_up_to_the_cent(desk: PaperDesk, market: HandMarket) -> None:
    client = desk.client()
    trade(client, 1, STOCK, "BUY", 2)
    market.quotes[SPY], market.last[SPY] = (470.01, 470.02), 470.01
    client.ask(49, 1)
    order = MarketOrder("SELL", 1, whatIf=True)
    [answer] = of_kind(client.place(2, STOCK, order), 5)
    first = answer.index("235.01")
    before, change, after = (Decimal(answer[first + step]) for step in (0, 3, 6))
    assert (before + change, after) == (after, Decimal("117.50"))


def test_by_day_four_times_the_equity_and_not_a_share_more(desk: PaperDesk) -> None:
    client = desk.client()
    assert errors(client.place(1, STOCK, MarketOrder("BUY", 860))) == [(1, 201)]
    assert errors(client.place(2, STOCK, MarketOrder("BUY", 845))) == []


def test_a_small_account_has_twice_its_equity(make_desk: Callable[..., PaperDesk]) -> None:
    client = make_desk(cash_usd=Decimal(20_000)).client()
    assert errors(client.place(1, STOCK, MarketOrder("BUY", 86))) == [(1, 201)]
    assert errors(client.place(2, STOCK, MarketOrder("BUY", 84))) == []


def test_working_orders_reserve_what_they_would_take(make_desk: Callable[..., PaperDesk]) -> None:
    desk = make_desk(cash_usd=Decimal(20_000))
    client = desk.client()
    assert errors(client.place(1, STOCK, LimitOrder("BUY", 50, 400))) == []
    assert errors(client.place(2, STOCK, LimitOrder("BUY", 50, 400))) == [(2, 201)]
    client.ask(4, 1, 1, "")
    assert errors(client.place(3, STOCK, LimitOrder("BUY", 50, 400))) == []


def test_an_exit_needs_no_money(make_desk: Callable[..., PaperDesk]) -> None:
    desk = make_desk(cash_usd=Decimal(20_000))
    client = desk.client()
    trade(client, 1, STOCK, "BUY", 80)
    client.place(2, STOCK, LimitOrder("BUY", 4, 400))
    assert errors(client.place(3, STOCK, LimitOrder("SELL", 80, 480))) == []
    assert errors(client.place(4, STOCK, LimitOrder("SELL", 80, 490))) == []


def test_the_fourth_day_trade_of_a_small_account(make_desk: Callable[..., PaperDesk]) -> None:
    desk = make_desk(cash_usd=Decimal(20_000))
    client = desk.client()
    account = desk.gateway.accounts[0]
    for number in range(3):
        assert desk.gateway.valuer.value(account).day_trades_left() == 3 - number
        trade(client, 3 * number + 1, STOCK, "BUY", 2)
        trade(client, 3 * number + 2, STOCK, "SELL", 1)
        trade(client, 3 * number + 3, STOCK, "SELL", 1)
    value = desk.gateway.valuer.value(account)
    assert [value.day_trades_left(ahead) for ahead in range(5)] == [0, 0, 0, 0, 0]
    messages = client.place(90, STOCK, MarketOrder("BUY", 1))
    assert errors(messages) == [(90, 201)]
    desk.gateway.ledger.close_day(account, value.net_liquidation, value.equity_with_loan, {})
    value = desk.gateway.valuer.value(account)
    assert [value.day_trades_left(ahead) for ahead in range(5)] == [0, 0, 0, 0, 3]


def test_a_rich_account_counts_no_day_trades(desk: PaperDesk) -> None:
    client = desk.client()
    for order_id, side in enumerate(("BUY", "SELL") * 5, start=1):
        assert errors(trade(client, order_id, STOCK, side, 1)) == []
    assert desk.gateway.valuer.value(desk.gateway.accounts[0]).day_trades_left() == -1
    assert desk.gateway.ledger.accounts[desk.gateway.accounts[0]].day_trades == [5]


def test_a_value_is_worked_out_once_an_instant(desk: PaperDesk) -> None:
    client = desk.client()
    trade(client, 1, STOCK, "BUY", 1)
    account = desk.gateway.accounts[0]
    first = desk.gateway.valuer.value(account)
    assert desk.gateway.valuer.value(account) is first
    trade(client, 2, STOCK, "BUY", 1)
    assert desk.gateway.valuer.value(account) is not first
    assert desk.gateway.ledger.positions[account, SPY].quantity == 2


@pytest.mark.parametrize(
    ("side", "limit", "quantity"),
    [("BUY", 47, 845), ("SELL", 940, 40)],
    ids=["a purchase costs its limit", "shares sold short are secured at the price they are sold at"],
)
def test_an_order_that_waits_for_a_better_price_is_judged_at_its_limit(
    make_desk: Callable[..., PaperDesk], side: str, limit: float, quantity: int
) -> None:
    client = make_desk(cash_usd=Decimal(20_000)).client()
    assert errors(client.place(1, STOCK, LimitOrder(side, quantity, limit))) == []
    assert errors(client.place(2, STOCK, LimitOrder(side, quantity // 10, limit))) == [(2, 201)]


def test_what_ended_or_was_changed_ties_up_no_more_than_it_says(make_desk: Callable[..., PaperDesk]) -> None:
    client = make_desk(cash_usd=Decimal(20_000)).client()
    assert errors(client.place(1, STOCK, LimitOrder("BUY", 80, 400))) == []
    assert errors(client.place(2, STOCK, LimitOrder("BUY", 40, 400))) == [(2, 201)]
    assert errors(client.place(1, STOCK, LimitOrder("BUY", 40, 400))) == []
    assert errors(client.place(3, STOCK, LimitOrder("BUY", 40, 400))) == []
    client.ask(4, 1, 1, "")
    client.ask(4, 1, 3, "")
    assert errors(client.place(4, STOCK, LimitOrder("BUY", 80, 400))) == []


def test_of_a_group_of_which_one_can_fill_the_dearest_counts(make_desk: Callable[..., PaperDesk]) -> None:
    client = make_desk(cash_usd=Decimal(20_000)).client()
    for order_id, quantity in ((1, 40), (2, 70), (3, 50)):
        order = LimitOrder("BUY", quantity, 400, ocaGroup="one of them", ocaType=1)
        assert errors(client.place(order_id, STOCK, order)) == []
    assert errors(client.place(4, STOCK, LimitOrder("BUY", 29, 400))) == []
    assert errors(client.place(5, STOCK, LimitOrder("BUY", 2, 400))) == [(5, 201)]
