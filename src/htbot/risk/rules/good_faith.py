"""After so many good-faith violations a cash account pays with settled cash only (spec 03 section 7d)."""

from __future__ import annotations

from htbot.domain.accounts import AccountKind
from htbot.domain.decisions import RuleOutcome
from htbot.risk.case import UNKNOWN, Case, Verdict
from htbot.risk.settled import counted, settled_cash


def check(case: Case) -> RuleOutcome:
    """Violations of twelve months are below the limit, or 90 days have passed, or settled cash covers this trade.

    They are counted from the record: entries that were let through beyond settled cash, and when they were sold.
    """
    kind, limits = case.account_kind, case.limits
    if kind is AccountKind.MARGIN:
        return Verdict("good_faith", "none").passed("margin account")
    verdict = Verdict("good_faith", f"below {limits.gfv_limit} within 12 months")
    if kind is None:
        return verdict.refused(UNKNOWN, "the broker's figures do not tell the account's type: set RISK_ACCOUNT_TYPE")
    count, until = counted(case)
    own, settled = case.claim_usd, settled_cash(case)
    covered = own is not None and settled is not None and own <= settled
    reason = f"{count} good-faith violations within 12 months: settled cash only until {until}"
    return verdict.when(covered or until is None, count, reason)
