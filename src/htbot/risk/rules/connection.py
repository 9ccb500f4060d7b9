"""The broker is connected."""

from __future__ import annotations

from htbot.domain.decisions import RuleOutcome
from htbot.risk.case import Case, Verdict


def check(case: Case) -> RuleOutcome:
    """An entry that could not be managed afterwards is not opened."""
    connected = case.proposal.snapshot.connected
    return Verdict("connection", "connected").when(
        connected, "connected" if connected else "disconnected", "the desk has no connection to the broker"
    )
