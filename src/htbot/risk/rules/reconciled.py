"""Books and broker agree."""

from __future__ import annotations

from htbot.domain.decisions import RuleOutcome
from htbot.risk.case import Case, Verdict


def check(case: Case) -> RuleOutcome:
    """No entry on books that have not been compared with the broker's since the last doubt."""
    value = "reconciled" if case.book.reconciled else "not reconciled"
    return Verdict("reconciled", "reconciled").when(
        case.book.reconciled, value, "our books have not been reconciled with the broker"
    )
