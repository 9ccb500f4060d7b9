"""Trades of the account per session (spec 03 section 7e)."""

from __future__ import annotations

from htbot.domain.accounts import AccountKind
from htbot.domain.decisions import RuleOutcome
from htbot.risk.case import Case, Verdict


def check(case: Case) -> RuleOutcome:
    """Trades entered today are below the limit, in the kinds of account that it is for."""
    limit, count = case.limits.daily_trade_limit, case.book.trades_today
    if case.limits.trade_limits_for_cash_only and case.account_kind is AccountKind.MARGIN:
        return Verdict("daily_trades", "cash accounts only").passed(count)
    return Verdict("daily_trades", str(limit)).when(count < limit, count, f"{count} trades today, limit {limit}")
