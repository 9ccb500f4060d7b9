"""Orders of a session."""

from __future__ import annotations

from htbot.domain.decisions import RuleOutcome
from htbot.risk.case import Case, Verdict


def check(case: Case) -> RuleOutcome:
    """The account's orders of today, closes included, are below the limit."""
    limit, count = case.limits.max_orders_per_day, case.book.orders_today
    return Verdict("orders_per_day", str(limit)).when(count < limit, count, f"{count} orders today, limit {limit}")
