"""The strategy's loss of today."""

from __future__ import annotations

from htbot.domain.decisions import RuleOutcome
from htbot.risk.case import Case, Verdict


def check(case: Case) -> RuleOutcome:
    """Realised today is above minus the strategy's limit."""
    limit, realized = case.limits.strategy_daily_loss_limit_usd, case.book.strategy_realized_today_usd
    return Verdict("strategy_daily_loss", f"{-limit:.2f}").when(
        realized > -limit, f"{realized:.2f}", f"the strategy has lost {-realized:.2f} USD today, limit {limit:.2f}"
    )
