"""Buying power covers what the trade ties up."""

from __future__ import annotations

from htbot.domain.decisions import RuleOutcome
from htbot.risk.case import Case, Verdict, usd


def check(case: Case) -> RuleOutcome:
    """Buying power >= maximum loss of a vertical, price of shares; unknown buying power refuses."""
    power, own = case.proposal.snapshot.buying_power, case.value_usd
    verdict = Verdict("buying_power", usd(power))
    if power is None or own is None:
        return verdict.refused(usd(own), "buying power or the order's value is unknown")
    return verdict.when(
        own <= power, usd(own), f"{own:.2f} USD that the trade ties up are above buying power {power:.2f}"
    )
