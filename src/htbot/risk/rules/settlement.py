"""Cash accounts pay with settled money (spec 03 section 7d)."""

from __future__ import annotations

from decimal import Decimal

from htbot.domain.accounts import AccountKind
from htbot.domain.decisions import RuleOutcome
from htbot.domain.sessions import NEW_YORK
from htbot.domain.settlement import settles_on
from htbot.risk.case import UNKNOWN, Case, Verdict, usd


def check(case: Case) -> RuleOutcome:
    """What this trade and entries under way tie up is covered by settled cash.

    Covered by unsettled cash only, closing it before settlement would be a good-faith violation: refused or warned, as
    set. Not covered by cash at all is freeriding: always refused.
    """
    kind, own, figures = case.account_kind, case.claim_usd, case.proposal.snapshot.figures
    if kind is AccountKind.MARGIN:
        return Verdict("settlement", "none").passed("margin account")
    settled, cash = _settled(case), figures.total_cash
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


def _settled(case: Case) -> Decimal | None:
    """The broker's word; without it, cash less what has been sold and has not settled by today."""
    figures, today = case.proposal.snapshot.figures, case.as_of.astimezone(NEW_YORK).date()
    if figures.settled_cash is not None or figures.total_cash is None:
        return figures.settled_cash
    days = case.limits.settlement_days
    sold = [proceeds for day, proceeds in case.book.sale_proceeds_usd.items() if settles_on(day, days) > today]
    return figures.total_cash - sum(sold, Decimal(0))
