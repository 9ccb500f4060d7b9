"""The order's limit is near what its legs are worth now."""

from __future__ import annotations

from decimal import Decimal

from htbot.domain.decisions import RuleOutcome
from htbot.domain.signals import PlainPlan, SinglePlan
from htbot.risk.case import UNKNOWN, Case, Verdict


def check(case: Case) -> RuleOutcome:
    """The first limit lies within the collar around the mid, and the credit is one that a vertical can have.

    The collar is the larger of a share of the mid and a number of ticks. A vertical is never worth more than its width,
    so a credit of the width or more is a wrong quote. What is bought is held to the collar at its last limit.
    """
    plan, limits, mid = case.proposal.plan, case.limits, case.marks.mid_credit
    if isinstance(plan, PlainPlan):
        return _about_the_last_trade(case, plan)
    if isinstance(plan, SinglePlan):
        return _about_the_mid(case, plan)
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


def _about_the_mid(case: Case, plan: SinglePlan) -> RuleOutcome:
    """One option is bought for no more than the collar above its mid, or its quote's own half width."""
    limits, mark = case.limits, case.marks.legs[0]
    if mark.mid is None or mark.ask is None:
        return Verdict("price_collar", UNKNOWN).refused(plan.natural, "the mid is unknown")
    allowed = max(limits.price_collar_fraction * mark.mid, limits.price_collar_ticks * plan.tick)
    return Verdict("price_collar", f"{mark.mid:.2f} +/- {allowed:.2f}").when(
        abs(plan.natural - mark.mid) <= allowed,
        plan.natural,
        f"a limit of {plan.natural} is more than {allowed:.2f} from the mid of {mark.mid:.2f}",
    )


def _about_the_last_trade(case: Case, plan: PlainPlan) -> RuleOutcome:
    """Shares are bought and sold within the collar around their last trade, the mid where none was told."""
    quote, fraction = case.proposal.snapshot.quotes.get(plan.leg.con_id), case.limits.plain_collar_fraction
    last = None if quote is None else quote.last if quote.last is not None else quote.mid
    if last is None or last <= 0:
        return Verdict("price_collar", UNKNOWN).refused(plan.worst, "no trade and no quote to compare with")
    reference = Decimal(repr(last))
    allowed = max(fraction * reference, case.limits.price_collar_ticks * plan.tick)
    return Verdict("price_collar", f"{reference:.2f} +/- {allowed:.2f}").when(
        abs(plan.worst - reference) <= allowed,
        plan.worst,
        f"a limit of {plan.worst} is more than {allowed:.2f} from the last trade at {reference:.2f}",
    )
