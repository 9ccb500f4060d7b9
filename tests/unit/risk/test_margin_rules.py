"""The second door of the gate: the broker's answer about the order."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from tests.support.accounts import ENOUGH, FIGURES
from tests.support.proposals import BOOK, LIMITS, proposal, snapshot
from tests.support.spreads import AS_OF

from htbot.domain.accounts import AccountKind
from htbot.domain.decisions import Approved, RiskDecision, RiskRefusal
from htbot.domain.margin import WhatIf
from htbot.risk.book import Book
from htbot.risk.gate import BROKER_RULES, RULES, judge, judge_margin
from htbot.risk.limits import DayTradeRegime, Limits
from htbot.risk.proposal import Proposal

OLD_RULE = replace(LIMITS, day_trade_regime=DayTradeRegime.LEGACY_PDT)
NEW_RULE = replace(LIMITS, day_trade_regime=DayTradeRegime.INTRADAY_MARGIN)


def answered(
    answer: WhatIf, limits: Limits = OLD_RULE, asks: Proposal | None = None, book: Book = BOOK
) -> RiskDecision:
    asks = asks or proposal()
    first = judge(asks, book, limits, AS_OF)
    assert isinstance(first, Approved)
    return judge_margin(first, asks, book, limits, answer)


def reason(decision: RiskDecision) -> tuple[str, str]:
    assert isinstance(decision, RiskRefusal)
    return decision.refused_by.rule, decision.refused_by.reason


def test_an_order_with_enough_margin_has_every_outcome_once() -> None:
    decision = answered(ENOUGH)
    assert isinstance(decision, Approved)
    assert len({outcome.rule for outcome in decision.outcomes}) == len(RULES) + len(BROKER_RULES)
    assert (decision.outcomes[-1].rule, decision.outcomes[-1].value) == ("what_if", "96480.00")
    assert decision.as_of == AS_OF


def test_what_is_left_is_at_least_the_buffer() -> None:
    tight = replace(ENOUGH, initial_margin_after=ENOUGH.equity_with_loan_after - 5_000)  # type: ignore[operator]
    assert isinstance(answered(tight), Approved)
    over = replace(tight, initial_margin_after=tight.initial_margin_after + Decimal("0.01"))  # type: ignore[operator]
    rule, text = reason(answered(over))
    assert rule == "what_if"
    assert text == "NO_MARGIN(reason=insufficient): 4999.99 USD would be left, the buffer is 5000.00"


@pytest.mark.parametrize("left_out", ["equity_with_loan_after", "initial_margin_after"])
def test_what_the_broker_leaves_out_refuses(left_out: str) -> None:
    assert reason(answered(replace(ENOUGH, **{left_out: None}))) == (  # type: ignore[arg-type]
        "what_if",
        "NO_MARGIN(reason=unknown): the broker left the margin out",
    )


def test_no_answer_refuses_with_what_is_known_of_it() -> None:
    assert reason(answered(WhatIf(unknown="the broker did not answer within 10 s"))) == (
        "what_if",
        "NO_MARGIN(reason=unknown): the broker did not answer within 10 s",
    )


def test_the_formula_stands_in_for_silence_but_not_for_a_rejection() -> None:
    formula = replace(OLD_RULE, margin_formula_when_unknown=True)
    silence, rejection = WhatIf(unknown="no answer"), WhatIf(rejected="broker error 201: margin")
    # 25,000 available less 3,600 at risk
    assert isinstance(answered(silence, formula), Approved)
    poor = proposal(snapshot=snapshot(figures=replace(FIGURES, available_funds=Decimal("8599.99"))))
    assert reason(answered(silence, formula, poor))[1].startswith("NO_MARGIN(reason=insufficient): 4999.99")
    assert reason(answered(rejection, formula)) == (
        "what_if",
        "NO_MARGIN(reason=rejected): broker error 201: margin",
    )


def test_intraday_margin_leaves_a_buffer_of_excess_liquidity() -> None:
    equity = Decimal(100_480)
    inside = replace(ENOUGH, maintenance_margin_after=equity - 5_000)
    assert isinstance(answered(inside, NEW_RULE), Approved)
    outside = replace(ENOUGH, maintenance_margin_after=equity - Decimal("4999.99"))
    assert reason(answered(outside, NEW_RULE))[0] == "intraday_margin"
    assert isinstance(answered(outside, replace(NEW_RULE, pdt_strict=False)), Approved)
    deficit = replace(ENOUGH, maintenance_margin_after=equity + 1)
    rule, text = reason(answered(deficit, replace(NEW_RULE, pdt_strict=False)))
    assert (rule, text[:23]) == ("intraday_margin", "INTRADAY_MARGIN_DEFICIT")
    assert isinstance(answered(deficit, OLD_RULE), Approved)
    assert isinstance(answered(deficit, replace(NEW_RULE, account_kind=AccountKind.CASH)), Approved)


def test_without_the_maintenance_margin_the_present_excess_counts() -> None:
    silent = replace(ENOUGH, maintenance_margin_after=None)
    assert isinstance(answered(silent, NEW_RULE), Approved)  # 90,000 - 3,600
    poor = proposal(snapshot=snapshot(figures=replace(FIGURES, excess_liquidity=Decimal("8599.99"))))
    assert reason(answered(silent, NEW_RULE, poor))[0] == "intraday_margin"
    unknown = proposal(snapshot=snapshot(figures=replace(FIGURES, excess_liquidity=None)))
    assert reason(answered(silent, NEW_RULE, unknown)) == (
        "intraday_margin",
        "excess liquidity after the trade is unknown",
    )


@pytest.mark.parametrize(
    ("limits", "answer", "room", "rule"),
    [
        (OLD_RULE, ENOUGH, "91480", "what_if"),  # 96,480 would be left, the buffer is 5,000
        (replace(OLD_RULE, margin_formula_when_unknown=True), WhatIf(unknown="silent"), "16400", "what_if"),
        (NEW_RULE, replace(ENOUGH, initial_margin_after=Decimal(0)), "91480", "intraday_margin"),
        (
            NEW_RULE,
            replace(ENOUGH, maintenance_margin_after=None, initial_margin_after=Decimal(0)),
            "81400",
            "intraday_margin",
        ),
    ],
)
def test_what_entries_under_way_tie_up_is_taken_off_what_the_broker_answered(
    limits: Limits, answer: WhatIf, room: str, rule: str
) -> None:
    enough = replace(FIGURES, gross_position_value=Decimal(0))
    asks = proposal(snapshot=snapshot(figures=enough, buying_power=Decimal(10**6)))
    wide = replace(limits, max_leverage=Decimal(100), account_kind=AccountKind.MARGIN)
    fits = replace(BOOK, unseen_value_usd=Decimal(room))
    assert isinstance(answered(answer, wide, asks, fits), Approved)
    over = replace(BOOK, unseen_value_usd=Decimal(room) + Decimal("0.01"))
    assert reason(answered(answer, wide, asks, over))[0] == rule


@pytest.mark.parametrize(
    ("day", "left", "regime"),
    [
        ("2026-06-03", -1, "legacy_pdt"),
        ("2026-06-03", None, "legacy_pdt"),
        ("2026-06-04", -1, "intraday_margin"),
        ("2026-06-04", None, "intraday_margin"),
        ("2026-06-04", 0, "legacy_pdt"),
        ("2027-01-04", 2, "legacy_pdt"),
    ],
)
def test_the_regime_follows_date_and_broker(day: str, left: int | None, regime: str) -> None:
    from htbot.risk.gate import _case
    from htbot.risk.regime import regime_of

    figures = replace(FIGURES, day_trades_remaining=None if left is None else Decimal(left))
    at = datetime.fromisoformat(f"{day}T15:00").replace(tzinfo=UTC)
    case = _case(proposal(snapshot=snapshot(figures=figures)), BOOK, LIMITS, at)
    assert regime_of(case).value == regime
