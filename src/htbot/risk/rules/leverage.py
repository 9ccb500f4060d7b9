"""Gross exposure of the account (spec 05 section 4)."""

from __future__ import annotations

from htbot.domain.decisions import RuleOutcome
from htbot.risk.case import UNKNOWN, Case, Verdict
from htbot.risk.exposure import gross_leverage


def check(case: Case) -> RuleOutcome:
    """(Value of all positions + what this trade and entries under way tie up) / net liquidation <= limit."""
    snapshot, own = case.proposal.snapshot, case.claim_usd
    limit, gross, worth = case.limits.max_leverage, snapshot.figures.gross_position_value, snapshot.net_liquidation
    verdict = Verdict("leverage", f"{limit:.2f}")
    leverage = gross_leverage(gross, own, worth)
    if leverage is None:
        return verdict.refused(UNKNOWN, "position value, what the trade ties up or net liquidation is unknown")
    return verdict.when(
        leverage <= limit, f"{leverage:.4f}", f"positions of {leverage:.4f} times net liquidation, limit {limit:.2f}"
    )
