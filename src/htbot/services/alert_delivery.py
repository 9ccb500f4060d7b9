"""Delivers what is in the outbox: never inside the transaction of a trade, never raising into one."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy.orm import Session

from htbot.domain.alerts import Alert
from htbot.domain.errors import HtbotError, Retryable
from htbot.persistence.engine import Database
from htbot.persistence.records import StoredAlert
from htbot.persistence.repositories import AlertRepository

_log = logging.getLogger(__name__)


class Channel(Protocol):
    """A way to a person."""

    @property
    def name(self) -> str:
        """Short name for logs; no secrets."""
        ...

    def deliver(self, alert: Alert) -> None:
        """Hand over one alert.

        Raises:
            Retryable: it may work later.
            Refused: it will never work for this alert.
        """
        ...


@dataclass(frozen=True, slots=True)
class DeliveryParts:
    """What delivery works with. `host_now` is wall time: back-off waits for IO."""

    database: Database
    channels: Sequence[Channel]
    host_now: Callable[[], datetime]


def anything_due(session: Session, parts: DeliveryParts) -> bool:
    """A look at the outbox in the caller's transaction, so that an empty one costs nothing more."""
    return AlertRepository(session).any_due(parts.host_now())


def deliver_due(parts: DeliveryParts, limit: int = 20) -> int:
    """Send what is due, oldest first, and return how many were sent.

    An alert is sent once one channel took it: the others' failures are logged, and nobody is told twice because one of
    several ways was blocked. When none took it, it is tried again after a back-off. Each alert is a transaction of its
    own, so that a slow mail server holds one row and never a batch.

    The run ends with the first alert that none took for the time being: the way is blocked, and the next run begins
    with the alert after it.

    Raises:
        Retryable: PostgreSQL does not answer.
    """
    sent = 0
    for _ in range(limit):
        with parts.database.transaction() as session:
            outbox = AlertRepository(session)
            due = outbox.due(parts.host_now(), limit=1)
            if not due:
                break
            outcome = _deliver(parts.channels, due[0])
            if outcome.taken:
                outbox.mark_sent(due[0].id, parts.host_now())
                sent += 1
                continue
            outbox.mark_failed(due[0].id, "; ".join(outcome.failures) or "no channel is configured", parts.host_now())
        if outcome.blocked:
            break
    return sent


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What became of one alert: whether a channel took it, and whether trying on is of use now."""

    taken: bool
    blocked: bool
    failures: tuple[str, ...]


def _deliver(channels: Sequence[Channel], stored: StoredAlert) -> _Outcome:
    failures: list[str] = []
    blocked = False
    for channel in channels:
        try:
            channel.deliver(stored.alert)
        except HtbotError as error:
            blocked = blocked or isinstance(error, Retryable)
            failures.append(f"{channel.name}: {error}")
            _log.warning("alert %s was not delivered by %s: %s", stored.id, channel.name, error)
        except Exception as error:  # noqa: BLE001 - alert dispatch is one of three places (ARCHITECTURE section 6)
            failures.append(f"{channel.name}: {type(error).__name__}")
            _log.error("alert %s broke channel %s", stored.id, channel.name, exc_info=error)
    return _Outcome(len(failures) < len(channels), blocked, tuple(failures))
