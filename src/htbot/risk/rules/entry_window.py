"""Entries happen inside the entry window of their session (RULINGS 19)."""

from __future__ import annotations

from htbot.domain.decisions import RuleOutcome
from htbot.domain.sessions import NEW_YORK
from htbot.marketdata.sessions import trading_window
from htbot.risk.case import Case, Verdict


def check(case: Case) -> RuleOutcome:
    """Signal and decision both fall into the window, and the signal is not from the future."""
    window = trading_window(case.proposal.session, case.limits.hours)
    start, end = (instant.astimezone(NEW_YORK).strftime("%H:%M") for instant in (window.entry_from, window.entry_until))
    signalled = case.proposal.signal.as_of
    value = case.as_of.astimezone(NEW_YORK).strftime("%Y-%m-%d %H:%M:%S")
    verdict = Verdict("entry_window", f"{case.proposal.session.day} {start} to {end}")
    if signalled > case.as_of:
        return verdict.refused(value, "the signal is newer than the decision's time")
    inside = window.admits_entry(signalled) and window.admits_entry(case.as_of)
    return verdict.when(inside, value, f"no entries outside {start} to {end} New York")
