"""The same order of a strategy again and again (FAULTS 42)."""

from __future__ import annotations

from datetime import timedelta

from htbot.domain.decisions import RuleOutcome
from htbot.domain.orders import Action
from htbot.risk.case import Case, Verdict
from htbot.risk.flood import fingerprint


def check(case: Case) -> RuleOutcome:
    """Entries of the strategy with the same legs, side and quantity within the window are below the limit.

    Two strategies may want the same order at the same time: neither of them has lost its mind. How many orders all of
    them send is a matter of `orders_per_minute`.
    """
    limits, plan = case.limits, case.proposal.plan
    own = fingerprint(Action.BUY, plan.quantity, plan.legs)
    since = case.as_of - timedelta(seconds=limits.repeated_order_window_s)
    count = sum(order.fingerprint == own and order.at > since for order in case.book.recent_orders)
    span = f"{limits.repeated_order_window_s:g} s"
    return Verdict("repeated_order", f"{limits.max_repeated_orders} within {span}").when(
        count < limits.max_repeated_orders, count, f"the same order was entered {count} times within {span}"
    )
