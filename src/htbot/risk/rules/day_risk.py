"""A day's risk is bounded before it is taken (RULINGS 7)."""

from __future__ import annotations

from decimal import Decimal

from htbot.domain.decisions import RuleOutcome
from htbot.risk.case import UNKNOWN, Case, Verdict


def check(case: Case) -> RuleOutcome:
    """Realised loss today + what open trades can lose + what this one can lose stays within the day's risk.

    This trade counts at the worst credit that its order accepts, so a walking limit cannot pass the bound.
    """
    limit, book, own = case.limits.max_risk_per_day_usd, case.book, case.maximum_loss_usd
    verdict = Verdict("day_risk", f"{limit:.2f}")
    if own is None:
        return verdict.refused(UNKNOWN, "the maximum loss of this trade is unknown")
    lost = max(Decimal(0), -book.account_realized_today_usd)
    total = lost + book.open_maximum_loss_usd + own
    parts = f"{lost:.2f} lost + {book.open_maximum_loss_usd:.2f} open + {own:.2f} new"
    return verdict.when(total <= limit, f"{total:.2f}", f"{parts} = {total:.2f} USD is above the day's {limit:.2f}")
