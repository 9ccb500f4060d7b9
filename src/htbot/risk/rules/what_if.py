"""The broker's own margin for this very order (spec 02 section 5). The last rule: it costs a round trip."""

from __future__ import annotations

from decimal import Decimal

from htbot.domain.decisions import RuleOutcome
from htbot.domain.margin import WhatIf
from htbot.risk.case import UNKNOWN, Case, Verdict, usd


def check(case: Case) -> RuleOutcome:
    """Equity with loan value after - initial margin after >= a share of net liquidation.

    What entries under way tie up is taken off: the broker was asked before it knew of them. What it leaves out is
    unknown and refuses, unless the formula may stand in: available funds less what the trade can lose. What the broker
    rejects is refused whatever the formula says.
    """
    worth, answer = case.proposal.snapshot.net_liquidation, case.what_if or WhatIf(unknown="the broker was not asked")
    if worth is None:
        return Verdict("what_if", UNKNOWN).refused(UNKNOWN, "NO_MARGIN(reason=unknown): net liquidation is unknown")
    limit = case.limits.margin_buffer_fraction * worth
    verdict = Verdict("what_if", f"{limit:.2f}")
    if answer.rejected:
        return verdict.refused("rejected", f"NO_MARGIN(reason=rejected): {answer.rejected}")
    free = answer.free_after
    if free is None and case.limits.margin_formula_when_unknown:
        free = _by_formula(case)
    if free is None:
        why = answer.unknown or "the broker left the margin out"
        return verdict.refused(UNKNOWN, f"NO_MARGIN(reason=unknown): {why}")
    free -= case.book.unseen_value_usd
    return verdict.when(
        free >= limit,
        usd(free),
        f"NO_MARGIN(reason=insufficient): {free:.2f} USD would be left, the buffer is {limit:.2f}",
    )


def _by_formula(case: Case) -> Decimal | None:
    funds, own = case.proposal.snapshot.figures.available_funds, case.maximum_loss_usd
    return None if funds is None or own is None else funds - own
