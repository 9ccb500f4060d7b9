"""Working orders of the account."""

from __future__ import annotations

from htbot.domain.decisions import RuleOutcome
from htbot.risk.case import Case, Verdict


def check(case: Case) -> RuleOutcome:
    """One more working order stays within the limit."""
    limit, count = case.limits.max_open_orders, case.book.working_orders
    return Verdict("open_orders", str(limit)).when(count < limit, count, f"{count} orders are working, limit {limit}")
