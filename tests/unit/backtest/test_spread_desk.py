from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from tests.support.paper_world import DAYS, SESSIONS, START, HandMarket
from tests.unit.backtest.test_spread_exchange import LONG, SHORT, intent

from htbot.backtest.spread_account import SpreadAccount
from htbot.backtest.spread_book import SpreadBook
from htbot.backtest.spread_desk import DeskTools, SpreadDesk
from htbot.backtest.spread_exchange import Charges, SpreadExchange
from htbot.backtest.spread_feed import SpreadFeed
from htbot.backtest.trade_book import HeldTrade
from htbot.domain.orders import ExitReason
from htbot.domain.sessions import Session
from htbot.domain.signals import Direction
from htbot.domain.trades import ExitRules, Trade, TradeState
from htbot.matching.fees import Plan
from htbot.matching.view import FillRules
from htbot.strategies.base import Needs

SESSION = SESSIONS.all()[0]
# sold for 6.00 - 1.20, target and stop a dollar away
TRADE = Trade(
    id="trade-1",
    strategy="spx_breakout",
    account="DU1",
    symbol="SPX",
    session=DAYS[0],
    direction=Direction.BULL,
    state=TradeState.OPENING,
    legs=intent().legs,
    quantity=1,
    width=Decimal(25),
    rules=ExitRules(Decimal(100), Decimal(100), SESSION.at(15, 0), SESSION.at(15, 45)),
    config_hash="hash",
    opened_at=START,
)
ENTRY = replace(intent(), limit=Decimal("-4.80"), worst_limit=Decimal("-1.00"))


@dataclass
class Day:
    """A desk with everything around it, moved by hand."""

    market: HandMarket
    desk: SpreadDesk
    tools: DeskTools

    def at(self, seconds: float) -> bool:
        """One instant and its sub-steps; whether the desk sent anything."""
        return self.go(START + timedelta(seconds=seconds))

    def go(self, now: datetime) -> bool:
        fills = self.tools.exchange.play(now, SESSION)
        self.tools.feed.move(now)
        self.desk.hear(fills, now)
        sent = any_sent = self.look()
        while sent:
            self.desk.hear(self.tools.exchange.match_due(now), now)
            sent = self.look()
        return any_sent

    def look(self) -> bool:
        guarded = self.desk.guard(SESSION)
        return self.desk.act(SESSION) or guarded

    def quote(self, short: tuple[float, float], long: tuple[float, float]) -> None:
        self.market.quotes[SHORT], self.market.quotes[LONG] = short, long

    @property
    def held(self) -> HeldTrade:
        return self.tools.book.of(TRADE.id)


@pytest.fixture
def day() -> Day:
    market = HandMarket()
    feed = SpreadFeed(market, Needs("SPX", 5, 10, 10))
    feed.begin(SESSION.opens, None)
    exchange = SpreadExchange(market, Charges(FillRules(), Plan.FIXED, timedelta()))
    account = SpreadAccount("DU1", Decimal(100_000), Plan.FIXED, lambda con_id: market.quote(con_id, feed.now))
    tools = DeskTools(market, feed, exchange, SpreadBook(), account)
    made = Day(market, SpreadDesk(tools), tools)
    made.quote((6.0, 6.2), (1.0, 1.2))
    return made


def enter(day: Day) -> None:
    day.tools.feed.move(START)
    day.desk.enter(TRADE, ENTRY)
    for seconds in range(0, 55, 5):
        day.at(seconds)
    assert day.held.trade.state is TradeState.OPEN


def test_an_entry_walks_from_the_middle_to_the_natural_credit(day: Day) -> None:
    day.tools.feed.move(START)
    day.desk.enter(TRADE, ENTRY)
    assert day.at(0)
    assert day.held.trade.state is TradeState.OPENING
    assert not day.at(3), "between two steps nothing is sent"
    seconds = 0
    while day.held.trade.state is TradeState.OPENING and seconds < 60:
        seconds += 5
        day.at(seconds)
    assert day.held.trade.credit == Decimal("4.80")
    assert 5 < seconds < 60
    assert day.tools.account.cash == 100_000 + 480 - Decimal("2.46")
    assert day.desk.legs == {SHORT, LONG}


def test_an_entry_that_is_not_filled_in_time_is_void(day: Day) -> None:
    day.tools.feed.move(START)
    day.desk.enter(TRADE, replace(ENTRY, worst_limit=Decimal("-5.50")))
    for seconds in range(0, 65, 5):
        day.at(seconds)
    assert day.held.trade.state is TradeState.VOID
    assert day.desk.legs == set()


def test_a_halt_stops_what_waits_and_cancels_what_works(day: Day) -> None:
    day.tools.feed.move(START)
    day.desk.halted_by = "a halt"
    day.desk.enter(TRADE, ENTRY)
    assert not day.at(0)
    assert day.held.trade.state is TradeState.VOID

    day.desk.halted_by = None
    other = replace(TRADE, id="trade-2")
    day.desk.enter(other, replace(ENTRY, ref="E2", trade_id="trade-2", worst_limit=Decimal("-5.50")))
    day.at(5)
    day.desk.halted_by = "a halt"
    day.at(10)
    assert day.tools.book.of("trade-2").trade.state is TradeState.VOID


def test_a_stop_closes_at_once_and_pays_the_natural_price(day: Day) -> None:
    enter(day)
    day.quote((7.2, 7.4), (1.0, 1.2))
    assert day.at(60)
    trade = day.held.trade
    assert (trade.state, trade.exit_reason) == (TradeState.CLOSED, ExitReason.STOP_LOSS)
    assert (trade.debit, trade.closed_at) == (Decimal("6.40"), START + timedelta(seconds=60))
    assert trade.net_pnl_usd == -160 - 4 * Decimal("1.23")
    assert day.tools.account.held == {}
    assert [one.ref for one in day.tools.book.intents] == [ENTRY.ref, "htbot-spx_breakout-DU1-20240102-X1"]


def test_a_target_at_mid_waits_for_a_second_quote(day: Day) -> None:
    enter(day)
    day.quote((4.7, 5.1), (1.0, 1.2))
    assert not day.at(60), "the mid has reached it, the natural price has not"
    assert day.at(65)
    assert day.held.trade.state is TradeState.CLOSING
    for seconds in range(70, 130, 5):
        day.at(seconds)
    assert (day.held.trade.state, day.held.trade.exit_reason) == (TradeState.CLOSED, ExitReason.PROFIT_TARGET)
    assert day.held.max_gain == 100


def test_an_exit_that_becomes_urgent_hurries(day: Day) -> None:
    enter(day)
    day.quote((4.7, 5.1), (1.0, 1.2))
    day.at(60)
    day.at(65)
    day.quote((6.9, 7.3), (0.9, 1.1))
    day.at(70)
    trade = day.held.trade
    assert (trade.state, trade.closed_at) == (TradeState.CLOSED, START + timedelta(seconds=70))


def test_the_breaker_closes_what_is_open_until_nothing_is(day: Day) -> None:
    enter(day)
    day.desk.flatten()
    assert day.at(60)
    assert (day.held.trade.state, day.held.trade.exit_reason) == (TradeState.CLOSED, ExitReason.BREAKER)
    assert not day.at(65)


def test_after_the_close_nothing_is_sent_and_the_options_expire(day: Day) -> None:
    enter(day)
    day.market.halts.add(SHORT)
    day.go(SESSION.at(15, 50))
    assert day.held.trade.state is TradeState.CLOSING
    day.go(SESSION.closes)
    assert day.held.trade.state is TradeState.OPEN

    day.market.settlements[DAYS[0]] = 4690.0
    day.desk.expire(SESSION)
    trade = day.held.trade
    assert (trade.state, trade.exit_reason) == (TradeState.CLOSED, ExitReason.EXPIRY)
    assert trade.debit == 10, "the sold put is 10 in the money, the bought one is worth nothing"
    assert trade.commissions_usd == Decimal("2.46")


def test_options_that_deliver_shares_are_left_to_a_person_where_there_is_none(day: Day) -> None:
    """As the desk leaves them; a backtest takes it that shares were sold at the settlement."""
    enter(day)
    day.held.trade = replace(day.held.trade, symbol="SPY")
    day.market.settlements[DAYS[0]] = 4690.0
    sent = len(day.tools.book.intents)
    day.desk.expire(SESSION, deliveries=False)
    assert (day.held.trade.state, len(day.tools.book.intents)) == (TradeState.OPEN, sent)
    day.desk.expire(SESSION)
    assert (day.held.trade.state, day.held.trade.debit) == (TradeState.CLOSED, 10)


def test_what_expires_later_is_kept(day: Day) -> None:
    enter(day)
    day.market.settlements[DAYS[0]] = 4690.0
    before = timedelta(days=1)
    day.desk.expire(Session(SESSION.day - before, SESSION.opens - before, SESSION.closes - before))
    assert day.held.trade.state is TradeState.OPEN


def test_the_best_result_of_grid_instants_is_kept(day: Day) -> None:
    enter(day)
    day.quote((5.4, 5.6), (1.0, 1.2))
    day.at(60)
    day.desk.mark()
    day.quote((5.9, 6.1), (1.0, 1.2))
    day.at(90)
    day.desk.mark()
    assert day.held.max_gain == 40
