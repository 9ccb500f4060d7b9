"""Cash accounts pay with settled money (spec 03 section 7d)."""

from __future__ import annotations

from htbot.domain.accounts import AccountKind
from htbot.domain.decisions import RuleOutcome
from htbot.risk.case import UNKNOWN, Case, Verdict, usd
from htbot.risk.settled import settled_cash


def check(case: Case) -> RuleOutcome:
    """What this trade and entries under way tie up is covered by settled cash.

    Covered by unsettled cash only, closing it before settlement would be a good-faith violation: refused or warned, as
    set. Not covered by cash at all is freeriding: always refused.
    """
    kind, own, figures = case.account_kind, case.claim_usd, case.proposal.snapshot.figures
    if kind is AccountKind.MARGIN:
        return Verdict("settlement", "none").passed("margin account")
    settled, cash = settled_cash(case), figures.total_cash
    verdict = Verdict("settlement", usd(settled))
    if kind is None:
        return verdict.refused(UNKNOWN, "the broker's figures do not tell the account's type: set RISK_ACCOUNT_TYPE")
    if own is None or settled is None or cash is None:
        return verdict.refused(usd(own), "settled cash, cash or what the trade ties up is unknown")
    if own > cash:
        return verdict.refused(usd(own), f"{own:.2f} USD are not covered by cash of {cash:.2f}: freeriding")
    reason = f"{own:.2f} USD are above settled cash of {settled:.2f}: closed today, a good-faith violation"
    if own > settled and not case.limits.gfv_strict:
        return verdict.warned(usd(own), reason)
    return verdict.when(own <= settled, usd(own), reason)
