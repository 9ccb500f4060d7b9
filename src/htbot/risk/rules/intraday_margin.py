"""Margin through the day, which replaces pattern day trading (spec 03 section 7c). Asked with the broker's answer."""

from __future__ import annotations

from htbot.domain.accounts import AccountKind
from htbot.domain.decisions import RuleOutcome
from htbot.risk.case import UNKNOWN, Case, Verdict, usd
from htbot.risk.limits import DayTradeRegime
from htbot.risk.regime import regime_of


def check(case: Case) -> RuleOutcome:
    """Excess liquidity after the trade >= a share of net liquidation; below zero there is a deficit until it is cured.

    Without the broker's answer what it last told of the account is put less the trade's maximum loss. What entries
    under way tie up is taken off either: the broker was asked before it knew of them.
    """
    regime, worth = regime_of(case), case.proposal.snapshot.net_liquidation
    if regime is not DayTradeRegime.INTRADAY_MARGIN or case.account_kind is AccountKind.CASH:
        return Verdict("intraday_margin", "none").passed(regime.value)
    if worth is None:
        return Verdict("intraday_margin", UNKNOWN).refused(UNKNOWN, "net liquidation is unknown")
    limit = case.limits.intraday_margin_buffer_fraction * worth
    verdict = Verdict("intraday_margin", f"{limit:.2f}")
    excess = None if case.what_if is None else case.what_if.excess_after
    if excess is None:
        now, own = case.proposal.snapshot.figures.excess_liquidity, case.maximum_loss_usd
        if now is None or own is None:
            return verdict.refused(UNKNOWN, "excess liquidity after the trade is unknown")
        excess = now - own
    excess -= case.book.unseen_value_usd
    if excess < 0:
        return verdict.refused(usd(excess), f"INTRADAY_MARGIN_DEFICIT: excess liquidity would be {excess:.2f} USD")
    reason = f"excess liquidity would be {excess:.2f} USD, below the buffer of {limit:.2f}"
    if excess < limit and not case.limits.pdt_strict:
        return verdict.warned(usd(excess), reason)
    return verdict.when(excess >= limit, usd(excess), reason)
