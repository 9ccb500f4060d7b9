from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.support.accounts import FIGURES
from tests.support.spreads import ACCOUNT, AS_OF, DAY, LONG, SESSION, SHORT, plan, quotes, signal

from htbot.domain.decisions import Approved, RiskRefusal
from htbot.domain.instruments import Right
from htbot.domain.sessions import Session
from htbot.domain.signals import Direction, SpreadLeg, SpreadPlan
from htbot.marketdata.snapshot import Snapshot
from htbot.risk.book import Book
from htbot.risk.gate import RULES, Proposal, decision_id, judge
from htbot.risk.limits import Limits

LIMITS = Limits(profit_target_usd=Decimal(400), stop_loss_usd=Decimal(200), max_risk_per_day_usd=Decimal(12_000))
BOOK = Book(reconciled=True)


def snapshot(**changes: Any) -> Snapshot:
    base = Snapshot(
        as_of=AS_OF,
        world_id="w1",
        account=ACCOUNT,
        symbol="SPX",
        underlying_con_id=1,
        spot=4191.25,
        last_closed=None,
        open_bar=None,
        quotes=quotes((6.90, 7.00), (2.00, 2.10)),
        net_liquidation=Decimal(100_000),
        buying_power=Decimal(100_000),
        figures=FIGURES,
    )
    return replace(base, **changes)


def proposal(**changes: Any) -> Proposal:
    base = Proposal(signal=signal(), plan=plan(), snapshot=snapshot(), session=SESSION)
    return replace(base, **changes)


def test_everything_in_order_is_approved_with_every_outcome() -> None:
    decision = judge(proposal(), BOOK, LIMITS, AS_OF)
    assert isinstance(decision, Approved)
    assert len(decision.outcomes) == len(RULES)
    assert len({outcome.rule for outcome in decision.outcomes}) == len(RULES)
    assert all(outcome.passed and outcome.limit and outcome.value for outcome in decision.outcomes)
    assert decision.as_of == AS_OF


def test_the_decision_id_belongs_to_the_level_not_to_the_look() -> None:
    later = replace(signal(), as_of=AS_OF + timedelta(seconds=30), price=4192.0)
    assert decision_id(signal()) == decision_id(later)
    assert decision_id(signal()) != decision_id(signal(level=4190.75))
    assert decision_id(signal()) != decision_id(replace(signal(), account="DU100002"))


BOOK_REFUSALS: Mapping[str, tuple[dict[str, Any], str]] = {
    "halt": ({"halted_by": "operator: looks odd"}, "operator: looks odd"),
    "reconciled": ({"reconciled": False}, "not reconciled"),
    "spent_level": ({"spent_levels": frozenset({(1, 4190.5)})}, "4190.5"),
    "open_trade": ({"open_trades": 1}, "1"),
    "entries_per_day": ({"entries_today": 3}, "3"),
    "open_orders": ({"working_orders": 20}, "20"),
    "orders_per_minute": ({"orders_last_minute": 10}, "10"),
    "strategy_daily_loss": ({"strategy_realized_today_usd": Decimal(-600)}, "-600.00"),
    "account_daily_loss": ({"account_realized_today_usd": Decimal(-1000)}, "-1000.00"),
    "day_risk": ({"open_maximum_loss_usd": Decimal("8400.01")}, "12000.01"),
}


@pytest.mark.parametrize("rule", BOOK_REFUSALS)
def test_the_book_refuses(rule: str) -> None:
    changes, value = BOOK_REFUSALS[rule]
    decision = judge(proposal(), replace(BOOK, **changes), LIMITS, AS_OF)
    assert isinstance(decision, RiskRefusal)
    assert (decision.refused_by.rule, decision.refused_by.value) == (rule, value)
    assert decision.refused_by.reason
    assert all(outcome.passed for outcome in decision.outcomes[:-1])


JUST_INSIDE: tuple[dict[str, Any], ...] = (
    {"spent_levels": frozenset({(-1, 4190.5), (1, 4190.25)})},
    {"entries_today": 2},
    {"working_orders": 19},
    {"orders_last_minute": 9},
    {"strategy_realized_today_usd": Decimal("-599.99"), "account_realized_today_usd": Decimal("-999.99")},
    {"open_maximum_loss_usd": Decimal(8400)},
)


@pytest.mark.parametrize("changes", JUST_INSIDE)
def test_just_inside_every_limit_of_the_book(changes: dict[str, Any]) -> None:
    assert isinstance(judge(proposal(), replace(BOOK, **changes), LIMITS, AS_OF), Approved)


SNAPSHOT_REFUSALS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("trading_enabled", {"trading_enabled": False}),
    ("connection", {"connected": False}),
    ("snapshot_age", {"as_of": AS_OF - timedelta(seconds=5.1)}),
    ("snapshot_age", {"as_of": AS_OF + timedelta(seconds=1)}),
    ("identity", {"symbol": "SPY"}),
    ("identity", {"account": "DU999999"}),
    ("quotes", {"quotes": {}}),
    ("quotes", {"quotes": quotes((6.90, 7.00), (2.00, 2.10), AS_OF - timedelta(seconds=6))}),
    ("quotes", {"quotes": quotes((7.10, 7.00), (2.00, 2.10))}),
    ("quotes", {"quotes": quotes((6.00, 8.00), (2.00, 2.10))}),
    ("quotes", {"quotes": quotes((None, 7.00), (2.00, 2.10))}),
    ("loss_limits", {"net_liquidation": None}),
    ("loss_limits", {"net_liquidation": Decimal(49_999)}),
    ("buying_power", {"buying_power": None}),
    ("buying_power", {"buying_power": Decimal(3_599)}),
)


@pytest.mark.parametrize(("rule", "changes"), SNAPSHOT_REFUSALS)
def test_the_snapshot_refuses(rule: str, changes: dict[str, Any]) -> None:
    decision = judge(proposal(snapshot=snapshot(**changes)), BOOK, LIMITS, AS_OF)
    assert isinstance(decision, RiskRefusal)
    assert decision.refused_by.rule == rule


LIMIT_REFUSALS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("order_quantity", {"max_order_quantity": 0}),
    ("minimum_credit", {"minimum_credit": Decimal("4.85")}),
    ("target_reachable", {"profit_target_usd": Decimal("480.01")}),
    ("loss_limits", {"strategy_daily_loss_limit_usd": Decimal(1001)}),
)


@pytest.mark.parametrize(("rule", "changes"), LIMIT_REFUSALS)
def test_the_limits_refuse(rule: str, changes: dict[str, Any]) -> None:
    decision = judge(proposal(), BOOK, replace(LIMITS, **changes), AS_OF)
    assert isinstance(decision, RiskRefusal)
    assert decision.refused_by.rule == rule


def test_rulings_22_minimum_credit_of_spx_is_five_percent_of_the_width() -> None:
    cheap = proposal(plan=plan(natural="1.95"))
    decision = judge(cheap, BOOK, replace(LIMITS, profit_target_usd=Decimal(100)), AS_OF)
    assert isinstance(decision, RiskRefusal)
    refused = decision.refused_by
    assert (refused.rule, refused.limit, refused.value) == ("minimum_credit", "2.00", "1.95")


def test_rulings_22_a_target_out_of_reach_is_refused_with_limit_and_value() -> None:
    decision = judge(proposal(plan=plan(natural="3.95")), BOOK, LIMITS, AS_OF)
    assert isinstance(decision, RiskRefusal)
    refused = decision.refused_by
    assert (refused.rule, refused.limit, refused.value) == ("target_reachable", "400.00", "395.00")


def test_the_credit_is_the_worse_of_plan_and_quotes() -> None:
    boasting = proposal(plan=plan(natural="9.00"), snapshot=snapshot(quotes=quotes((5.90, 6.00), (2.00, 2.10))))
    decision = judge(boasting, BOOK, LIMITS, AS_OF)
    assert isinstance(decision, RiskRefusal)
    assert decision.refused_by.value == "380.00"  # (5.90 - 2.10) x 100


@pytest.mark.parametrize(("minute", "passes"), [(-1, False), (0, True), (299, True), (300, False)])
def test_rulings_19_entry_window(minute: int, passes: bool) -> None:
    at = SESSION.at(10, 0) + timedelta(minutes=minute)
    moved = proposal(
        signal=replace(signal(), as_of=at),
        snapshot=snapshot(as_of=at, quotes=quotes((6.90, 7.00), (2.00, 2.10), at)),
    )
    assert isinstance(judge(moved, BOOK, LIMITS, at), Approved) is passes


def test_rulings_19_half_days_end_an_hour_before_the_close() -> None:
    opens, closes = datetime(2022, 8, 26, 13, 30, tzinfo=UTC), datetime(2022, 8, 26, 17, 0, tzinfo=UTC)
    at = closes - timedelta(minutes=60)
    moved = proposal(
        signal=replace(signal(), as_of=at),
        snapshot=snapshot(as_of=at, quotes=quotes((6.90, 7.00), (2.00, 2.10), at)),
        session=Session(DAY, opens, closes, early_close=True),
    )
    decision = judge(moved, BOOK, LIMITS, at)
    assert isinstance(decision, RiskRefusal)
    assert (decision.refused_by.rule, decision.refused_by.limit) == ("entry_window", "2022-08-26 10:00 to 12:00")


def test_a_signal_from_the_future_is_refused() -> None:
    ahead = proposal(signal=replace(signal(), as_of=AS_OF + timedelta(seconds=30)))
    decision = judge(ahead, BOOK, LIMITS, AS_OF)
    assert isinstance(decision, RiskRefusal)
    assert decision.refused_by.rule == "entry_window"


@pytest.mark.ruling(7)
def test_rulings_7_the_trade_counts_at_the_worst_credit_of_its_order() -> None:
    decision = judge(proposal(), BOOK, replace(LIMITS, max_risk_per_day_usd=Decimal(3_599)), AS_OF)
    assert isinstance(decision, RiskRefusal)
    # the plan's natural credit of 4.80 would be 3,520; its order may fill down to 4.00
    assert (decision.refused_by.rule, decision.refused_by.value) == ("day_risk", "3600.00")


def test_a_gain_of_today_buys_no_extra_risk() -> None:
    rich = replace(BOOK, account_realized_today_usd=Decimal(5_000), open_maximum_loss_usd=Decimal(8_401))
    decision = judge(proposal(), rich, LIMITS, AS_OF)
    assert isinstance(decision, RiskRefusal)
    assert decision.refused_by.rule == "day_risk"


WRONG_SHAPES = (
    (replace(LONG, ratio=-1), SHORT),
    (replace(LONG, right=Right.CALL), SHORT),
    (replace(LONG, expiry=DAY + timedelta(days=3)), SHORT),
    (replace(LONG, strike=Decimal(4115)), SHORT),
    (replace(LONG, ratio=-1), replace(SHORT, ratio=1)),
)


@pytest.mark.parametrize("legs", WRONG_SHAPES)
def test_rulings_21_only_the_vertical_of_the_direction(legs: tuple[SpreadLeg, SpreadLeg]) -> None:
    decision = judge(proposal(plan=replace(plan(), legs=legs)), BOOK, LIMITS, AS_OF)
    assert isinstance(decision, RiskRefusal)
    assert decision.refused_by.rule == "spread_shape"


def test_rulings_21_a_bear_signal_sells_calls() -> None:
    puts = judge(proposal(signal=signal(Direction.BEAR)), BOOK, LIMITS, AS_OF)
    assert isinstance(puts, RiskRefusal)
    legs = (
        replace(LONG, right=Right.CALL, strike=Decimal(4230)),
        replace(SHORT, right=Right.CALL, strike=Decimal(4190)),
    )
    calls = judge(proposal(signal=signal(Direction.BEAR), plan=replace(plan(), legs=legs)), BOOK, LIMITS, AS_OF)
    assert isinstance(calls, Approved)


def spy(buying_power: Decimal, quantity: int = 1) -> tuple[Proposal, Limits]:
    legs = (
        replace(LONG, symbol="SPY", strike=Decimal(411)),
        replace(SHORT, symbol="SPY", strike=Decimal(419)),
    )
    spread = SpreadPlan("SPY", legs, quantity, Decimal(8), Decimal("0.72"), Decimal("0.70"), Decimal("0.01"))
    seen = snapshot(symbol="SPY", buying_power=buying_power, quotes=quotes((1.00, 1.02), (0.28, 0.30)))
    limits = replace(LIMITS, profit_target_usd=Decimal(40), stop_loss_usd=Decimal(20))
    return proposal(signal=replace(signal(), symbol="SPY"), plan=spread, snapshot=seen), limits


@pytest.mark.parametrize(("power", "approved"), [("41900.00", True), ("41899.99", False)])
@pytest.mark.ruling(12)
def test_rulings_12_delivery_must_be_affordable(power: str, approved: bool) -> None:
    asked, limits = spy(Decimal(power))
    decision = judge(asked, BOOK, limits, AS_OF)
    assert isinstance(decision, Approved) is approved
    assert decision.outcomes[-1].rule == "delivery"


def test_an_unknown_underlying_is_refused() -> None:
    asked, limits = spy(Decimal(100_000))
    strange = replace(
        asked,
        signal=replace(asked.signal, symbol="XYZ"),
        plan=replace(asked.plan, underlying="XYZ"),
        snapshot=replace(asked.snapshot, symbol="XYZ"),
    )
    decision = judge(strange, BOOK, limits, AS_OF)
    assert isinstance(decision, RiskRefusal)
    assert decision.refused_by.reason == "XYZ is not an underlying that htbot trades"
