"""The order's limit is near what its legs are worth now."""

from __future__ import annotations

from htbot.domain.decisions import RuleOutcome
from htbot.risk.case import UNKNOWN, Case, Verdict


def check(case: Case) -> RuleOutcome:
    """The first limit lies within the collar around the mid, and the credit is one that a vertical can have.

    The collar is the larger of a share of the mid and a number of ticks. A vertical is never worth more than its width,
    so a credit of the width or more is a wrong quote.
    """
    plan, limits, mid = case.proposal.plan, case.limits, case.marks.mid_credit
    if mid is None:
        return Verdict("price_collar", UNKNOWN).refused(plan.mid_credit, "the mid is unknown")
    allowed = max(limits.price_collar_fraction * abs(mid), limits.price_collar_ticks * plan.tick)
    verdict = Verdict("price_collar", f"{mid:.2f} +/- {allowed:.2f}, below {plan.width}")
    if not 0 < mid < plan.width or not 0 < plan.mid_credit < plan.width:
        return verdict.refused(plan.mid_credit, f"{mid:.2f} is no credit of a spread that is {plan.width} wide")
    return verdict.when(
        abs(plan.mid_credit - mid) <= allowed,
        plan.mid_credit,
        f"a limit of {plan.mid_credit} is more than {allowed:.2f} from the mid of {mid:.2f}",
    )
