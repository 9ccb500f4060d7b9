"""The outbox: alerts are stored with their cause and delivered later."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from sqlalchemy import ColumnElement, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from htbot.domain.alerts import Alert
from htbot.persistence.records import StoredAlert
from htbot.persistence.repositories.base import Repository, on_day
from htbot.persistence.rows.alerts import AlertRow
from htbot.persistence.states import AlertState

FIRST_BACK_OFF_S = 30
LONGEST_BACK_OFF_S = 3600
MOST_ATTEMPTS = 20


def back_off(attempts: int) -> timedelta:
    """Pause after the given number of failed attempts: 30 s, doubled each time, at most an hour."""
    return timedelta(seconds=min(FIRST_BACK_OFF_S * 2 ** min(attempts - 1, 20), LONGEST_BACK_OFF_S))


class AlertRepository(Repository):
    """Messages to people. Delivery is IO, so `now` is wall time throughout; an alert's `as_of` is market time."""

    def add(self, alert: Alert) -> bool:
        """Store an alert, due at once; False when its cause was told before."""
        values = {
            "dedup_key": alert.dedup_key,
            "kind": alert.kind,
            "severity": alert.severity,
            "subject": alert.subject,
            "text": alert.text,
            "html": alert.html,
            "account": alert.account,
            "params": dict(alert.params),
            "as_of": alert.as_of,
            "state": AlertState.PENDING,
            "attempts": 0,
            "last_error": "",
        }
        return self._count(insert(AlertRow).values(values).on_conflict_do_nothing()) == 1

    def any_due(self, now: datetime) -> bool:
        """Whether there is something to deliver; holds nothing."""
        return bool(self._session.scalar(select(select(AlertRow.id).where(*_due(now)).exists())))

    def due(self, now: datetime, limit: int = 20) -> list[StoredAlert]:
        """Alerts to deliver now, oldest first, held until the transaction ends; other deliverers pass them over."""
        query = select(AlertRow).where(*_due(now)).order_by(AlertRow.id).limit(limit)
        return self._all(query.with_for_update(skip_locked=True), _to_alert)

    def mark_sent(self, alert_id: int, now: datetime) -> None:
        """The alert has been delivered."""
        told = {"state": AlertState.SENT, "sent_at": now, "attempts": AlertRow.attempts + 1, "next_attempt_at": None}
        self._count(update(AlertRow).where(AlertRow.id == alert_id).values(**told))

    def mark_failed(self, alert_id: int, error: str, now: datetime) -> None:
        """Delivery failed: try again after a back-off, give up after 20 attempts (about 16 hours)."""
        attempts = self._session.scalar(select(AlertRow.attempts).where(AlertRow.id == alert_id)) or 0
        failed = attempts + 1
        state = AlertState.DEAD if failed >= MOST_ATTEMPTS else AlertState.PENDING
        values = {"state": state, "attempts": failed, "last_error": error, "next_attempt_at": now + back_off(failed)}
        self._count(update(AlertRow).where(AlertRow.id == alert_id).values(**values))

    def acknowledge(self, alert_id: int, by: str, now: datetime) -> bool:
        """A person has seen it; False when somebody had before, or there is none: the first acknowledgement stands."""
        unseen = (AlertRow.id == alert_id, AlertRow.acknowledged_at.is_(None))
        return self._count(update(AlertRow).where(*unseen).values(acknowledged_at=now, acknowledged_by=by)) == 1

    def recent(self, limit: int = 100, state: AlertState | None = None) -> list[StoredAlert]:
        """The last alerts, newest first."""
        query = select(AlertRow).order_by(AlertRow.id.desc()).limit(limit)
        return self._all(query if state is None else query.where(AlertRow.state == state), _to_alert)

    def of_day(self, day: date, account: str | None = None) -> list[StoredAlert]:
        """Alerts whose market time falls on a New York day, in order of time."""
        query = select(AlertRow).where(on_day(AlertRow.as_of, day))
        if account is not None:
            query = query.where(AlertRow.account.in_((account, "")))
        return self._all(query.order_by(AlertRow.as_of, AlertRow.dedup_key), _to_alert)

    def latest(self, kind: str, as_of: datetime) -> StoredAlert | None:
        """The last alert of a kind up to `as_of`: what throttling looks at."""
        query = select(AlertRow).where(AlertRow.kind == kind, AlertRow.as_of <= as_of)
        return self._first(query.order_by(AlertRow.as_of.desc(), AlertRow.id.desc()), _to_alert)


def _due(now: datetime) -> tuple[ColumnElement[bool], ...]:
    ready = or_(AlertRow.next_attempt_at.is_(None), AlertRow.next_attempt_at <= now)
    return AlertRow.state == AlertState.PENDING, ready


def _to_alert(row: AlertRow) -> StoredAlert:
    alert = Alert(
        kind=row.kind,
        severity=row.severity,
        subject=row.subject,
        text=row.text,
        html=row.html,
        as_of=row.as_of,
        dedup_key=row.dedup_key,
        account=row.account,
        params=row.params,
    )
    return StoredAlert(row.id, alert, row.state, row.attempts, row.next_attempt_at, row.sent_at, row.last_error)
