"""Size of one position, this order included (spec 05 section 4)."""

from __future__ import annotations

from htbot.domain.decisions import RuleOutcome
from htbot.risk.case import UNKNOWN, Case, Verdict
from htbot.risk.exposure import stake_of


def check(case: Case) -> RuleOutcome:
    """What is held, works and is ordered on this underlying is within the limit.

    Spreads count by their maximum loss, shares by their price.
    """
    limit, stake = case.limits.max_position_size_usd, stake_of(case)
    verdict = Verdict("position_size", f"{limit:.2f}")
    if stake is None:
        return verdict.refused(UNKNOWN, "what this trade ties up is unknown")
    value = stake.value_usd
    symbol = case.proposal.signal.symbol
    return verdict.when(
        stake.within(limit), f"{value:.2f}", f"a position of {value:.2f} USD in {symbol} is above {limit:.2f}"
    )
