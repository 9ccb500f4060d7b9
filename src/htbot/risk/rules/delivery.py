"""Physical delivery could be paid for: of what is sold, and of what is bought and exercised (RULINGS 12)."""

from __future__ import annotations

from decimal import Decimal

from htbot.domain.decisions import RuleOutcome
from htbot.risk.case import Case, Verdict, usd


def check(case: Case) -> RuleOutcome:
    """American, physically settled options: 100 x quantity shares at the strike stay within buying power.

    Of a vertical it is the short leg's strike. A bought option that ends in the money is exercised by the broker.
    """
    if case.underlying is not None and case.underlying.cash_settled:
        return Verdict("delivery", "cash settled").passed("none")
    value = _delivered_usd(case)
    if value is None:
        return Verdict("delivery", "options only").passed("none")
    power = case.proposal.snapshot.buying_power
    verdict = Verdict("delivery", usd(power))
    if power is None:
        return verdict.refused(usd(value), "buying power is unknown")
    return verdict.when(value <= power, usd(value), f"delivery of {value:.2f} USD is above buying power {power:.2f}")


def _delivered_usd(case: Case) -> Decimal | None:
    """None for what delivers nothing."""
    if case.spread is not None:
        leg, quantity = case.spread.short_leg, case.spread.quantity
    elif case.single is not None:
        leg, quantity = case.single.leg, case.single.quantity
    else:
        return None
    return leg.strike * leg.multiplier * quantity
