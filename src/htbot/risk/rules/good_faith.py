"""After so many good-faith violations a cash account pays with settled cash only (spec 03 section 7d)."""

from __future__ import annotations

from htbot.domain.accounts import AccountKind
from htbot.domain.decisions import RuleOutcome
from htbot.domain.sessions import NEW_YORK
from htbot.risk.case import UNKNOWN, Case, Verdict
from htbot.risk.settled import COUNTED, restricted_until, settled_cash, violations


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
    today = case.as_of.astimezone(NEW_YORK).date()
    days = violations(case.book.unsettled_trades, limits.settlement_days, today)
    count, until = sum(today - day < COUNTED for day in days), restricted_until(days, limits.gfv_limit)
    own, settled = case.claim_usd, settled_cash(case)
    covered = own is not None and settled is not None and own <= settled
    free = until is None or today >= until
    reason = f"{count} good-faith violations within 12 months: settled cash only until {until}"
    return verdict.when(covered or free, count, reason)
