"""Smallest credit worth the risk (RULINGS 22)."""

from __future__ import annotations

from htbot.domain.decisions import RuleOutcome
from htbot.risk.case import UNKNOWN, Case, Verdict


def check(case: Case) -> RuleOutcome:
    """The natural credit per unit reaches the minimum of the underlying or of the settings."""
    plan = case.spread
    if plan is None:
        return Verdict("minimum_credit", "spreads only").passed("none")
    if case.underlying is None:
        return Verdict("minimum_credit", UNKNOWN).refused(UNKNOWN, "the underlying has no minimum credit")
    minimum = case.limits.minimum_credit_of(case.underlying, plan)
    credit = case.natural_credit
    verdict = Verdict("minimum_credit", f"{minimum:.2f}")
    if credit is None:
        return verdict.refused(UNKNOWN, "the credit is unknown")
    return verdict.when(credit >= minimum, f"{credit:.2f}", f"credit {credit:.2f} is below {minimum:.2f}")
