"""Shares before the gate: the same rules, in the words of shares."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from tests.support import plain
from tests.support.proposals import BOOK, LIMITS, snapshot
from tests.support.spreads import AS_OF, SESSION, quote, signal

from htbot.domain.accounts import AccountKind
from htbot.domain.decisions import Approved, RiskRefusal
from htbot.domain.quotes import Quote
from htbot.domain.signals import Direction, PlainLeg, PlainPlan
from htbot.risk.gate import RULES, Proposal, judge
from htbot.risk.limits import Limits


def plan(leg: PlainLeg = plain.LONG, **changes: Any) -> PlainPlan:
    """Ten shares near 400 that may lose 30 dollars."""
    price = Decimal("400.02") if leg.ratio > 0 else Decimal("400.00")
    worst = price + leg.ratio
    made = PlainPlan(plain.SYMBOL, leg, 10, price, worst, plain.CENT, stop_price=worst - 3 * leg.ratio)
    return replace(made, **changes)


def proposal(leg: PlainLeg = plain.LONG, told: Quote | None = None, **changes: Any) -> Proposal:
    seen = told or replace(quote(leg.con_id, 400.00, 400.02), last=400.01)
    view = snapshot(symbol=plain.SYMBOL, quotes={leg.con_id: seen}, shortable={plain.SYMBOL: 1000.0})
    fired = replace(signal(Direction(leg.ratio)), symbol=plain.SYMBOL)
    return replace(Proposal(fired, plan(leg), view, SESSION), **changes)


def refused_by(asked: Proposal, limits: Limits = LIMITS, **book: Any) -> str:
    decision = judge(asked, replace(BOOK, **book), limits, AS_OF)
    assert isinstance(decision, RiskRefusal), "it was approved"
    assert decision.refused_by.reason
    return decision.refused_by.rule


@pytest.mark.parametrize("leg", [plain.LONG, plain.SHORT])
def test_shares_in_order_pass_every_rule(leg: PlainLeg) -> None:
    decision = judge(proposal(leg), BOOK, LIMITS, AS_OF)
    assert isinstance(decision, Approved)
    assert len({outcome.rule for outcome in decision.outcomes}) == len(RULES)
    assert all(outcome.passed and outcome.limit and outcome.value for outcome in decision.outcomes)


def test_a_symbol_that_has_no_options_here_is_known_by_its_quote() -> None:
    leg = PlainLeg(9, "ZZZ", 1)
    asked = proposal(leg)
    other = replace(asked.plan, underlying="ZZZ")
    signal_ = replace(asked.signal, symbol="ZZZ")
    view = replace(asked.snapshot, symbol="ZZZ")
    assert isinstance(judge(Proposal(signal_, other, view, SESSION), BOOK, LIMITS, AS_OF), Approved)


@pytest.mark.parametrize(
    ("rule", "changes"),
    [
        ("order_quantity", {"quantity": 0}),
        ("order_notional", {"quantity": 125}),
        ("position_size", {"quantity": 25}),
        ("single_position", {"quantity": 13}),
        ("price_collar", {"worst": Decimal("402.02")}),
        ("spread_shape", {"leg": plain.SHORT}),
        ("day_risk", {"stop_price": None}),
    ],
)
def test_what_is_too_large_too_far_or_the_wrong_side_is_refused(rule: str, changes: dict[str, Any]) -> None:
    limits = replace(LIMITS, max_risk_per_day_usd=Decimal(4000)) if rule == "day_risk" else LIMITS
    assert refused_by(proposal(plan=plan(**changes)), limits) == rule


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("quotes", quote(plain.LONG.con_id, 399.00, 402.00)),  # believable for options, not for shares
        ("quotes", quote(plain.LONG.con_id, None, 400.02)),
        ("price_collar", replace(quote(plain.LONG.con_id, 400.00, 400.02), last=410.0)),
        ("quote_sanity", replace(quote(plain.LONG.con_id, 400.00, 400.02), data_type=3)),
    ],
)
def test_a_quote_that_is_no_price_of_shares_is_refused(rule: str, told: Quote) -> None:
    assert refused_by(proposal(told=told)) == rule


@pytest.mark.parametrize(("held", "wanted"), [(plain.SHORT, plain.LONG), (plain.LONG, plain.SHORT)])
def test_the_other_side_of_what_another_trade_holds_is_refused(held: PlainLeg, wanted: PlainLeg) -> None:
    sides = frozenset({(held.con_id, held.ratio)})
    assert refused_by(proposal(wanted), sides=sides) == "opposite_side"
    assert isinstance(judge(proposal(held), replace(BOOK, sides=sides), LIMITS, AS_OF), Approved)


def test_a_cash_account_buys_and_does_not_sell_short() -> None:
    cash = replace(LIMITS, account_kind=AccountKind.CASH)
    assert isinstance(judge(proposal(), BOOK, cash, AS_OF), Approved)
    assert refused_by(proposal(plain.SHORT), cash) == "account_type"


@pytest.mark.parametrize(("shortable", "word"), [({}, "has not told"), ({plain.SYMBOL: 9.0}, "9 shares")])
def test_shares_that_cannot_be_borrowed_are_not_sold_short(shortable: dict[str, float], word: str) -> None:
    asked = proposal(plain.SHORT)
    decision = judge(replace(asked, snapshot=replace(asked.snapshot, shortable=shortable)), BOOK, LIMITS, AS_OF)
    assert isinstance(decision, RiskRefusal)
    assert decision.refused_by.rule == "short_sale"
    assert word in decision.refused_by.reason


def test_in_a_cash_account_all_that_shares_cost_must_be_settled() -> None:
    cash = replace(LIMITS, account_kind=AccountKind.CASH, gfv_strict=True)
    figures = replace(snapshot().figures, settled_cash=Decimal(4010), total_cash=Decimal(100_000))
    asked = proposal()
    assert refused_by(replace(asked, snapshot=replace(asked.snapshot, figures=figures)), cash) == "settlement"


def test_what_is_held_in_the_symbol_counts_by_its_price() -> None:
    assert refused_by(proposal(), value_by_symbol_usd={plain.SYMBOL: Decimal(6_000)}) == "position_size"


@pytest.mark.parametrize(
    ("changes", "loss"),
    [
        ({}, "30.00"),
        ({"stop_loss_usd": Decimal(25)}, "25"),
        ({"stop_price": None}, "4010.20"),
        ({"stop_price": Decimal("402.00")}, "0"),
    ],
)
def test_shares_can_lose_what_lies_before_the_nearest_stop(changes: dict[str, Any], loss: str) -> None:
    assert plan(**changes).maximum_loss_usd == Decimal(loss)


@pytest.mark.parametrize(
    ("funds", "overnight", "kind", "refused"),
    [
        ("7005.10", True, None, False),  # half of 4,010.20, and 5 % of 100,000 are left
        ("7005.09", True, None, True),
        (None, True, None, True),
        (None, False, None, False),  # closed by its exit time
        (None, True, AccountKind.CASH, False),  # paid whole
    ],
)
def test_what_may_stay_over_night_has_its_margin_then(
    funds: str | None, overnight: bool, kind: AccountKind | None, refused: bool
) -> None:
    asked = proposal(plan=plan(overnight=overnight))
    figures = replace(asked.snapshot.figures, overnight_funds=None if funds is None else Decimal(funds))
    asked = replace(asked, snapshot=replace(asked.snapshot, figures=figures))
    limits = replace(LIMITS, account_kind=kind)
    if refused:
        assert refused_by(asked, limits) == "overnight_margin"
    else:
        assert isinstance(judge(asked, BOOK, limits, AS_OF), Approved)
