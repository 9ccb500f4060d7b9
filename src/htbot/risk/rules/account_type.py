"""Spreads of options that deliver shares, and short sales, need a margin account (spec 03 section 7b)."""

from __future__ import annotations

from htbot.domain.accounts import AccountKind
from htbot.domain.decisions import RuleOutcome
from htbot.risk.case import UNKNOWN, Case, Verdict


def check(case: Case) -> RuleOutcome:
    """In a cash account either leg may be exercised alone; index options settle in cash and may be spread there.

    Nothing can be sold short in one, and what is bought needs no margin.
    """
    kind = case.account_kind
    value = UNKNOWN if kind is None else kind.value
    needs = "spreads of options that deliver shares need a margin account"
    if case.plain is not None:
        needs = "a short sale needs a margin account"
    bought = case.single is not None or (case.plain is not None and case.plain.leg.ratio > 0)
    if bought or (case.plain is None and case.underlying is not None and case.underlying.cash_settled):
        return Verdict("account_type", "any").passed(value)
    verdict = Verdict("account_type", AccountKind.MARGIN.value)
    if kind is None:
        return verdict.refused(value, "the broker's figures do not tell the account's type: set RISK_ACCOUNT_TYPE")
    return verdict.when(kind is AccountKind.MARGIN, value, needs)
