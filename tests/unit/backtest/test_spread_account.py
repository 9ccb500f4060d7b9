from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from tests.support.paper_world import SESSIONS, START
from tests.unit.backtest.test_spread_exchange import LONG, SHORT, intent

from htbot.backtest.spread_account import SpreadAccount, net_by_contract
from htbot.domain.fills import Fill
from htbot.domain.orders import Action, PriceStyle
from htbot.domain.quotes import Quote
from htbot.domain.signals import PlainLeg
from htbot.matching.fees import Plan

SESSION = SESSIONS.all()[0]
QUOTES = {
    SHORT: Quote(SHORT, START, 3.0, 3.2, 5, 5),
    LONG: Quote(LONG, START, 1.0, 1.2, 5, 5),
}


def account(cash: int = 100_000, quotes: dict[int, Quote] | None = None) -> SpreadAccount:
    return SpreadAccount("DU1", Decimal(cash), Plan.FIXED, (QUOTES if quotes is None else quotes).get)


def fill(con_id: int, side: Action, price: str) -> Fill:
    leg = next(leg for leg in intent().legs if leg.con_id == con_id)
    return Fill(
        exec_id=f"{con_id}-{side}",
        ref="ref",
        account="DU1",
        con_id=con_id,
        symbol="SPX",
        expiry=leg.expiry,
        strike=leg.strike,
        right=leg.right,
        side=side,
        quantity=1,
        price=Decimal(price),
        multiplier=100,
        executed_at=START,
        perm_id=0,
        commission=Decimal("1.23"),
    )


def opened(cash: int = 100_000) -> SpreadAccount:
    made = account(cash)
    made.book(fill(SHORT, Action.SELL, "3.00"))
    made.book(fill(LONG, Action.BUY, "1.20"))
    return made


def test_cash_moves_with_fills_and_commissions() -> None:
    assert opened().cash == Decimal(100_000) + 180 - Decimal("2.46")
    assert net_by_contract(opened().held) == {SHORT: -1, LONG: 1}


def test_what_is_held_stands_at_its_mid_and_ties_up_its_width() -> None:
    made = opened()
    money = made.money(SESSION, START)
    assert money.net_liquidation == made.cash - 310 + 110
    assert money.figures.available_funds == made.cash - 2500
    assert money.buying_power == 4 * (made.cash - 2500)
    assert money.figures.equity_with_loan == made.cash
    assert money.figures.gross_position_value == 420
    assert money.figures.day_trades_remaining == -1


def test_outside_of_the_session_and_below_25000_less_is_lent() -> None:
    assert account().money(SESSION, SESSION.closes).buying_power == 200_000
    small = account(20_000).money(SESSION, START)
    assert small.buying_power == 40_000
    assert small.figures.day_trades_remaining == 3


def test_closing_what_was_opened_today_counts_as_day_trades_for_five_sessions() -> None:
    made = opened(20_000)
    made.book(fill(SHORT, Action.BUY, "3.20"))
    made.book(fill(LONG, Action.SELL, "1.00"))
    assert made.held == {}
    assert made.money(SESSION, START).figures.day_trades_remaining == 1
    for _ in range(5):
        made.begin_session()
    assert made.money(SESSION, START).figures.day_trades_remaining == 3


def test_a_what_if_shows_margin_and_commission_at_the_natural_price() -> None:
    answer = account().what_if(intent())
    assert answer.equity_with_loan_after == Decimal(100_000) + 180 - Decimal("2.46")
    assert answer.initial_margin_after == answer.maintenance_margin_after == 2500
    assert answer.commission == Decimal("2.46")


def test_a_limit_that_is_worse_than_the_market_counts() -> None:
    answer = account().what_if(replace(intent(), limit=Decimal("-1.50")))
    assert answer.equity_with_loan_after == Decimal(100_000) + 150 - Decimal("2.46")


def test_without_a_price_a_what_if_is_unknown() -> None:
    assert account(quotes={}).what_if(intent()).unknown == "a leg has no price"


@pytest.mark.parametrize(
    ("quote", "mark"),
    [
        (Quote(LONG, START, 1.3, 1.2, 5, 5), "1.30"),
        (Quote(LONG, START, None, 1.2, 0, 5, last=0.9), "0.90"),
        (Quote(LONG, START, None, 1.2, 0, 5), "1.20"),
        (None, "0"),
    ],
)
def test_a_position_without_a_mid_stands_at_what_there_is(quote: Quote | None, mark: str) -> None:
    quotes = {} if quote is None else {LONG: quote}
    made = account(quotes=quotes)
    made.book(fill(LONG, Action.BUY, "1.20"))
    assert made.net_liquidation() - made.cash == Decimal(mark) * 100


SHARES = 756733


def shares(side: Action, price: str, quantity: int = 100) -> Fill:
    return replace(
        fill(LONG, side, price),
        con_id=SHARES,
        symbol="SPY",
        expiry=None,
        strike=None,
        right=None,
        quantity=quantity,
        multiplier=1,
    )


@pytest.mark.parametrize(
    ("side", "initial", "worth"), [(Action.BUY, "11750", "100000"), (Action.SELL, "14100", "100000")]
)
def test_shares_are_lent_on_and_by_day_only_their_maintenance_is_tied_up(
    side: Action, initial: str, worth: str
) -> None:
    made = account(quotes={SHARES: Quote(SHARES, START, 469.99, 470.01, 5, 5)})
    made.book(replace(shares(side, "470.00"), commission=Decimal(0)))
    money = made.money(SESSION, START)
    assert money.net_liquidation == money.figures.equity_with_loan == Decimal(worth)
    assert money.figures.available_funds == Decimal(worth) - Decimal(initial)
    assert money.figures.gross_position_value == Decimal(47_000)


@pytest.mark.parametrize(("ratio", "limit"), [(1, "471.00"), (-1, "-469.00")])
def test_a_what_if_of_shares_counts_the_limit_beyond_the_touch(ratio: int, limit: str) -> None:
    asked = replace(
        intent(),
        symbol="SPY",
        quantity=100,
        legs=(PlainLeg(SHARES, "SPY", ratio),),
        limit=Decimal(limit),
        style=PriceStyle.MARKETABLE,
    )
    made = account(quotes={SHARES: Quote(SHARES, START, 469.99, 470.01, 5, 5)})
    answer = made.what_if(asked)
    assert answer.commission == Decimal("1.00")
    assert answer.equity_with_loan_after == Decimal(100_000) - 100 - 1, "a dollar a share beyond the mark, and the fee"
    assert answer.initial_margin_after == (Decimal(11_750) if ratio > 0 else Decimal(14_100))
    by_night = made.what_if(asked, in_hours=False)
    assert by_night.initial_margin_after == Decimal(23_500)
