"""The outbox: alerts are stored with their cause and delivered later."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime, timedelta
from typing import cast

from sqlalchemy import Table, bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert

from htbot.domain.alerts import Alert
from htbot.persistence.records import StoredAlert
from htbot.persistence.repositories.base import Repository, on_day
from htbot.persistence.rows.alerts import AlertRow
from htbot.persistence.states import AlertState

FIRST_BACK_OFF_S = 30
LONGEST_BACK_OFF_S = 300
MOST_ATTEMPTS = 200
MOST_HELD = 5000


def back_off(attempts: int) -> timedelta:
    """Pause after the given number of failed attempts: 30 s, doubled each time, at most five minutes."""
    return timedelta(seconds=min(FIRST_BACK_OFF_S * 2 ** min(attempts - 1, 20), LONGEST_BACK_OFF_S))


class AlertRepository(Repository):
    """Messages to people. Delivery is IO, so `now` is wall time throughout; an alert's `as_of` is market time."""

    def add(self, alert: Alert) -> bool:
        """Store an alert, due at once; False when its cause was told before."""
        return self._add(alert, state=AlertState.PENDING, attempts=0)

    def add_sent(self, alert: Alert, now: datetime) -> bool:
        """Store an alert that has been delivered already."""
        return self._add(alert, state=AlertState.SENT, attempts=1, sent_at=now)

    def _add(self, alert: Alert, **delivery: object) -> bool:
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
            "last_error": "",
            **delivery,
        }
        return self._count(_ADD, values) == 1

    def told(self, dedup_keys: Collection[str]) -> set[str]:
        """Those of these causes that were told before."""
        return set(self._session.scalars(_TOLD, {"keys": list(dedup_keys)})) if dedup_keys else set()

    def any_due(self, now: datetime) -> bool:
        """Whether there is something to deliver; holds nothing. The first that waits speaks for those behind it."""
        first = self._session.scalars(_WAITING.order_by(AlertRow.id).limit(1)).first()
        return first is not None and _due(first, now)

    def waiting(self) -> int:
        """How many are neither sent nor given up."""
        return self._session.scalar(select(func.count()).where(AlertRow.state == AlertState.PENDING)) or 0

    def take(self, now: datetime, after: int = 0, fewer_attempts: int | None = None) -> StoredAlert | None:
        """The first alert that waits behind another, held until the transaction ends.

        The very first (`after` 0) has to be due; the others go with it. With `fewer_attempts` those that were tried as
        often are passed over. None also when another deliverer holds it: it goes on from there.
        """
        query = _WAITING.where(AlertRow.id > after).order_by(AlertRow.id).limit(1)
        if fewer_attempts is not None:
            query = query.where(AlertRow.attempts < fewer_attempts)
        first = self._session.scalars(query).first()
        if first is None or (after == 0 and not _due(first, now)):
            return None
        held = self._all(_WAITING.where(AlertRow.id == first.id).with_for_update(skip_locked=True), _to_alert)
        return held[0] if held else None

    def take_all(self, now: datetime) -> list[StoredAlert]:
        """All that wait, in order, held; none when the first is not due or another deliverer holds it."""
        first = self._session.scalars(_WAITING.order_by(AlertRow.id).limit(1)).first()
        if first is None or not _due(first, now):
            return []
        query = _WAITING.order_by(AlertRow.id).limit(MOST_HELD).with_for_update(skip_locked=True)
        held = self._all(query, _to_alert)
        return held if held and held[0].id == first.id else []

    def first_waiting(self) -> StoredAlert | None:
        """The oldest alert that is neither sent nor given up; holds nothing."""
        query = select(AlertRow).where(AlertRow.state == AlertState.PENDING).order_by(AlertRow.id).limit(1)
        return self._first(query, _to_alert)

    def mark_sent(self, alert_ids: Collection[int], now: datetime) -> None:
        """The alerts have been delivered."""
        told = {"state": AlertState.SENT, "sent_at": now, "attempts": AlertRow.attempts + 1, "next_attempt_at": None}
        self._count(update(AlertRow).where(AlertRow.id.in_(alert_ids)).values(**told))

    def give_up(self, alert_id: int, error: str) -> None:
        """No channel will ever take the alert."""
        told = {"state": AlertState.DEAD, "attempts": AlertRow.attempts + 1, "last_error": error}
        self._count(update(AlertRow).where(AlertRow.id == alert_id).values(**told, next_attempt_at=None))

    def is_sent(self, dedup_key: str) -> bool:
        """Whether the alert of a cause has been delivered."""
        query = select(AlertRow.state).where(AlertRow.dedup_key == dedup_key)
        return self._session.scalar(query) is AlertState.SENT

    def mark_failed(self, alert_id: int, error: str, now: datetime) -> None:
        """Delivery failed: try again after a back-off, give up after 200 attempts (about 16 hours)."""
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

    def latest_like(self, alert: Alert) -> StoredAlert | None:
        """The last one before an alert of its kind and account, and of its trade if it has one: for the throttle."""
        query = select(AlertRow).where(
            AlertRow.kind == alert.kind, AlertRow.account == alert.account, AlertRow.as_of <= alert.as_of
        )
        if "trade_id" in alert.params:
            query = query.where(AlertRow.params["trade_id"].astext == alert.params["trade_id"])
        return self._first(query.order_by(AlertRow.as_of.desc(), AlertRow.id.desc()), _to_alert)


_ALERTS = cast(Table, AlertRow.__table__)
# Asked and written with each close, so they are built once.
_ADD = insert(_ALERTS).on_conflict_do_nothing()
_TOLD = select(_ALERTS.c.dedup_key).where(_ALERTS.c.dedup_key.in_(bindparam("keys", expanding=True)))
_WAITING = select(AlertRow).where(AlertRow.state == AlertState.PENDING)


def _due(row: AlertRow, now: datetime) -> bool:
    return row.next_attempt_at is None or row.next_attempt_at <= now


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
