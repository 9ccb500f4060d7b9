"""Nothing is originated while a halt is in force (RULINGS 13)."""

from __future__ import annotations

from htbot.domain.decisions import RuleOutcome
from htbot.risk.case import Case, Verdict


def check(case: Case) -> RuleOutcome:
    """A halt, whoever set it, refuses entries until a person clears it."""
    halted_by = case.book.halted_by
    return Verdict("halt", "none").when(halted_by is None, halted_by or "none", halted_by or "")
