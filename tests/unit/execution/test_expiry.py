from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from tests.support import bought
from tests.support.spreads import DAY, LONG, SESSION, SHORT, entry_fills, exit_fills, fill, trade

from htbot.domain.fills import Fill
from htbot.domain.instruments import Right
from htbot.domain.orders import Action
from htbot.domain.signals import SpreadLeg
from htbot.domain.trades import Trade
from htbot.execution.expiry import Expired, ExpiryCase, NeedsPerson, NotExpired, Settlement, intrinsic, settle_expired
from htbot.portfolio.pnl import trade_result
from htbot.portfolio.positions import fold

REF = "htbot-spx_breakout-DU100001-20220826-X1"
AFTER = SESSION.closes + timedelta(hours=14)


def settled(price: str | None, **changes: object) -> Settlement:
    return replace(Settlement(SESSION.closes, None if price is None else Decimal(price)), **changes)


def case(
    broker: Mapping[int, int] | None = None, executions: Sequence[Fill] = (), of: Trade | None = None
) -> ExpiryCase:
    return ExpiryCase(of or trade(), entry_fills(), broker or {}, executions)


@pytest.mark.parametrize(
    ("price", "short", "long", "gross"),
    [
        ("4200", "0", "0", "420.00"),  # worthless: the whole credit is kept
        ("4150", "0", "0", "420.00"),  # at the strike
        ("4145.50", "4.50", "0", "-30.00"),
        ("4100", "50", "10", "-3580.00"),  # through both: width less credit is lost
    ],
)
def test_cash_settlement_closes_each_leg_at_what_it_is_worth(price: str, short: str, long: str, gross: str) -> None:
    ended = settle_expired(case(), settled(price), REF, AFTER)
    assert isinstance(ended, Expired)
    assert {(one.con_id, one.side): one.price for one in ended.fills} == {
        (SHORT.con_id, Action.BUY): Decimal(short),
        (LONG.con_id, Action.SELL): Decimal(long),
    }
    result = trade_result(trade().legs, entry_fills(), ended.fills)
    assert (result.closed, result.gross_usd, result.commissions_usd) == (1, Decimal(gross), Decimal("2.20"))
    assert all(not position.quantity for position in fold([*entry_fills(), *ended.fills]).values())


def test_booking_it_twice_is_booking_it_once() -> None:
    first, second = (settle_expired(case(), settled("4200"), REF, AFTER + timedelta(days=day)) for day in (0, 1))
    assert first == second
    assert isinstance(first, Expired)
    assert fold([*entry_fills(), *first.fills, *first.fills]) == fold([*entry_fills(), *first.fills])


def test_what_has_not_expired_stays() -> None:
    for told, words in [
        (settle_expired(case(), settled("4200"), REF, SESSION.closes - timedelta(seconds=1)), "session closes at"),
        (settle_expired(case(), settled("4200", closed_at=None), REF, AFTER), "not known"),
        (settle_expired(case({SHORT.con_id: -1}), settled("4200"), REF, AFTER), "broker still shows 4150 P"),
        (
            settle_expired(replace(case(), ours=[*entry_fills(), *exit_fills()]), settled("4200"), REF, AFTER),
            "holds nothing",
        ),
    ]:
        assert isinstance(told, NotExpired)
        assert words in told.reason


def test_a_leg_of_a_later_day_has_not_expired() -> None:
    calendar = tuple(replace(leg, expiry=DAY + timedelta(days=7)) for leg in trade().legs)
    told = settle_expired(case(of=replace(trade(), legs=calendar)), settled("4200"), REF, AFTER)
    assert isinstance(told, NotExpired)
    assert "expires on 2022-09-02" in told.reason


def test_without_a_settlement_price_a_person_has_to_look() -> None:
    told = settle_expired(case(), settled(None), REF, AFTER)
    assert told == NeedsPerson("SPX has no known settlement price", price_missing=True)


@pytest.mark.ruling(12)
def test_an_execution_that_is_not_ours_is_not_taken_for_expiry() -> None:
    by_broker = fill("b1.01.01", SHORT, Action.BUY, "3.00", ref="")
    told = settle_expired(case(executions=[*entry_fills(), by_broker]), settled("4200"), REF, AFTER)
    assert told == NeedsPerson("b1.01.01 traded 1 SPX 4150 P without our reference before it expired")


@pytest.mark.fault(39)
@pytest.mark.parametrize(("price", "delivers"), [("4200", False), ("4145", True), ("4100", True)])
def test_shares_are_delivered_where_the_option_is_physically_settled(price: str, delivers: bool) -> None:
    legs = tuple(replace(leg, symbol="SPY") for leg in trade().legs)
    told = settle_expired(case(of=replace(trade(), symbol="SPY", legs=legs)), settled(price), REF, AFTER)
    assert isinstance(told, NeedsPerson if delivers else Expired)
    if isinstance(told, NeedsPerson):
        assert "in the money, shares are delivered" in told.reason


def by_the_broker(*closes: tuple[SpreadLeg, Action, str], quantity: int = 1) -> list[Fill]:
    return [
        replace(fill(f"b{number}.01", leg, side, price, quantity, ref=""), executed_at=SESSION.closes)
        for number, (leg, side, price) in enumerate(closes)
    ]


@pytest.mark.ruling(12)
@pytest.mark.parametrize("quantity", [1, 3])
def test_closing_trades_that_the_broker_tells_of_are_the_settlement(quantity: int) -> None:
    """They close what an account holds, which may be more than this trade's."""
    told = by_the_broker((SHORT, Action.BUY, "4.50"), (LONG, Action.SELL, "0.00"), quantity=quantity)
    ended = settle_expired(case(executions=told), settled(None), REF, AFTER)
    assert isinstance(ended, Expired)
    assert {(one.con_id, one.side, one.quantity, one.price, one.ref) for one in ended.fills} == {
        (SHORT.con_id, Action.BUY, 1, Decimal("4.50"), REF),
        (LONG.con_id, Action.SELL, 1, Decimal("0.00"), REF),
    }
    assert {one.executed_at for one in ended.fills} == {SESSION.closes}


@pytest.mark.ruling(12)
def test_what_the_broker_tells_in_part_is_no_settlement() -> None:
    half = by_the_broker((SHORT, Action.BUY, "4.50"))
    assert settle_expired(case(executions=half), settled(None), REF, AFTER) == NeedsPerson(
        "SPX has no known settlement price", price_missing=True
    )
    assert isinstance(settle_expired(case(executions=half), settled("4145.50"), REF, AFTER), Expired)
    wrong = by_the_broker((SHORT, Action.SELL, "4.50"), (LONG, Action.SELL, "0.00"))
    assert isinstance(settle_expired(case(executions=wrong), settled(None), REF, AFTER), NeedsPerson)


@pytest.mark.ruling(12)
def test_shares_that_the_broker_tells_of_beside_them_are_for_a_person() -> None:
    told = by_the_broker((SHORT, Action.BUY, "0.00"), (LONG, Action.SELL, "0.00"))
    shares = replace(told[0], exec_id="b9.01", con_id=1, price=SHORT.strike, expiry=None, strike=None, right=None)
    ended = settle_expired(case(executions=[*told, shares]), settled(None), REF, AFTER)
    assert ended == NeedsPerson("b9.01 traded 1 SPX at expiry: shares are delivered")
    elsewhere = replace(shares, price=SHORT.strike + 1)
    assert isinstance(settle_expired(case(executions=[*told, elsewhere]), settled(None), REF, AFTER), Expired)


def test_a_broken_spread_settles_what_it_holds() -> None:
    told = settle_expired(replace(case(), ours=entry_fills()[:1]), settled("4140"), REF, AFTER)
    assert isinstance(told, Expired)
    assert [(one.con_id, one.price) for one in told.fills] == [(SHORT.con_id, Decimal(10))]


def test_intrinsic_of_a_call() -> None:
    call = replace(SHORT, right=Right.CALL)
    assert (intrinsic(call, Decimal(4160)), intrinsic(call, Decimal(4140))) == (Decimal(10), Decimal(0))


@pytest.mark.parametrize("unbid", [True, False])
def test_a_bought_option_that_nobody_bid_for_has_ended_at_nothing(unbid: bool) -> None:
    held = bought.trade("1.00")
    ours = (fill("e1", bought.CALL, Action.BUY, "1.00"),)
    ended = settle_expired(ExpiryCase(held, ours, {}), settled(None, unbid=unbid), REF, AFTER)
    if not unbid:
        assert ended == NeedsPerson("SPX has no known settlement price", price_missing=True)
        return
    assert isinstance(ended, Expired)
    [closing] = ended.fills
    assert (closing.side, closing.quantity, closing.price) == (Action.SELL, 1, Decimal(0))
    assert trade_result(held.legs, ours, ended.fills).gross_usd == Decimal("-100.00")


def test_of_a_spread_no_bid_says_nothing() -> None:
    assert isinstance(settle_expired(case(), settled(None, unbid=True), REF, AFTER), NeedsPerson)
