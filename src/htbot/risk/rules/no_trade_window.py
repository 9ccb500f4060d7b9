"""Clock times at which nothing is entered, whatever the session says: IB's nightly reset."""

from __future__ import annotations

from datetime import time

from htbot.domain.decisions import RuleOutcome
from htbot.domain.sessions import NEW_YORK
from htbot.risk.case import Case, Verdict


def check(case: Case) -> RuleOutcome:
    """The decision falls into none of the windows, New York; one that ends before it begins goes over midnight."""
    now = case.as_of.astimezone(NEW_YORK).time()
    windows = case.limits.no_trade_windows
    verdict = Verdict("no_trade_window", ", ".join(_words(window) for window in windows) or "none")
    met = next((window for window in windows if _within(now, *window)), None)
    reason = "" if met is None else f"nothing is entered from {_words(met)} New York"
    return verdict.when(met is None, f"{now:%H:%M:%S}", reason)


def _within(now: time, start: time, end: time) -> bool:
    return start <= now < end if start <= end else now >= start or now < end


def _words(window: tuple[time, time]) -> str:
    return f"{window[0]:%H:%M} to {window[1]:%H:%M}"
