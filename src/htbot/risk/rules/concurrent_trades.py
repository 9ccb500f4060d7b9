"""Open trades of the account."""

from __future__ import annotations

from htbot.domain.decisions import RuleOutcome
from htbot.risk.case import Case, Verdict


def check(case: Case) -> RuleOutcome:
    """Trades of all strategies that are not closed are below the limit."""
    limit, count = case.limits.max_concurrent_trades, case.book.account_open_trades
    return Verdict("concurrent_trades", str(limit)).when(
        count < limit, count, f"{count} trades of the account are not closed, limit {limit}"
    )
