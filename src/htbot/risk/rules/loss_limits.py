"""Strategy limit <= account limit <= a share of net liquidation (RULINGS 7)."""

from __future__ import annotations

from htbot.domain.decisions import RuleOutcome
from htbot.risk.case import UNKNOWN, Case, Verdict


def check(case: Case) -> RuleOutcome:
    """The chain of daily loss limits is not inverted for this account as it stands now."""
    limits, worth = case.limits, case.proposal.snapshot.net_liquidation
    strategy, account = limits.strategy_daily_loss_limit_usd, limits.account_daily_loss_limit_usd
    value = f"{strategy:.2f} <= {account:.2f}"
    if worth is None:
        return Verdict("loss_limits", UNKNOWN).refused(value, "net liquidation is unknown")
    bound = limits.max_net_liquidation_fraction * worth
    verdict = Verdict("loss_limits", f"{bound:.2f}")
    if strategy > account:
        return verdict.refused(value, f"the strategy's daily loss limit {strategy:.2f} is above the account's")
    share = limits.max_net_liquidation_fraction * 100
    return verdict.when(
        account <= bound,
        value,
        f"the account's daily loss limit {account:.2f} is above {share:g} % of net liquidation ({bound:.2f})",
    )
