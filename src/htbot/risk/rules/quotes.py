"""The legs' quotes are believable (RULINGS 6)."""

from __future__ import annotations

from htbot.domain.decisions import RuleOutcome
from htbot.risk.case import Case, Verdict


def check(case: Case) -> RuleOutcome:
    """Both legs fresh, two-sided, uncrossed, and their combined quote not too wide.

    What nobody bids for is not bought: it could not be sold again.
    """
    marks = case.marks
    allowed = case.limits.quotes
    limit = f"age {allowed.age_s:g} s, width max({allowed.width_usd}, {allowed.width_fraction * 100:f} % of mid)"
    width = "unknown" if marks.quote_width is None else f"width {marks.quote_width}"
    if case.single is not None and marks.believable and not marks.legs[0].bid:
        return Verdict("quotes", limit).refused(width, f"nobody bids for {case.single.leg.described}")
    return Verdict("quotes", limit).when(marks.believable, width, marks.doubt or "")
