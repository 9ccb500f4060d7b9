"""Signal, snapshot and session speak of the same thing."""

from __future__ import annotations

from htbot.domain.decisions import RuleOutcome
from htbot.risk.case import Case, Verdict


def check(case: Case) -> RuleOutcome:
    """Same account, same symbol, same session, and for options an underlying that htbot knows."""
    signal, snapshot = case.proposal.signal, case.proposal.snapshot
    wanted = f"{signal.symbol} {signal.account} {signal.session}"
    got = f"{snapshot.symbol} {snapshot.account} {case.proposal.session.day}"
    verdict = Verdict("identity", wanted)
    if case.underlying is None and case.plain is None:
        return verdict.refused(got, f"{signal.symbol} is not an underlying that htbot trades")
    return verdict.when(
        wanted == got and case.proposal.plan.underlying == signal.symbol, got, "the quotes are not those of the signal"
    )
