"""Each rule that issue 4 added: just inside, just outside, unknown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.support.accounts import FIGURES
from tests.support.proposals import BOOK, LIMITS, proposal, snapshot
from tests.support.spreads import AS_OF, DAY, LEGS, LONG, SHORT, plan, quotes, signal

from htbot.domain.accounts import AccountKind
from htbot.domain.decisions import Approved, RiskRefusal, RuleOutcome
from htbot.domain.instruments import Right
from htbot.domain.orders import Action
from htbot.domain.quotes import Quote
from htbot.domain.sessions import NEW_YORK
from htbot.domain.signals import Direction, SpreadPlan
from htbot.marketdata.snapshot import ListedOption
from htbot.risk.book import Book, RecentOrder, UnsettledTrade
from htbot.risk.flood import fingerprint
from htbot.risk.gate import Proposal, judge
from htbot.risk.limits import DayTradeRegime, Limits
from htbot.risk.rules import no_trade_window


def asked(book: Book = BOOK, limits: Limits = LIMITS, **of_snapshot: Any) -> RuleOutcome | None:
    """What refused, None when it was approved."""
    return refused(judge(proposal(snapshot=snapshot(**of_snapshot)), book, limits, AS_OF))


def refused(decision: Approved | RiskRefusal) -> RuleOutcome | None:
    return decision.refused_by if isinstance(decision, RiskRefusal) else None


def expect(outcome: RuleOutcome | None, rule: str, value: str, limit: str | None = None) -> None:
    assert outcome is not None, "it was approved"
    assert (outcome.rule, outcome.value) == (rule, value)
    assert outcome.reason
    assert limit is None or outcome.limit == limit


# --- pace -------------------------------------------------------------------------------------------------------------


@pytest.mark.fault(42)
@pytest.mark.parametrize(
    ("rule", "name", "limit"),
    [
        ("signals_per_minute", "signals_last_minute", 10),
        ("orders_per_day", "orders_today", 100),
        ("concurrent_trades", "account_open_trades", 5),
        ("daily_trades", "trades_today", 5),
        ("weekly_trades", "trades_this_week", 20),
    ],
)
def test_counts_stay_below_their_limits(rule: str, name: str, limit: int) -> None:
    changes: dict[str, Any] = {name: limit - 1}
    assert asked(replace(BOOK, **changes)) is None
    expect(asked(replace(BOOK, **{name: limit})), rule, str(limit), str(limit))


def test_limits_of_trades_may_be_for_cash_accounts_only() -> None:
    busy = replace(BOOK, trades_today=9, trades_this_week=99)
    limits = replace(LIMITS, trade_limits_for_cash_only=True)
    assert asked(busy, limits) is None
    expect(asked(busy, replace(limits, account_kind=AccountKind.CASH)), "daily_trades", "9")
    expect(asked(replace(busy, trades_today=0), replace(limits, account_kind=AccountKind.CASH)), "weekly_trades", "99")


def repeated(*seconds: float, legs: Iterable[Any] = LEGS, quantity: int = 1) -> Book:
    own = fingerprint(Action.BUY, quantity, tuple(legs))
    return replace(BOOK, recent_orders=tuple(RecentOrder(own, AS_OF - timedelta(seconds=ago)) for ago in seconds))


@pytest.mark.fault(42)
def test_the_same_order_again_and_again_is_refused() -> None:
    assert asked(repeated(1)) is None
    expect(asked(repeated(1, 59)), "repeated_order", "2", "2 within 60 s")
    assert asked(repeated(1, 60)) is None, "the window is half open"
    assert asked(repeated(1, 2, quantity=2)) is None, "another size is another order"
    assert asked(repeated(1, 2, legs=(replace(LONG, con_id=13), SHORT))) is None
    expect(asked(repeated(1, 2, legs=reversed(LEGS))), "repeated_order", "2")


def test_reset_window_and_others() -> None:
    def at(hour: int, minute: int, second: int = 0) -> bool:
        moment = datetime(2022, 8, 26, hour, minute, second, tzinfo=NEW_YORK).astimezone(UTC)
        windows = (*LIMITS.no_trade_windows, (time(12), time(12, 5)))
        case = case_of(proposal(), replace(LIMITS, no_trade_windows=windows), moment)
        outcome = no_trade_window.check(case)
        assert outcome.limit == "23:45 to 00:45, 12:00 to 12:05"
        assert outcome.passed or outcome.reason
        return outcome.passed

    moments = [(23, 44, 59), (23, 45), (23, 59, 59), (0, 0), (0, 44, 59), (0, 45), (12, 0), (12, 5)]
    assert [at(*moment) for moment in moments] == [True, False, False, False, False, True, False, True]


def case_of(asks: Proposal, limits: Limits, as_of: datetime = AS_OF) -> Any:
    from htbot.risk.gate import _case

    return _case(asks, BOOK, limits, as_of)


def test_a_window_in_the_session_refuses_there() -> None:
    limits = replace(LIMITS, no_trade_windows=((time(10, 30), time(10, 33)),))
    expect(asked(limits=limits), "no_trade_window", "10:32:30", "10:30 to 10:33")
    assert asked(limits=replace(LIMITS, no_trade_windows=())) is None


# --- exposure ---------------------------------------------------------------------------------------------------------


def test_the_position_in_one_underlying() -> None:
    held = replace(BOOK, value_by_symbol_usd={"SPX": Decimal(6_400), "SPY": Decimal(90_000)})
    assert asked(held) is None
    more = replace(BOOK, value_by_symbol_usd={"SPX": Decimal("6400.01")})
    expect(asked(more), "position_size", "10000.01", "10000.00")


def test_one_trade_and_one_underlying_as_shares_of_the_account() -> None:
    limits = replace(LIMITS, account_daily_loss_limit_usd=Decimal(700), max_position_size_usd=Decimal(99_999))
    assert asked(limits=limits, net_liquidation=Decimal(72_000)) is None
    expect(asked(limits=limits, net_liquidation=Decimal("71999.99")), "single_position", "3600.00", "3600.00")
    held = replace(BOOK, value_by_symbol_usd={"SPX": Decimal(6_400)})
    assert asked(held, limits) is None
    expect(asked(held, limits, net_liquidation=Decimal(99_999)), "symbol_exposure", "10000.00", "9999.90")


def test_gross_leverage_counts_this_trade() -> None:
    limits = replace(LIMITS, account_daily_loss_limit_usd=Decimal(600), max_single_position_fraction=Decimal(1))

    def with_gross(gross: str | None) -> RuleOutcome | None:
        value = None if gross is None else Decimal(gross)
        return asked(
            limits=limits, net_liquidation=Decimal(50_000), figures=replace(FIGURES, gross_position_value=value)
        )

    assert with_gross("96400") is None
    expect(with_gross("96401"), "leverage", "2.0000", "2.00")
    expect(with_gross(None), "leverage", "unknown")


@pytest.mark.parametrize(
    ("rule", "limits", "told"),
    [
        ("leverage", replace(LIMITS, max_leverage=Decimal("0.072")), {}),
        ("buying_power", LIMITS, {"buying_power": Decimal(7_200)}),
        ("settlement", replace(LIMITS, account_kind=AccountKind.CASH), {}),
    ],
)
def test_entries_under_way_are_put_to_the_brokers_figures(rule: str, limits: Limits, told: dict[str, Decimal]) -> None:
    figures = replace(FIGURES, settled_cash=Decimal(7_200), total_cash=Decimal(7_200), available_funds=Decimal(3_000))
    one = replace(BOOK, unseen_value_usd=Decimal(3_600))
    assert asked(one, limits, figures=figures, **told) is None
    two = replace(BOOK, unseen_value_usd=Decimal(3700))
    expect(asked(two, limits, figures=figures, **told), rule, "0.0730" if rule == "leverage" else "7300.00")


def test_notional_of_the_order() -> None:
    limits = replace(LIMITS, max_order_notional_usd=Decimal(4_000))
    assert asked(limits=limits) is None
    expect(asked(limits=replace(limits, max_order_notional_usd=Decimal("3999.99"))), "order_notional", "4000.00")


@pytest.mark.parametrize(("peak", "passes"), [("111111.10", True), ("111111.20", False), ("90000", True)])
def test_drawdown_from_the_peak(peak: str, passes: bool) -> None:
    outcome = asked(replace(BOOK, peak_equity_usd=Decimal(peak)))
    assert (outcome is None) is passes
    if not passes:
        expect(outcome, "drawdown", "10.00 %", "10.00 %")


def test_drawdown_can_be_switched_off_and_begins_with_the_record() -> None:
    fallen = replace(BOOK, peak_equity_usd=Decimal(200_000))
    expect(asked(fallen), "drawdown", "50.00 %")
    assert asked(fallen, replace(LIMITS, max_drawdown_fraction=None)) is None
    assert asked(replace(BOOK, peak_equity_usd=None)) is None


# --- prices -----------------------------------------------------------------------------------------------------------


def limit_of(mid: str) -> RuleOutcome | None:
    return refused(judge(proposal(plan=plan(mid=mid)), BOOK, LIMITS, AS_OF))


@pytest.mark.ruling(16)
def test_the_limit_is_near_the_mid_of_the_quotes() -> None:
    # mid 6.95 - 2.05 = 4.90, a fifth of it is 0.98
    assert limit_of("5.85") is None
    expect(limit_of("5.90"), "price_collar", "5.90")
    assert limit_of("3.95") is None
    expect(limit_of("3.90"), "price_collar", "3.90")


@pytest.mark.ruling(16)
def test_the_collar_is_at_least_some_ticks_wide() -> None:
    limits = replace(LIMITS, price_collar_fraction=Decimal("0.0001"))
    near, far = (proposal(plan=plan(mid=mid)) for mid in ("5.10", "5.15"))
    assert isinstance(judge(near, BOOK, limits, AS_OF), Approved)
    expect(refused(judge(far, BOOK, limits, AS_OF)), "price_collar", "5.15")


def test_a_vertical_never_brings_its_width() -> None:
    wild = snapshot(quotes=quotes((690.0, 690.1), (2.00, 2.10)))
    dear = proposal(plan=plan(mid="688.00", natural="687.90"), snapshot=wild)
    expect(refused(judge(dear, BOOK, LIMITS, AS_OF)), "price_collar", "688.00")
    whole = snapshot(quotes=quotes((41.95, 42.15), (2.00, 2.10)))  # mid 40.00
    at_width = proposal(plan=plan(mid="39.95", natural="39.85"), snapshot=whole)
    expect(refused(judge(at_width, BOOK, LIMITS, AS_OF)), "price_collar", "39.95")
    nearly = snapshot(quotes=quotes((41.94, 42.14), (2.00, 2.10)))  # mid 39.99
    expect(refused(judge(replace(at_width, plan=plan(mid="40.00")), BOOK, LIMITS, AS_OF)), "price_collar", "40.00")
    assert isinstance(judge(replace(at_width, snapshot=nearly), BOOK, LIMITS, AS_OF), Approved)


def chain(**of_leg: tuple[float | None, float | None]) -> dict[str, Any]:
    """Puts five points apart around both legs, in order; some with other quotes."""
    sides = {
        4105: (1.70, 1.80),
        4110: (2.00, 2.10),
        4115: (2.40, 2.50),
        4145: (6.30, 6.40),
        4150: (6.90, 7.00),
        4155: (7.60, 7.70),
    }
    numbers = {4110: LONG.con_id, 4150: SHORT.con_id}
    sides |= {int(name.removeprefix("at_")): quoted for name, quoted in of_leg.items()}
    options, found = [], {}
    for strike, (bid, ask) in sides.items():
        con_id = numbers.get(strike, strike)
        options.append(ListedOption(con_id, DAY, Decimal(strike), Right.PUT, "SPXW"))
        found[con_id] = Quote(con_id, AS_OF, bid, ask, 10, 10)
    return {"options": tuple(options), "quotes": found}


@pytest.mark.fault(32)
@pytest.mark.parametrize(
    "wrong",
    [
        {"at_4150": (690.0, 700.0)},
        {"at_4150": (7.75, 7.80)},
        {"at_4110": (0.02, 0.03)},
        {"at_4110": (2.55, 2.60)},
        {"at_4110": (200.0, 210.0)},
        {"at_4110": (2.10, 2.10)},
    ],
)
def test_a_price_out_of_order_or_locked_is_no_price(wrong: dict[str, Any]) -> None:
    limits = replace(LIMITS, quotes=replace(LIMITS.quotes, width_usd=Decimal(1_000)))
    outcome = asked(limits=limits, **chain(**wrong))
    assert outcome is not None
    assert outcome.rule == "quote_sanity"
    [name] = wrong
    assert name.removeprefix("at_") in outcome.value


@pytest.mark.fault(32)
@pytest.mark.parametrize("bad", [float("nan"), 0.0, -1.0, float("inf"), None])
@pytest.mark.parametrize("side", [0, 1])
def test_what_is_no_number_is_no_price(bad: float | None, side: int) -> None:
    sides: list[float | None] = [6.90, 7.00]
    sides[side] = bad
    outcome = asked(**chain(at_4150=(sides[0], sides[1])))
    assert outcome is not None
    assert outcome.rule == "quotes"


def test_quotes_in_order_pass_and_a_wrong_neighbour_is_not_ours_to_believe() -> None:
    assert asked(**chain()) is None
    assert asked(**chain(at_4155=(float("nan"), 7.70), at_4145=(7.0, 6.0))) is None, "such a neighbour says nothing"
    steep = asked(**chain(at_4155=(17.0, 17.1)))
    assert steep is not None
    assert steep.rule == "quote_sanity", "five points of strike are not worth ten of price"


def test_quotes_that_only_touch_are_in_order() -> None:
    assert asked(**chain(at_4145=(6.30, 6.90))) is None, "bought at 7.00, sold at 6.30"
    assert asked(**chain(at_4155=(6.60, 6.90))) is None, "sold at 6.90 and bought at 6.90: nothing is gained"
    assert asked(**chain(at_4155=(12.00, 12.10))) is None, "five points for five points"


@pytest.mark.fault(31)
@pytest.mark.parametrize(("number", "word"), [(2, "frozen"), (3, "delayed"), (4, "delayed and frozen"), (9, "unknown")])
def test_only_live_data_enters(number: int, word: str) -> None:
    made = chain()
    made["quotes"][SHORT.con_id] = replace(made["quotes"][SHORT.con_id], data_type=number)
    outcome = asked(**made)
    assert outcome is not None
    assert outcome.rule == "quote_sanity"
    assert f"has {word} data" in outcome.reason


# --- the account ------------------------------------------------------------------------------------------------------


def spy(right: Right = Right.PUT, **of_snapshot: Any) -> Proposal:
    strikes = (411, 419) if right is Right.PUT else (427, 419)
    legs = (
        replace(LONG, symbol="SPY", strike=Decimal(strikes[0]), right=right),
        replace(SHORT, symbol="SPY", strike=Decimal(strikes[1]), right=right),
    )
    spread = SpreadPlan("SPY", legs, 1, Decimal(8), Decimal("0.72"), Decimal("0.70"), Decimal("0.01"))
    seen = snapshot(symbol="SPY", quotes=quotes((1.00, 1.02), (0.28, 0.30)), **of_snapshot)
    direction = Direction.BULL if right is Right.PUT else Direction.BEAR
    return proposal(signal=replace(signal(direction), symbol="SPY"), plan=spread, snapshot=seen)


SPY_LIMITS = replace(LIMITS, profit_target_usd=Decimal(40), stop_loss_usd=Decimal(20))


def spy_asked(asks: Proposal, limits: Limits = SPY_LIMITS) -> RuleOutcome | None:
    return refused(judge(asks, BOOK, limits, AS_OF))


def test_spreads_that_deliver_shares_need_a_margin_account() -> None:
    funds = Decimal(50_000)
    lent = replace(FIGURES, available_funds=funds)
    assert spy_asked(spy(buying_power=funds * 2, figures=lent)) is None
    expect(spy_asked(spy(buying_power=funds, figures=lent)), "account_type", "cash", "margin")
    told = spy_asked(spy(figures=replace(FIGURES, available_funds=None)))
    expect(told, "account_type", "unknown")
    assert told is not None
    assert "RISK_ACCOUNT_TYPE" in told.reason
    configured = replace(SPY_LIMITS, account_kind=AccountKind.CASH)
    expect(spy_asked(spy(), configured), "account_type", "cash")


FRIDAY = DAY  # 2022-08-26


@pytest.mark.ruling(12)
@pytest.mark.parametrize(
    ("ex_date", "passes"),
    [
        (FRIDAY, True),
        (date(2022, 8, 29), False),
        (date(2022, 8, 30), False),  # Monday might be a holiday
        (date(2022, 8, 31), True),
        (date(2022, 8, 25), True),
    ],
)
def test_no_calls_are_sold_before_an_ex_date(ex_date: date, passes: bool) -> None:
    limits = replace(SPY_LIMITS, ex_dividends={"SPY": (date(2022, 6, 17), ex_date)})
    outcome = spy_asked(spy(Right.CALL), limits)
    assert (outcome is None) is passes
    if not passes:
        expect(outcome, "ex_dividend", str(ex_date))
    assert spy_asked(spy(Right.PUT), limits) is None


def test_without_dividends_the_outcome_says_so() -> None:
    decision = judge(spy(Right.CALL), BOOK, SPY_LIMITS, AS_OF)
    [outcome] = [item for item in decision.outcomes if item.rule == "ex_dividend"]
    assert (outcome.passed, outcome.value) == (True, "unknown: RISK_DIVIDENDS_FILE is not set")


def day_trades(left: str | None, regime: DayTradeRegime = DayTradeRegime.AUTO, **of_book: Any) -> RuleOutcome | None:
    figures = replace(FIGURES, day_trades_remaining=None if left is None else Decimal(left))
    return asked(replace(BOOK, **of_book), replace(LIMITS, day_trade_regime=regime), figures=figures)


def test_day_trades_are_counted_by_the_broker() -> None:
    assert day_trades("-1") is None
    assert day_trades("1") is None
    expect(day_trades("0"), "day_trades", "0", "1 left")
    expect(day_trades("1", account_opened_today=1), "day_trades", "1", "2 left")
    assert day_trades("2", account_opened_today=1) is None
    assert day_trades("1", account_open_trades=1) is None, "what was held over night leaves on another day"
    expect(day_trades(None), "day_trades", "unknown")
    assert day_trades("0", DayTradeRegime.OFF) is None
    assert day_trades("0", DayTradeRegime.INTRADAY_MARGIN) is None


def test_day_trades_may_only_warn_and_do_not_bind_cash() -> None:
    figures = replace(FIGURES, day_trades_remaining=Decimal(0))
    decision = judge(proposal(snapshot=snapshot(figures=figures)), BOOK, replace(LIMITS, pdt_strict=False), AS_OF)
    assert isinstance(decision, Approved)
    [outcome] = [item for item in decision.outcomes if item.rule == "day_trades"]
    assert outcome.reason == "0 day trades are left and 1 may be needed"
    assert asked(limits=replace(LIMITS, account_kind=AccountKind.CASH), figures=figures) is None


def settlement(settled: str | None, cash: str | None, *, strict: bool = True) -> Approved | RiskRefusal:
    told = {name: None if text is None else Decimal(text) for name, text in (("settled", settled), ("cash", cash))}
    figures = replace(FIGURES, settled_cash=told["settled"], total_cash=told["cash"])
    limits = replace(LIMITS, account_kind=AccountKind.CASH, gfv_strict=strict)
    return judge(proposal(snapshot=snapshot(figures=figures)), BOOK, limits, AS_OF)


def test_cash_accounts_pay_with_settled_cash() -> None:
    assert isinstance(settlement("3600", "9000"), Approved)
    expect(refused(settlement("3599.99", "9000")), "settlement", "3600.00", "3599.99")
    assert isinstance(settlement(None, "3600"), Approved), "nothing was sold"
    expect(refused(settlement(None, None)), "settlement", "3600.00", "unknown")
    expect(refused(settlement("9000", None)), "settlement", "3600.00")


@pytest.mark.parametrize(
    ("sold_on", "days", "passes"),
    [
        (DAY, 1, False),
        (DAY, 0, True),
        (DAY - timedelta(days=1), 1, True),
        (DAY - timedelta(days=1), 2, False),
        (DAY - timedelta(days=2), 2, True),
    ],
)
def test_sales_are_cash_when_they_have_settled(sold_on: date, days: int, passes: bool) -> None:
    figures = replace(FIGURES, settled_cash=None, total_cash=Decimal(4_000))
    limits = replace(LIMITS, account_kind=AccountKind.CASH, gfv_strict=True, settlement_days=days)
    outcome = asked(replace(BOOK, sale_proceeds_usd={sold_on: Decimal("400.01")}), limits, figures=figures)
    assert (outcome is None) is passes
    if not passes:
        expect(outcome, "settlement", "3600.00", "3599.99")
    told = replace(figures, settled_cash=Decimal(4_000))
    sold = replace(BOOK, sale_proceeds_usd={DAY: Decimal(4_000)})
    assert asked(sold, limits, figures=told) is None, "the broker's word goes first"


def test_a_good_faith_violation_may_only_warn_but_freeriding_is_refused() -> None:
    decision = settlement("0", "3600", strict=False)
    assert isinstance(decision, Approved)
    [outcome] = [item for item in decision.outcomes if item.rule == "settlement"]
    assert "good-faith violation" in outcome.reason
    enough = settlement("3600", "3600", strict=False)
    assert [item.reason for item in enough.outcomes if item.rule == "settlement"] == [""]
    unpaid = refused(settlement("0", "3599.99", strict=False))
    assert unpaid is not None
    assert "freeriding" in unpaid.reason


def faulty(*trades: tuple[int, int | None], settled: str = "0", **changes: Any) -> RuleOutcome | None:
    """What refuses after trades beyond settled cash: days before today on which each was bought and sold."""
    told = [(DAY - timedelta(days=bought), sold) for bought, sold in trades]
    made = [UnsettledTrade(day, None if sold is None else DAY - timedelta(days=sold)) for day, sold in told]
    figures = replace(FIGURES, settled_cash=Decimal(settled), total_cash=Decimal(9_000))
    limits = replace(LIMITS, account_kind=AccountKind.CASH, **changes)
    return asked(replace(BOOK, unsettled_trades=tuple(made)), limits, figures=figures)


def test_after_three_good_faith_violations_settled_cash_only_is_spent_for_90_days() -> None:
    three = ((300, 300), (200, 200), (89, 89))
    assert faulty(*three[:2]) is None
    expect(faulty(*three), "good_faith", "3", "below 3 within 12 months")
    assert faulty(*three, settled="3600") is None, "what settled cash covers makes none"
    assert faulty(*three[:2], (90, 90)) is None, "90 days are over"
    assert faulty((454, 454), (453, 453), (89, 89)) is None, "the first two were a year before the last"
    expect(faulty((453, 453), (452, 452), (89, 89)), "good_faith", "1")
    assert faulty(*three, gfv_limit=4) is None


def test_what_was_sold_after_settlement_is_no_violation_and_what_is_held_may_become_one() -> None:
    two = ((30, 30), (20, 20))
    assert faulty(*two, (11, 7)) is None, "bought on a Monday, sold on Friday"
    assert DAY.weekday() == 4
    expect(faulty(*two, (10, 10)), "good_faith", "3")
    assert faulty(*two, (11, 10)) is None, "the next day it has settled"
    expect(faulty(*two, (11, 10), settlement_days=2), "good_faith", "3")
    expect(faulty(*two, (0, None)), "good_faith", "3")
    assert faulty(*two, (1, None)) is None, "by today what it was paid with has settled"


def test_margin_accounts_know_no_good_faith_violations() -> None:
    many = tuple(UnsettledTrade(DAY, DAY) for _ in range(9))
    assert asked(replace(BOOK, unsettled_trades=many), replace(LIMITS, account_kind=AccountKind.MARGIN)) is None


def test_margin_accounts_do_not_wait_for_settlement() -> None:
    nothing = replace(FIGURES, settled_cash=None, total_cash=None)
    assert asked(limits=replace(LIMITS, account_kind=AccountKind.MARGIN), figures=nothing) is None
    expect(asked(figures=replace(nothing, available_funds=None)), "settlement", "unknown")
