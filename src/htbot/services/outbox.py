"""The outbox with its throttle: the same trouble is told once each 15 minutes, of each account and trade.

Spec 01 section 9.
"""

from __future__ import annotations

from sqlalchemy.orm import Session

from htbot.alerts.throttle import may_tell
from htbot.domain.alerts import Alert
from htbot.persistence.repositories import AlertRepository


def tell_seldom(session: Session, alert: Alert) -> bool:
    """Store an alert unless one of its kind, account and trade was told a short while ago; True when it was stored."""
    alerts = AlertRepository(session)
    last = alerts.latest_like(alert)
    if not may_tell(alert.kind, alert.as_of, None if last is None else last.alert.as_of):
        return False
    return alerts.add(alert)
