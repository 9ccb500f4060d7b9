"""No two trades on opposite sides of one contract: the broker nets them, and neither could be closed on its own."""

from __future__ import annotations

from htbot.domain.decisions import RuleOutcome
from htbot.risk.case import Case, Verdict


def check(case: Case) -> RuleOutcome:
    """No trade of the account that is not closed, of any strategy, has a leg of this one on the other side."""
    legs = case.proposal.plan.legs
    against = [leg.con_id for leg in legs if (leg.con_id, -1 if leg.ratio > 0 else 1) in case.book.sides]
    told = ", ".join(map(str, against)) or "none"
    reason = f"another trade holds or wants the other side of contract {told}: close it first"
    return Verdict("opposite_side", "none").when(not against, told, reason)
