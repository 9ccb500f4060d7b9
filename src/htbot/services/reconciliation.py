"""What follows from a look at both books, in one transaction: the run, the act, the mails, the halt.

It never trades and never adopts. A halt is a trip of the breaker that a person clears (RULINGS 13): healing tells, and
does not lift it.
"""

from __future__ import annotations

from sqlalchemy.orm import Session

from htbot.alerts.reconciliation import finding_alert, verdict_alert
from htbot.execution.disagreement import Judgement, Verdict
from htbot.persistence.records import AuditEntry
from htbot.persistence.repositories import (
    AlertRepository,
    AuditRepository,
    HaltRepository,
    HaltRequest,
    ReconciliationRepository,
)
from htbot.persistence.states import HaltKind
from htbot.services.trail import RECONCILED

HALT_SOURCE = "reconciliation"


def record_look(session: Session, account: str, judgement: Judgement, cause: str) -> None:
    """Store a judgement and do what it asks for; doing it twice tells and halts once.

    Args:
        session: the caller's transaction.
        account: whose books were compared.
        judgement: from `execution.disagreement.judge`.
        cause: why this look was taken: `start`, `reconnect`, `interval`, `order` or `asked`.
    """
    if judgement.store:
        ReconciliationRepository(session).add(account, judgement, cause)
    alerts = AlertRepository(session)
    for finding in judgement.tell:
        alerts.add(finding_alert(account, finding, judgement.text_of([finding]), judgement.as_of))
    if not judgement.turned:
        return
    text = judgement.text_of(judgement.doubts)
    facts = {"verdict": judgement.verdict, "since": judgement.since, "findings": text, "cause": cause}
    AuditRepository(session).add(AuditEntry(judgement.as_of, HALT_SOURCE, RECONCILED, account, facts))
    alert = verdict_alert(account, judgement)
    if alert is not None:
        alerts.add(alert)
    if judgement.verdict is Verdict.HALT_ENTRIES:
        at, reason = judgement.as_of, f"{account}: {text}"
        halt = HaltRequest(HALT_SOURCE, reason, HALT_SOURCE, at, HaltKind.BREAKER, account=account)
        HaltRepository(session).set(halt)
