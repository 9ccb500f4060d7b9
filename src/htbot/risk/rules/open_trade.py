"""One open trade per strategy and account; of bought options one for each direction."""

from __future__ import annotations

from htbot.domain.decisions import RuleOutcome
from htbot.risk.case import Case, Verdict


def check(case: Case) -> RuleOutcome:
    """Opening, open and closing trades all count."""
    count, direction = case.book.open_trades, int(case.proposal.signal.direction)
    if case.single is not None:
        reason = "the strategy has a trade on this side that is not closed"
        free = direction not in case.book.open_directions
        return Verdict("open_trade", "0 on this side").when(free, int(not free), reason)
    return Verdict("open_trade", "0").when(count == 0, count, "the strategy has a trade that is not closed")
