"""The eve of an ex-dividend date: calls in the money are exercised early (RULINGS 12)."""

from __future__ import annotations

from datetime import date, timedelta

from htbot.domain.decisions import RuleOutcome
from htbot.domain.instruments import Right
from htbot.risk.case import UNKNOWN, Case, Verdict

_SATURDAY = 5


def check(case: Case) -> RuleOutcome:
    """American options: no call is sold on the last two weekdays before the ex-date, of which one may be a holiday.

    Without dates nobody knows, and the outcome says so: positions are flat by 15:30 of the day anyway.
    """
    plan, limits = case.spread, case.limits
    verdict = Verdict("ex_dividend", "no eve of an ex-date")
    if plan is None:
        return verdict.passed("no option is sold")
    if (case.underlying is not None and case.underlying.cash_settled) or plan.short_leg.right is not Right.CALL:
        return verdict.passed("no call that delivers shares is sold")
    if limits.ex_dividends is None:
        return verdict.passed(f"{UNKNOWN}: RISK_DIVIDENDS_FILE is not set")
    day, dates = case.proposal.session.day, limits.ex_dividends.get(case.proposal.signal.symbol)
    if dates is None:
        return verdict.passed(f"{UNKNOWN}: RISK_DIVIDENDS_FILE has no {case.proposal.signal.symbol}")
    near = next((ex_date for ex_date in dates if _is_eve(day, ex_date)), None)
    return verdict.when(
        near is None, near or "none near", f"{near} is an ex-date: short calls may be exercised tonight"
    )


def _is_eve(day: date, ex_date: date) -> bool:
    """Before the ex-date with at most one weekday between, which may be a holiday."""
    between = [day + timedelta(days=number) for number in range(1, (ex_date - day).days)]
    return day < ex_date and sum(one.weekday() < _SATURDAY for one in between) <= 1
