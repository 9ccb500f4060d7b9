"""One underlying's share of the account (spec 03 section 7g)."""

from __future__ import annotations

from htbot.domain.decisions import RuleOutcome
from htbot.risk.case import UNKNOWN, Case, Verdict, usd


def check(case: Case) -> RuleOutcome:
    """What open trades on the underlying can lose + what this one can lose <= a share of net liquidation."""
    worth, own, share = case.proposal.snapshot.net_liquidation, case.maximum_loss_usd, case.limits
    if worth is None or own is None:
        return Verdict("symbol_exposure", UNKNOWN).refused(usd(own), "net liquidation or the maximum loss is unknown")
    limit, total = share.max_symbol_exposure_fraction * worth, case.symbol_loss_usd + own
    percent = f"{share.max_symbol_exposure_fraction * 100:f} % of net liquidation"
    symbol = case.proposal.signal.symbol
    return Verdict("symbol_exposure", f"{limit:.2f}").when(
        total <= limit, f"{total:.2f}", f"{total:.2f} USD at risk in {symbol} is above {percent} ({limit:.2f})"
    )
