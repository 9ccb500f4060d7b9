"""Size of the order."""

from __future__ import annotations

from htbot.domain.decisions import RuleOutcome
from htbot.risk.case import Case, Verdict


def check(case: Case) -> RuleOutcome:
    """At least one spread or option, at most the limit; at least one share, for their dollars are bounded elsewhere."""
    limit, quantity = case.limits.max_order_quantity, case.proposal.plan.quantity
    if case.plain is not None:
        return Verdict("order_quantity", "at least 1").when(quantity >= 1, quantity, f"quantity {quantity} is none")
    return Verdict("order_quantity", f"1 to {limit}").when(
        1 <= quantity <= limit, quantity, f"quantity {quantity} is outside 1 to {limit}"
    )
