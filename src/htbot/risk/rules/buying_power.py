"""Buying power covers what the trade can lose."""

from __future__ import annotations

from htbot.domain.decisions import RuleOutcome
from htbot.risk.case import Case, Verdict, usd


def check(case: Case) -> RuleOutcome:
    """Buying power >= maximum loss; unknown buying power refuses."""
    power, own = case.proposal.snapshot.buying_power, case.maximum_loss_usd
    verdict = Verdict("buying_power", usd(power))
    if power is None or own is None:
        return verdict.refused(usd(own), "buying power or the maximum loss is unknown")
    return verdict.when(own <= power, usd(own), f"a maximum loss of {own:.2f} USD is above buying power {power:.2f}")
