"""One underlying's share of the account (spec 03 section 7g)."""

from __future__ import annotations

from htbot.domain.decisions import RuleOutcome
from htbot.risk.case import UNKNOWN, Case, Verdict, usd


def check(case: Case) -> RuleOutcome:
    """What open trades on the underlying tie up + what this one does <= a share of net liquidation.

    Verticals count by their maximum loss, shares by their price.
    """
    worth, own, share = case.proposal.snapshot.net_liquidation, case.value_usd, case.limits
    if worth is None or own is None:
        return Verdict("symbol_exposure", UNKNOWN).refused(
            usd(own), "net liquidation or what the trade ties up is unknown"
        )
    limit, total = share.max_symbol_exposure_fraction * worth, case.symbol_value_usd + own
    percent = f"{share.max_symbol_exposure_fraction * 100:f} % of net liquidation"
    symbol = case.proposal.signal.symbol
    return Verdict("symbol_exposure", f"{limit:.2f}").when(
        total <= limit, f"{total:.2f}", f"{total:.2f} USD in {symbol} are above {percent} ({limit:.2f})"
    )
