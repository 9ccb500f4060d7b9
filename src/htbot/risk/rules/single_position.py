"""One trade's share of the account (spec 03 section 7g)."""

from __future__ import annotations

from htbot.domain.decisions import RuleOutcome
from htbot.risk.case import UNKNOWN, Case, Verdict, usd


def check(case: Case) -> RuleOutcome:
    """Maximum loss of this trade <= a share of net liquidation."""
    worth, own, share = case.proposal.snapshot.net_liquidation, case.maximum_loss_usd, case.limits
    if worth is None or own is None:
        return Verdict("single_position", UNKNOWN).refused(usd(own), "net liquidation or the maximum loss is unknown")
    limit = share.max_single_position_fraction * worth
    percent = f"{share.max_single_position_fraction * 100:f} % of net liquidation"
    return Verdict("single_position", f"{limit:.2f}").when(
        own <= limit, f"{own:.2f}", f"a maximum loss of {own:.2f} USD is above {percent} ({limit:.2f})"
    )
