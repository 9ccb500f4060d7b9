"""What the gate's rules have said: each the last time, and what came of the looks at price and margin."""

from __future__ import annotations

import re
from collections import Counter
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from htbot.domain.decisions import RuleOutcome
from htbot.persistence.codecs import outcomes_from_json
from htbot.persistence.rows.signals import RiskDecisionRow, SignalRow

_DECISIONS = 200
_WHY_NO_MARGIN = re.compile(r"NO_MARGIN\(reason=(\w+)\)")


def last_outcomes(session: Session, account: str | None = None) -> dict[str, tuple[RuleOutcome, datetime]]:
    """By rule, its outcome in the last decision that reached it, among the newest 200, with the market time.

    Of an account, by default of any.
    """
    query = (
        select(RiskDecisionRow.outcomes, RiskDecisionRow.as_of)
        .join(SignalRow, SignalRow.id == RiskDecisionRow.signal_id)
        .order_by(SignalRow.id.desc())
        .limit(_DECISIONS)
    )
    if account is not None:
        query = query.where(SignalRow.account == account)
    found: dict[str, tuple[RuleOutcome, datetime]] = {}
    for outcomes, as_of in session.execute(query):
        for outcome in outcomes_from_json(outcomes):
            found.setdefault(outcome.rule, (outcome, as_of))
    return found


def margin_checks(session: Session) -> dict[str, int]:
    """What the broker's margin has come to: `passed`, `insufficient`, `rejected`, `unknown`.

    It is looked at last, so that whatever was approved has passed it.
    """
    approved = select(func.count()).where(RiskDecisionRow.approved)
    found = Counter({"passed": session.scalar(approved) or 0})
    reason = RiskDecisionRow.outcomes[-1]["reason"].astext
    for told in session.scalars(select(reason).where(RiskDecisionRow.refused_by == "what_if")):
        known = _WHY_NO_MARGIN.match(told or "")
        found[known[1] if known else "unknown"] += 1
    return dict(found)
