"""Margin over night, which is more than that of the day (Regulation T: half of what is held)."""

from __future__ import annotations

from decimal import Decimal

from htbot.domain.accounts import AccountKind
from htbot.domain.decisions import RuleOutcome
from htbot.risk.case import UNKNOWN, Case, Verdict, usd

_INITIAL = Decimal("0.5")


def check(case: Case) -> RuleOutcome:
    """Of what the broker would have left without any credit of the day, half of this trade's value can be taken.

    Asked of shares that may be held over the close, in a margin account; cash pays for them whole (`buying_power`).
    Entries under way count with this one. A share of net liquidation is left over, as by day.
    """
    plan, snapshot = case.plain, case.proposal.snapshot
    if plan is None or not plan.overnight:
        return Verdict("overnight_margin", "none").passed("closed within its session")
    if case.account_kind is AccountKind.CASH:
        return Verdict("overnight_margin", "none").passed("cash account")
    funds, own, worth = snapshot.figures.overnight_funds, case.claim_usd, snapshot.net_liquidation
    if funds is None or own is None or worth is None:
        reason = "available funds over night, what the trade ties up or net liquidation is unknown"
        return Verdict("overnight_margin", UNKNOWN).refused(UNKNOWN, reason)
    limit, left = case.limits.margin_buffer_fraction * worth, funds - _INITIAL * own
    reason = f"{left:.2f} USD would be left over night, the buffer is {limit:.2f}"
    return Verdict("overnight_margin", usd(limit)).when(left >= limit, usd(left), reason)
