"""What the gate's rules have said last."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from htbot.domain.decisions import RuleOutcome
from htbot.persistence.codecs import outcomes_from_json
from htbot.persistence.rows.signals import RiskDecisionRow, SignalRow

_DECISIONS = 200


def last_outcomes(session: Session) -> dict[str, tuple[RuleOutcome, datetime]]:
    """By rule, its outcome in the last decision that reached it, among the newest 200, with the market time."""
    query = (
        select(RiskDecisionRow.outcomes, RiskDecisionRow.as_of)
        .join(SignalRow, SignalRow.id == RiskDecisionRow.signal_id)
        .order_by(SignalRow.id.desc())
        .limit(_DECISIONS)
    )
    found: dict[str, tuple[RuleOutcome, datetime]] = {}
    for outcomes, as_of in session.execute(query):
        for outcome in outcomes_from_json(outcomes):
            found.setdefault(outcome.rule, (outcome, as_of))
    return found
