"""Pace of orders."""

from __future__ import annotations

from htbot.domain.decisions import RuleOutcome
from htbot.risk.case import Case, Verdict


def check(case: Case) -> RuleOutcome:
    """A strategy that has lost its mind is stopped by its pace before its size (FAULTS 42)."""
    limit, count = case.limits.max_orders_per_minute, case.book.orders_last_minute
    return Verdict("orders_per_minute", str(limit)).when(
        count < limit, count, f"{count} orders in the last minute, limit {limit}"
    )
