"""One open trade per strategy and account."""

from __future__ import annotations

from htbot.domain.decisions import RuleOutcome
from htbot.risk.case import Case, Verdict


def check(case: Case) -> RuleOutcome:
    """Opening, open and closing trades all count."""
    count = case.book.open_trades
    return Verdict("open_trade", "0").when(count == 0, count, "the strategy has a trade that is not closed")
