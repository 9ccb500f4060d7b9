"""Notional of one order."""

from __future__ import annotations

from htbot.domain.decisions import RuleOutcome
from htbot.domain.signals import PlainPlan, SinglePlan
from htbot.risk.case import Case, Verdict


def check(case: Case) -> RuleOutcome:
    """Strike width x multiplier x quantity, the most that a vertical can change hands for, is within the limit.

    The same for shares and bought options at the limit of their order.
    """
    limit, plan = case.limits.max_order_notional_usd, case.proposal.plan
    if isinstance(plan, PlainPlan):
        notional = plan.notional_usd
    elif isinstance(plan, SinglePlan):
        notional = plan.maximum_loss_usd
    else:
        notional = plan.width * plan.short_leg.multiplier * plan.quantity
    return Verdict("order_notional", f"{limit:.2f}").when(
        notional <= limit, f"{notional:.2f}", f"an order of {notional:.2f} USD is above {limit:.2f}"
    )
