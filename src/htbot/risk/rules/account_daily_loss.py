"""The account's loss of today."""

from __future__ import annotations

from htbot.domain.decisions import RuleOutcome
from htbot.risk.case import Case, Verdict


def check(case: Case) -> RuleOutcome:
    """Realised today, over all strategies, is above minus the account's limit."""
    limit, realized = case.limits.account_daily_loss_limit_usd, case.book.account_realized_today_usd
    return Verdict("account_daily_loss", f"{-limit:.2f}").when(
        realized > -limit, f"{realized:.2f}", f"the account has lost {-realized:.2f} USD today, limit {limit:.2f}"
    )
