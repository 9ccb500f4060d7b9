"""Pattern day trading: the broker's own count (spec 03 section 7c)."""

from __future__ import annotations

from decimal import Decimal

from htbot.domain.accounts import AccountKind
from htbot.domain.decisions import RuleOutcome
from htbot.risk.case import UNKNOWN, Case, Verdict
from htbot.risk.limits import DayTradeRegime
from htbot.risk.regime import regime_of

_NO_LIMIT = Decimal(-1)


def check(case: Case) -> RuleOutcome:
    """Under the old rule a day trade is left for this entry and for every open one of today: stops close within a day.

    The rule binds margin accounts below 25,000 USD; the broker counts, we do not.
    """
    regime = regime_of(case)
    if regime is not DayTradeRegime.LEGACY_PDT:
        return Verdict("day_trades", "none").passed(regime.value)
    if case.account_kind is AccountKind.CASH:
        return Verdict("day_trades", "none").passed("cash account")
    left, needed = case.proposal.snapshot.figures.day_trades_remaining, case.book.account_opened_today + 1
    verdict = Verdict("day_trades", f"{needed} left")
    if left is None:
        return verdict.refused(
            UNKNOWN, "the broker does not tell how many day trades are left: set RISK_DAYTRADE_REGIME"
        )
    if left == _NO_LIMIT:
        return verdict.passed("no limit")
    reason = f"{left} day trades are left and {needed} may be needed"
    if left < needed and not case.limits.pdt_strict:
        return verdict.warned(left, reason)
    return verdict.when(left >= needed, left, reason)
