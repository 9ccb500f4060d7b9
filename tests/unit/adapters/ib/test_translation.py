from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import ib_async as ib
import pytest
from tests.support import bought, plain, record

from htbot.adapters.ib.translation import (
    as_utc,
    bag_contract,
    bar_from_ib,
    contract_from_ib,
    decimal_or_none,
    fill_from_ib,
    intent_order,
    listed_among,
    option_query,
    order_contract,
    price_or_none,
    quote_from_ticker,
    underlying_contract,
    what_if_from_ib,
    what_if_order,
)
from htbot.domain.instruments import UNDERLYINGS, Contract, Right, SecType
from htbot.domain.margin import MarginQuestion, WhatIf
from htbot.domain.orders import Action

ENTRY = record.entry(record.trade())


@pytest.mark.parametrize(
    ("raw", "number"),
    [
        ("1.23", Decimal("1.23")),
        (1.1, Decimal("1.1")),
        (-4.25, Decimal("-4.25")),
        (0, Decimal(0)),
        ("", None),
        (None, None),
        (float("nan"), None),
        (math.inf, None),
        (1.7976931348623157e308, None),
        ("1.7976931348623157E308", None),
    ],
)
def test_unset_numbers_are_unknown(raw: float | str | None, number: Decimal | None) -> None:
    assert decimal_or_none(raw) == number


@pytest.mark.parametrize(
    ("price", "size", "side"),
    [
        (1.25, 10.0, 1.25),
        (1.25, None, 1.25),
        (0.0, 5.0, 0.0),
        (0.0, 0.0, None),
        (-1.0, 0.0, None),
        (-1.0, None, None),
        (math.nan, math.nan, None),
        (1.25, math.nan, None),
        (math.inf, 10.0, None),
    ],
)
def test_a_side_that_is_not_there_is_none(price: float, size: float | None, side: float | None) -> None:
    """RULINGS 5."""
    assert price_or_none(price, size) == side


def test_queries_of_underlyings_and_their_options() -> None:
    spx, spy = underlying_contract(UNDERLYINGS["SPX"]), underlying_contract(UNDERLYINGS["SPY"])
    assert (spx.secType, spx.symbol, spx.exchange) == ("IND", "SPX", "CBOE")
    assert (spy.secType, spy.symbol, spy.exchange, spy.currency) == ("STK", "SPY", "SMART", "USD")
    query = option_query(UNDERLYINGS["SPX"], date(2022, 8, 26))
    assert (query.secType, query.tradingClass, query.lastTradeDateOrContractMonth) == ("OPT", "SPXW", "20220826")
    assert query.strike == 0.0


def test_an_option_of_the_broker() -> None:
    raw = ib.Option("SPX", "20220826", 4150.0, "P", "SMART", "100", "USD", conId=11, tradingClass="SPXW")
    contract = contract_from_ib(raw)
    assert (contract.con_id, contract.sec_type, contract.expiry) == (11, SecType.OPTION, date(2022, 8, 26))
    assert (contract.strike, contract.right, contract.multiplier) == (Decimal(4150), Right.PUT, 100)
    stock = contract_from_ib(ib.Stock("SPY", "SMART", "USD", conId=5))
    assert (stock.strike, stock.right, stock.expiry, stock.multiplier) == (None, None, None, 1)


def test_a_spread_is_one_combination_with_the_long_leg_bought() -> None:
    bag = bag_contract(ENTRY)
    assert (bag.secType, bag.symbol, bag.exchange, bag.currency) == ("BAG", "SPX", "SMART", "USD")
    assert [(leg.conId, leg.action, leg.ratio) for leg in bag.comboLegs] == [
        (record.SHORT.con_id, "SELL", 1),
        (record.LONG.con_id, "BUY", 1),
    ]
    assert bag_contract(record.exit_of(record.trade())).comboLegs == bag.comboLegs, "an exit sells the same combination"


def test_an_entry_is_a_buy_at_a_negative_limit_good_till_its_time() -> None:
    """RULINGS 8, 32."""
    order = intent_order(ENTRY, 7, Decimal("-4.20"))
    assert (order.orderType, order.action, order.totalQuantity, order.lmtPrice) == ("LMT", "BUY", 1, -4.2)
    assert (order.orderId, order.orderRef, order.account) == (7, ENTRY.ref, record.ACCOUNT)
    assert (order.tif, order.goodTillDate) == ("GTD", "20220826-16:01:40")
    assert not order.outsideRth


def test_an_exit_is_a_sell_for_the_day() -> None:
    order = intent_order(record.exit_of(record.trade()), 8, Decimal("-6.30"))
    assert (order.action, order.lmtPrice, order.tif, order.goodTillDate) == ("SELL", -6.3, "DAY", "")


def test_one_leg_is_the_option_or_the_share_itself() -> None:
    """At its own price, bought to open and sold to close; a what-if asks about the same contract."""
    option = record.entry(record.trade(legs=(bought.CALL,), width=None), limit=Decimal("1.90"))
    share = record.entry(record.trade(legs=(plain.LONG,), width=None), limit=Decimal("400.50"))
    for intent, kind in ((option, "OPT"), (share, "STK")):
        question = MarginQuestion.of_params(MarginQuestion.of(intent).as_params())
        for contract in (order_contract(intent), order_contract(question)):
            assert (contract.secType, contract.conId, contract.comboLegs) == (kind, intent.legs[0].con_id, [])
    buy, sell = (replace(option, action=action) for action in (Action.BUY, Action.SELL))
    told = [intent_order(one, 8, Decimal("1.90")) for one in (buy, sell)]
    assert [(order.action, order.lmtPrice) for order in told] == [("BUY", 1.9), ("SELL", 1.9)]


@pytest.mark.parametrize(("side", "action"), [("BOT", Action.BUY), ("SLD", Action.SELL)])
def test_an_execution_is_a_fill(side: str, action: Action) -> None:
    contract = ib.Option("SPX", "20220826", 4150.0, "P", "SMART", "100", "USD", conId=11)
    execution = ib.Execution(
        execId="0001.01.01",
        time=datetime(2022, 8, 26, 16, 0, 3, tzinfo=UTC),
        acctNumber="DU1",
        side=side,
        shares=2.0,
        price=6.1,
        permId=900,
        orderRef="htbot-x",
    )
    fill = fill_from_ib(contract, execution)
    assert (fill.exec_id, fill.ref, fill.account, fill.con_id) == ("0001.01.01", "htbot-x", "DU1", 11)
    assert (fill.side, fill.quantity, fill.price, fill.multiplier) == (action, 2, Decimal("6.1"), 100)
    assert (fill.executed_at, fill.perm_id, fill.commission) == (
        datetime(2022, 8, 26, 16, 0, 3, tzinfo=UTC),
        900,
        None,
    )


def test_a_time_without_a_zone_is_new_yorks() -> None:
    assert as_utc(datetime(2022, 8, 26, 12, 0)) == record.NOON  # noqa: DTZ001 - that is the case
    assert as_utc(datetime(2022, 1, 26, 12, 0)) == datetime(2022, 1, 26, 17, 0, tzinfo=UTC)  # noqa: DTZ001
    assert as_utc(record.NOON) == record.NOON


def test_a_bar_without_volume_has_none() -> None:
    """IB writes -1 for an index."""
    raw = ib.BarData(date=record.NOON, open=1.0, high=2.0, low=0.5, close=1.5, volume=-1.0)
    bar = bar_from_ib("SPX", 5, raw)
    assert (bar.start, bar.minutes, bar.volume) == (record.NOON, 5, 0.0)
    assert (bar.open, bar.high, bar.low, bar.close) == (1.0, 2.0, 0.5, 1.5)


def test_a_ticker_is_a_quote_as_of_a_market_time() -> None:
    ticker = ib.Ticker(contract=ib.Contract(conId=11))
    ticker.bid, ticker.bidSize, ticker.ask, ticker.askSize = -1.0, 0.0, 0.05, 20.0
    quote = quote_from_ticker(ticker, record.NOON)
    assert (quote.con_id, quote.as_of, quote.bid, quote.ask) == (11, record.NOON, None, 0.05)
    assert (quote.bid_size, quote.ask_size, quote.last) == (0.0, 20.0, None)


def test_a_ticker_that_has_not_ticked_is_a_quote_of_nothing() -> None:
    quote = quote_from_ticker(ib.Ticker(contract=ib.Contract(conId=11)), record.NOON)
    assert (quote.bid, quote.ask, quote.bid_size, quote.ask_size, quote.last) == (None, None, 0.0, 0.0, None)


def test_a_what_if_is_the_very_order_and_never_placed() -> None:
    order = what_if_order(MarginQuestion.of(ENTRY), 77)
    placed = intent_order(ENTRY, 77, ENTRY.limit)
    assert order.whatIf
    assert not placed.whatIf
    same = ("orderId", "account", "action", "totalQuantity", "orderType", "lmtPrice")
    assert [getattr(order, name) for name in same] == [getattr(placed, name) for name in same]
    assert bag_contract(MarginQuestion.of(ENTRY)) == bag_contract(ENTRY)


def test_margins_that_the_broker_leaves_out_are_unknown() -> None:
    unset = "1.7976931348623157E308"
    state = ib.OrderState(equityWithLoanAfter="100470.00", initMarginAfter=unset, maintMarginAfter="", commission=2.2)
    assert what_if_from_ib(state) == WhatIf(Decimal("100470.00"), None, None, Decimal("2.2"))


def test_a_quote_says_what_kind_of_data_it_is() -> None:
    assert [quote_from_ticker(ib.Ticker(marketDataType=kind), record.NOON).data_type for kind in (1, 3)] == [1, 3]


@pytest.mark.fault(32)
def test_options_in_other_money_or_of_another_size_are_not_listed() -> None:
    day, other = date(2022, 8, 26), date(2022, 8, 29)
    right = Contract(2, "SPX", SecType.OPTION, "SMART", "USD", day, Decimal(4150), Right.PUT, "SPXW", 100)
    wrong = [
        replace(right, currency="EUR"),
        replace(right, multiplier=10),
        replace(right, expiry=other),
        replace(right, strike=None),
        replace(right, right=None),
    ]
    lower = replace(right, con_id=1, strike=Decimal(4145))
    found = listed_among([right, *wrong, lower], UNDERLYINGS["SPX"], day)
    assert [(option.con_id, option.strike) for option in found] == [(1, 4145), (2, 4150)]
