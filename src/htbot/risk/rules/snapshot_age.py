"""The snapshot that the decision rests on is recent and not from the future."""

from __future__ import annotations

from htbot.domain.decisions import RuleOutcome
from htbot.risk.case import Case, Verdict


def check(case: Case) -> RuleOutcome:
    """Age in market time between 0 and the limit; a snapshot newer than `as_of` would be look-ahead."""
    limit_s = case.limits.snapshot_age_limit_s
    age_s = (case.as_of - case.proposal.snapshot.as_of).total_seconds()
    verdict = Verdict("snapshot_age", f"0 to {limit_s:g} s")
    if age_s < 0:
        return verdict.refused(f"{age_s:.1f} s", "the snapshot is newer than the decision's time")
    return verdict.when(age_s <= limit_s, f"{age_s:.1f} s", "the snapshot is too old")
