"""A level triggers one entry (RULINGS 2)."""

from __future__ import annotations

from htbot.domain.decisions import RuleOutcome
from htbot.risk.case import Case, Verdict


def check(case: Case) -> RuleOutcome:
    """A level is spent by the entry it triggered, filled or not."""
    signal = case.proposal.signal
    fresh = (int(signal.direction), signal.level) not in case.book.spent_levels
    return Verdict("spent_level", "unspent").when(
        fresh, f"{signal.level:g}", f"the level {signal.level:g} has triggered an entry already"
    )
