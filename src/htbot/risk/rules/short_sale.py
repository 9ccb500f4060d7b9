"""Shares that are sold short have to be borrowed."""

from __future__ import annotations

from htbot.domain.decisions import RuleOutcome
from htbot.risk.case import UNKNOWN, Case, Verdict


def check(case: Case) -> RuleOutcome:
    """The broker has told of at least as many shares to borrow as are sold; unknown refuses."""
    plan = case.plain
    if plan is None or plan.leg.ratio > 0:
        return Verdict("short_sale", "none").passed("nothing is sold short")
    there = case.proposal.snapshot.shortable.get(plan.underlying)
    verdict = Verdict("short_sale", f"{plan.quantity} to borrow")
    if there is None:
        return verdict.refused(UNKNOWN, f"the broker has not told how many shares of {plan.underlying} can be borrowed")
    reason = f"{there:.0f} shares of {plan.underlying} can be borrowed, {plan.quantity} are needed"
    return verdict.when(there >= plan.quantity, f"{there:.0f}", reason)
