"""The desk has enabled trading."""

from __future__ import annotations

from htbot.domain.decisions import RuleOutcome
from htbot.risk.case import Case, Verdict


def check(case: Case) -> RuleOutcome:
    """Trading starts disabled and is enabled by the desk, once books and broker agree."""
    enabled = case.proposal.snapshot.trading_enabled
    return Verdict("trading_enabled", "enabled").when(
        enabled, "enabled" if enabled else "disabled", "the desk has not enabled trading"
    )
