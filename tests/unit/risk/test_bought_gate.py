"""A bought option before the gate: what is paid is what can be lost, and the rules on credit have nothing to say."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from tests.support import bought
from tests.support.accounts import ENOUGH
from tests.support.bought import CALL, PUT
from tests.support.proposals import BOOK, LIMITS, snapshot
from tests.support.spreads import AS_OF, SESSION, signal

from htbot.domain.accounts import AccountKind
from htbot.domain.decisions import Approved, RiskRefusal
from htbot.domain.quotes import Quote
from htbot.domain.signals import Direction, SinglePlan, SpreadLeg
from htbot.risk.book import Book
from htbot.risk.gate import RULES, Proposal, judge, judge_margin
from htbot.risk.limits import Limits


def proposal(leg: SpreadLeg = CALL, plan: SinglePlan | None = None, **changes: Any) -> Proposal:
    told = {"quotes": bought.quotes(1.80, 2.00, leg=leg), **changes}
    return Proposal(signal(bought.side_of(leg)), plan or bought.plan(leg=leg), snapshot(**told), SESSION)


def refused_by(asked: Proposal, limits: Limits = LIMITS, book: Book = BOOK) -> str:
    decision = judge(asked, book, limits, AS_OF)
    assert isinstance(decision, RiskRefusal), "it was approved"
    assert decision.refused_by.reason
    return decision.refused_by.rule


@pytest.mark.parametrize("leg", [CALL, PUT])
@pytest.mark.parametrize("kind", [AccountKind.CASH, AccountKind.MARGIN])
def test_an_option_in_order_passes_every_rule_in_any_account(leg: SpreadLeg, kind: AccountKind) -> None:
    asked, limits = proposal(leg), replace(LIMITS, account_kind=kind)
    decision = judge(asked, BOOK, limits, AS_OF)
    assert isinstance(decision, Approved)
    assert len(decision.outcomes) == len(RULES)
    assert all(outcome.limit and outcome.value for outcome in decision.outcomes)
    assert isinstance(judge_margin(decision, asked, BOOK, limits, ENOUGH), Approved)


def test_what_is_paid_is_the_most_that_is_lost() -> None:
    assert refused_by(proposal(), replace(LIMITS, max_risk_per_day_usd=Decimal("199.99"))) == "day_risk"
    assert isinstance(judge(proposal(), BOOK, replace(LIMITS, max_risk_per_day_usd=Decimal(200)), AS_OF), Approved)
    open_ = replace(BOOK, open_maximum_loss_usd=Decimal(1))
    assert refused_by(proposal(), replace(LIMITS, max_risk_per_day_usd=Decimal(200)), open_) == "day_risk"


def test_buying_power_pays_the_premium_and_its_commission() -> None:
    assert refused_by(proposal(buying_power=Decimal("200.00"))) == "buying_power"
    assert isinstance(judge(proposal(buying_power=Decimal("202.00")), BOOK, LIMITS, AS_OF), Approved)
    assert refused_by(proposal(buying_power=None)) == "buying_power"


@pytest.mark.parametrize(
    ("sides", "rule"),
    [
        ((None, 2.00), "quotes"),
        ((None, 0.50), "quotes"),
        ((1.80, None), "quotes"),
        ((1.20, 2.00), "quotes"),
        ((2.10, 2.00), "quotes"),
    ],
)
def test_what_has_no_bid_or_no_price_is_not_bought(sides: tuple[float | None, float | None], rule: str) -> None:
    assert refused_by(proposal(quotes=bought.quotes(*sides))) == rule


def test_a_quote_that_nobody_told_is_no_price() -> None:
    assert refused_by(proposal(quotes={})) == "quotes"
    stale: dict[int, Quote] = {one: replace(told, data_type=3) for one, told in bought.quotes(1.80, 2.00).items()}
    assert refused_by(proposal(quotes=stale)) == "quote_sanity"


@pytest.mark.parametrize(
    ("plan", "rule"),
    [
        (bought.plan(quantity=11), "order_quantity"),
        (bought.plan(leg=replace(CALL, right=PUT.right)), "spread_shape"),
        (bought.plan(leg=replace(CALL, ratio=-1)), "spread_shape"),
        (bought.plan(natural="2.50"), "price_collar"),
    ],
)
def test_what_is_too_many_too_dear_or_another_option_is_refused(plan: SinglePlan, rule: str) -> None:
    assert refused_by(proposal(plan=plan)) == rule


def test_an_order_may_not_be_too_large() -> None:
    assert refused_by(proposal(), replace(LIMITS, max_order_notional_usd=Decimal(199))) == "order_notional"
    assert refused_by(proposal(), replace(LIMITS, max_position_size_usd=Decimal(199))) == "position_size"


def test_each_side_has_one_trade_at_a_time() -> None:
    call_open = replace(BOOK, open_trades=1, open_directions=frozenset({int(Direction.BULL)}))
    assert refused_by(proposal(CALL), book=call_open) == "open_trade"
    assert isinstance(judge(proposal(PUT), call_open, LIMITS, AS_OF), Approved)


@pytest.mark.parametrize(("power", "approved"), [("41900.00", True), ("41899.99", False), (None, False)])
@pytest.mark.ruling(12)
def test_rulings_12_what_is_exercised_at_the_close_must_be_affordable(power: str | None, approved: bool) -> None:
    leg = replace(CALL, symbol="SPY", strike=Decimal(419))
    plan = replace(bought.plan(leg=leg), underlying="SPY", tick=Decimal("0.01"))
    asked = proposal(leg, plan, symbol="SPY", buying_power=None if power is None else Decimal(power))
    decision = judge(replace(asked, signal=replace(asked.signal, symbol="SPY")), BOOK, LIMITS, AS_OF)
    assert isinstance(decision, Approved) is approved
    if power is not None:
        assert decision.outcomes[-1].rule == "delivery"
