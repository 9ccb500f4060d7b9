from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from tests.support.paper_world import DAYS, SESSIONS, SPX, SPY, START, HandMarket, option_id
from tests.unit.backtest.test_spread_exchange import LEGS, LONG, SHORT

from htbot.backtest.spread_account import SpreadAccount
from htbot.backtest.spread_feed import SpreadFeed
from htbot.domain.errors import ConfigurationError
from htbot.domain.instruments import Right
from htbot.market.ports import Print
from htbot.marketdata.chain_window import ChainNeed
from htbot.marketdata.snapshot import Snapshot
from htbot.matching.fees import Plan
from htbot.strategies.base import Needs

SESSION = SESSIONS.all()[0]
NEED = ChainNeed(10, SESSION.at(10, 0), SESSION.at(15, 0))


def feed(market: HandMarket, symbol: str = "SPX") -> SpreadFeed:
    made = SpreadFeed(market, Needs(symbol, 5, 10, 10))
    made.begin(SESSION.opens, None)
    return made


def snapshot(made: SpreadFeed, held: tuple[int, ...] = (), *, enabled: bool = True) -> Snapshot:
    account = SpreadAccount("DU1", Decimal(100_000), Plan.FIXED, lambda _con_id: None)
    return made.snapshot(account.money(SESSION, made.now), held, enabled=enabled)


def test_bars_close_when_they_end_and_the_open_one_is_kept_apart() -> None:
    market = HandMarket()
    made = feed(market)
    closed = [bar for second in range(30, 331, 30) for bar in made.move(SESSION.opens + timedelta(seconds=second))]
    assert [(bar.start, bar.end) for bar in closed] == [(SESSION.opens, SESSION.opens + timedelta(minutes=5))]
    shown = snapshot(made)
    assert shown.last_closed is not None
    assert shown.last_closed.bar == closed[0]
    assert shown.open_bar is not None
    assert shown.open_bar.bar.start == SESSION.opens + timedelta(minutes=5)
    assert shown.open_bar.seen_high == shown.open_bar.bar.high
    again = snapshot(made, enabled=False)
    assert again.last_closed is None, "a closed bar is looked at once"
    assert not again.trading_enabled


def test_the_history_ends_before_the_start() -> None:
    made = SpreadFeed(HandMarket(), Needs("SPX", 5, 10, 10))
    bars = made.begin(SESSIONS.all()[1].opens, SESSION.opens + timedelta(minutes=60))
    assert bars[0].start == SESSION.opens + timedelta(minutes=60)
    assert bars[-1].end == SESSION.closes


def test_the_chain_is_quoted_around_the_spot_while_entries_are_near() -> None:
    market = HandMarket()
    made = feed(market)
    made.move(SESSION.at(9, 54))
    made.follow(SESSION, NEED)
    assert snapshot(made).options == ()
    made.move(SESSION.at(9, 55))
    made.follow(SESSION, NEED)
    made.move(SESSION.at(10, 0))
    shown = snapshot(made, (option_id(4725, Right.CALL),))
    assert {option.expiry for option in shown.options} == {DAYS[0]}
    assert len(shown.options) == 8
    assert set(shown.quotes) == {SPX, *(option.con_id for option in shown.options)}


def test_a_side_without_a_size_is_none_and_everything_stands_as_of_now() -> None:
    market = HandMarket()
    market.sizes[SHORT] = (0.0, 9.0)
    made = feed(market)
    made.move(START)
    quote = made.quote(SHORT)
    assert quote is not None
    assert (quote.bid, quote.ask, quote.as_of, quote.modelled) == (None, 1.2, START, False)


def test_marks_price_a_spread_from_its_legs() -> None:
    market = HandMarket()
    market.quotes[SHORT], market.quotes[LONG] = (3.0, 3.2), (1.0, 1.2)
    made = feed(market)
    made.move(START)
    marks = made.marks(LEGS)
    assert marks.believable
    assert (marks.natural_credit, marks.natural_cost) == (Decimal("1.80"), Decimal("2.20"))


def test_the_spot_of_a_stock_is_its_last_trade() -> None:
    market = HandMarket()
    market.tape[SPY] = [Print(SESSION.opens + timedelta(seconds=40), 471.25, 100.0)]
    made = feed(market, "SPY")
    made.move(SESSION.opens + timedelta(seconds=30))
    assert made.spot() == 470.0
    made.move(SESSION.opens + timedelta(seconds=60))
    assert made.spot() == 471.25


def test_a_market_without_bars_or_prices_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="there are no prices of QQQ"):
        SpreadFeed(HandMarket(), Needs("QQQ", 5, 10, 10))
    with pytest.raises(ConfigurationError, match="no bars of SPX"):
        SpreadFeed(HandMarket(), Needs("SPX", 5, 10, 10)).begin(SESSION.opens - timedelta(days=9), None)
