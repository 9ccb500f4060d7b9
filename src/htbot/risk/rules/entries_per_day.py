"""Entries per session."""

from __future__ import annotations

from htbot.domain.decisions import RuleOutcome
from htbot.risk.case import Case, Verdict


def check(case: Case) -> RuleOutcome:
    """The entries of today, filled or not, are below the limit."""
    limit, count = case.limits.max_entries_per_day, case.book.entries_today
    return Verdict("entries_per_day", str(limit)).when(count < limit, count, f"{count} entries today, limit {limit}")
