"""Loss since the account stood highest (spec 05 sections 4 and 23)."""

from __future__ import annotations

from decimal import Decimal

from htbot.domain.decisions import RuleOutcome
from htbot.risk.case import UNKNOWN, Case, Verdict


def check(case: Case) -> RuleOutcome:
    """(Peak - net liquidation) / peak is below the limit. The peak is the highest of the record and of now."""
    limit, worth = case.limits.max_drawdown_fraction, case.proposal.snapshot.net_liquidation
    if limit is None:
        return Verdict("drawdown", "off").passed("not looked at")
    verdict = Verdict("drawdown", f"{limit * 100:.2f} %")
    if worth is None:
        return verdict.refused(UNKNOWN, "net liquidation is unknown")
    peak = max(worth, case.book.peak_equity_usd or worth)
    fallen = (peak - worth) / peak if peak > 0 else Decimal(1)
    value = f"{fallen * 100:.2f} %"
    return verdict.when(fallen < limit, value, f"net liquidation {worth:.2f} is {value} below its peak of {peak:.2f}")
