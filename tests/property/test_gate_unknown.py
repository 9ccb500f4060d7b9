"""Entries fail closed on what is not known, exits pass no gate."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import fields, replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.accounts import ENOUGH, FIGURES
from tests.support.proposals import BOOK, LIMITS, proposal, snapshot
from tests.support.spreads import AS_OF

from htbot.domain.accounts import AccountFigures, AccountKind
from htbot.domain.decisions import Approved, RiskDecision
from htbot.domain.margin import WhatIf
from htbot.risk.gate import BROKER_RULES, RULES, judge, judge_margin
from htbot.risk.limits import DayTradeRegime, Limits
from htbot.settings import project_root

FIGURE_NAMES = [field.name for field in fields(AccountFigures)]
MARGIN_NAMES = ["equity_with_loan_after", "initial_margin_after", "maintenance_margin_after", "commission"]
# What stands behind a name that may be missing without a refusal, and why.
NOT_COMPARED = {"equity_with_loan": "the what-if tells it after the order"}
regimes = st.sampled_from(DayTradeRegime)
kinds = st.sampled_from([None, *AccountKind])
missing_figures = st.sets(st.sampled_from(FIGURE_NAMES))
missing_margins = st.sets(st.sampled_from(MARGIN_NAMES))


def without(names: Iterable[str], *, worth: bool = True, power: bool = True) -> dict[str, object]:
    """A snapshot that lacks some of the account's values."""
    return {
        "figures": replace(FIGURES, **dict.fromkeys(names)),  # type: ignore[arg-type]
        "net_liquidation": Decimal(100_000) if worth else None,
        "buying_power": Decimal(100_000) if power else None,
    }


def decided(changes: dict[str, object], limits: Limits, answer: WhatIf) -> RiskDecision:
    asks = proposal(snapshot=snapshot(**changes))
    first = judge(asks, BOOK, limits, AS_OF)
    return judge_margin(first, asks, BOOK, limits, answer) if isinstance(first, Approved) else first


@pytest.mark.parametrize("kind", [None, *AccountKind])
@pytest.mark.parametrize("regime", DayTradeRegime)
def test_with_everything_unknown_nothing_is_entered(kind: AccountKind | None, regime: DayTradeRegime) -> None:
    lenient = replace(
        LIMITS, account_kind=kind, day_trade_regime=regime, pdt_strict=False, margin_formula_when_unknown=True
    )
    nothing = without(FIGURE_NAMES, worth=False, power=False)
    assert not isinstance(decided(nothing, lenient, WhatIf()), Approved)


@pytest.mark.parametrize("rule", [*RULES, *BROKER_RULES], ids=lambda rule: rule.__module__.rpartition(".")[2])
def test_no_rule_breaks_on_what_is_unknown(rule: object) -> None:
    """Each answers with limit and value, whatever is missing; an exception would be no decision."""
    from htbot.risk.gate import _case

    assert callable(rule)
    for names in (FIGURE_NAMES, []):
        bare = snapshot(**without(names, worth=False, power=False), quotes={}, spot=None)
        for symbol in ("SPX", "SPY", "XYZ"):
            asks = proposal(snapshot=bare)
            asks = replace(asks, signal=replace(asks.signal, symbol=symbol))
            outcome = rule(_case(asks, BOOK, LIMITS, AS_OF))
            assert outcome.limit
            assert outcome.value
            assert outcome.passed or outcome.reason


@given(missing_figures, missing_margins, regimes, kinds, st.booleans(), st.booleans())
def test_what_is_approved_rests_on_what_is_known(
    figures: set[str], margins: set[str], regime: DayTradeRegime, kind: AccountKind | None, worth: bool, power: bool
) -> None:
    limits = replace(LIMITS, day_trade_regime=regime, account_kind=kind)
    answer = replace(ENOUGH, **dict.fromkeys(margins))  # type: ignore[arg-type]
    decision = decided(without(figures, worth=worth, power=power), limits, answer)
    needed = {"gross_position_value"}
    needed |= {"available_funds"} if kind is None else set()
    needed |= {"total_cash"} if kind is AccountKind.CASH else set()
    legacy = regime in {DayTradeRegime.AUTO, DayTradeRegime.LEGACY_PDT} and kind is not AccountKind.CASH
    needed |= {"day_trades_remaining"} if legacy else set()
    known = worth and power and not needed & figures
    known = known and not {"equity_with_loan_after", "initial_margin_after"} & margins
    if (
        regime is DayTradeRegime.INTRADAY_MARGIN
        and kind is not AccountKind.CASH
        and "maintenance_margin_after" in margins
    ):
        known = known and "excess_liquidity" not in figures
    assert isinstance(decision, Approved) is known


def test_exits_pass_no_gate() -> None:
    """Nothing but what makes entries, those of a chaos run included, and what explains it knows the gate."""
    source = project_root() / "src" / "htbot"
    asking = {
        str(path.relative_to(source))
        for path in source.rglob("*.py")
        if not path.is_relative_to(source / "risk") and "htbot.risk.gate" in imported(path)
    }
    entering = {
        "engine/cycle.py",
        "engine/share_entries.py",
        "services/decision_record.py",
        "services/manual_signal.py",
    }
    assert asking == {*entering, "bootstrap/chaos/entries.py", "services/risk_rules.py"}


def imported(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module is not None}
