"""Pace of signals: a strategy that has lost its mind (FAULTS 42)."""

from __future__ import annotations

from htbot.domain.decisions import RuleOutcome
from htbot.risk.case import Case, Verdict


def check(case: Case) -> RuleOutcome:
    """The strategy's signals of the last minute, refused ones included, are below the limit."""
    limit, count = case.limits.max_signals_per_minute, case.book.signals_last_minute
    return Verdict("signals_per_minute", str(limit)).when(
        count < limit, count, f"{count} signals in the last minute, limit {limit}"
    )
