"""One trade's share of the account (spec 03 section 7g)."""

from __future__ import annotations

from htbot.domain.decisions import RuleOutcome
from htbot.risk.case import UNKNOWN, Case, Verdict, usd


def check(case: Case) -> RuleOutcome:
    """Maximum loss of this vertical, or the price of these shares <= a share of net liquidation."""
    worth, own, share = case.proposal.snapshot.net_liquidation, case.value_usd, case.limits
    if worth is None or own is None:
        return Verdict("single_position", UNKNOWN).refused(
            usd(own), "net liquidation or what the trade ties up is unknown"
        )
    limit = share.max_single_position_fraction * worth
    percent = f"{share.max_single_position_fraction * 100:f} % of net liquidation"
    return Verdict("single_position", f"{limit:.2f}").when(
        own <= limit, f"{own:.2f}", f"{own:.2f} USD that the trade ties up are above {percent} ({limit:.2f})"
    )
