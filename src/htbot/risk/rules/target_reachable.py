"""The profit target can be reached at all (RULINGS 22)."""

from __future__ import annotations

from htbot.domain.decisions import RuleOutcome
from htbot.risk.case import UNKNOWN, Case, Verdict


def check(case: Case) -> RuleOutcome:
    """All of the credit kept, credit x multiplier x quantity, is at least the profit target."""
    target, plan, credit = case.limits.profit_target_usd, case.spread, case.natural_credit
    if plan is None:
        return Verdict("target_reachable", "spreads only").passed("none")
    verdict = Verdict("target_reachable", f"{target:.2f}")
    if credit is None:
        return verdict.refused(UNKNOWN, "the credit is unknown")
    most = credit * plan.short_leg.multiplier * plan.quantity
    return verdict.when(
        most >= target, f"{most:.2f}", f"a credit of {most:.2f} USD can never reach the target of {target:.2f}"
    )
