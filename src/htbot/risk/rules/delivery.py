"""Physical delivery of the short leg could be paid for (RULINGS 12)."""

from __future__ import annotations

from htbot.domain.decisions import RuleOutcome
from htbot.risk.case import Case, Verdict, usd


def check(case: Case) -> RuleOutcome:
    """American, physically settled options: 100 x quantity shares at the short strike stay within buying power."""
    plan = case.spread
    if plan is None:
        return Verdict("delivery", "sold options only").passed("none")
    if case.underlying is not None and case.underlying.cash_settled:
        return Verdict("delivery", "cash settled").passed("none")
    power = case.proposal.snapshot.buying_power
    value = plan.short_leg.strike * plan.short_leg.multiplier * plan.quantity
    verdict = Verdict("delivery", usd(power))
    if power is None:
        return verdict.refused(usd(value), "buying power is unknown")
    return verdict.when(value <= power, usd(value), f"delivery of {value:.2f} USD is above buying power {power:.2f}")
