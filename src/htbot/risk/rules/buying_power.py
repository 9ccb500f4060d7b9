"""Buying power covers what the trade ties up."""

from __future__ import annotations

from htbot.domain.decisions import RuleOutcome
from htbot.risk.case import Case, Verdict, usd


def check(case: Case) -> RuleOutcome:
    """Buying power >= what this trade and entries under way tie up: verticals their maximum loss, shares their price.

    Unknown buying power refuses.
    """
    power, own = case.proposal.snapshot.buying_power, case.claim_usd
    verdict = Verdict("buying_power", usd(power))
    if power is None or own is None:
        return verdict.refused(usd(own), "buying power or the order's value is unknown")
    reason = f"{own:.2f} USD that this trade and entries under way tie up are above buying power {power:.2f}"
    return verdict.when(own <= power, usd(own), reason)
