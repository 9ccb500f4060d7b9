"""Delivers what is in the outbox: in order, never inside the transaction of a trade, never raising into one."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy.orm import Session

from htbot.alerts.storm import STORM, storm_alert
from htbot.domain.alerts import Alert
from htbot.domain.errors import HtbotError, Refused, Retryable
from htbot.persistence.engine import Database
from htbot.persistence.records import StoredAlert
from htbot.persistence.repositories import AlertRepository

PATIENCE = 5
"""After so many failures of one alert the next is tried as a probe: is the way blocked, or is it this alert?"""
RUN_S = 25.0
"""Wall seconds after which a run begins no other alert: the next run comes in 30."""
MALFORMED = "mail_header"
"""The rule by which a mail channel refuses what would inject a header (FAULTS 55)."""
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


def nowhere(_alerts: Sequence[tuple[str, Alert]]) -> None:
    """Nobody follows along."""


@dataclass(frozen=True, slots=True)
class DeliveryParts:
    """What delivery works with. `host_now` is wall time: back-off waits for IO. `publish` hears what was delivered."""

    database: Database
    channels: Sequence[Channel]
    host_now: Callable[[], datetime]
    publish: Callable[[Sequence[tuple[str, Alert]]], None] = nowhere
    monotonic: Callable[[], float] = time.monotonic


def anything_due(session: Session, parts: DeliveryParts) -> bool:
    """A look at the outbox in the caller's transaction, so that an empty one costs nothing more."""
    return AlertRepository(session).any_due(parts.host_now())


def deliver_due(parts: DeliveryParts, limit: int = STORM) -> int:
    """Send what waits, in order, and return how many alerts were told.

    An alert is sent once one channel took it: the others' failures are logged, and nobody is told twice because one of
    several ways was blocked. Each is a transaction of its own, so that a slow mail server holds one row and never a
    batch. One that none takes is tried again after a back-off, and those behind it wait, so that they arrive in the
    order of their causes. A server that refuses just this one is no reason to wait: the run goes on with the next; so
    it does, as a probe, when the way has been blocked `PATIENCE` times. One that can be no mail at all is given up.

    When more than `STORM` wait, they are told together in one message.

    Raises:
        Retryable: PostgreSQL does not answer.
    """
    ends_at = parts.monotonic() + RUN_S
    sent = _told_together(parts)
    after, stuck = 0, False
    for _ in range(limit - min(sent, limit)):
        if parts.monotonic() >= ends_at:
            break
        step = _next(parts, after, PATIENCE if stuck else None)
        if step is None:
            break
        stored, outcome = step
        after = stored.id
        if outcome.blocked and (stuck or stored.attempts + 1 < PATIENCE):
            break
        stuck = outcome.blocked
        sent += outcome.taken
    return sent


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What became of one alert: a channel took it, or the way is blocked, or it is malformed for every channel.

    None of the three when it was refused or a channel broke: it is tried again, and does not stand for the others.
    """

    taken: bool
    blocked: bool
    malformed: bool
    failures: tuple[str, ...]

    @property
    def words(self) -> str:
        return "; ".join(self.failures) or "no channel is configured"


def _next(parts: DeliveryParts, after: int, fewer_attempts: int | None) -> tuple[StoredAlert, _Outcome] | None:
    """Try the first alert behind another; None when there is none, it is not due, or somebody else is at it."""
    with parts.database.transaction() as session:
        outbox = AlertRepository(session)
        stored = outbox.take(parts.host_now(), after, fewer_attempts)
        if stored is None:
            return None
        outcome = _deliver(parts.channels, str(stored.id), stored.alert)
        if outcome.taken:
            parts.publish([(str(stored.id), stored.alert)])
            outbox.mark_sent([stored.id], parts.host_now())
        elif outcome.malformed:
            outbox.give_up(stored.id, outcome.words)
        else:
            outbox.mark_failed(stored.id, outcome.words, parts.host_now())
    return stored, outcome


def _told_together(parts: DeliveryParts) -> int:
    """Tell a storm in one message; 0 when there is none, or it could not be told."""
    with parts.database.transaction() as session:
        outbox = AlertRepository(session)
        if outbox.waiting() <= STORM:
            return 0
        held = outbox.take_all(parts.host_now())
        if len(held) <= STORM:
            return 0
        told = storm_alert([stored.alert for stored in held])
        outcome = _deliver(parts.channels, told.dedup_key, told)
        if not outcome.taken:
            if outcome.blocked:  # else they are tried one by one
                outbox.mark_failed(held[0].id, outcome.words, parts.host_now())
            return 0
        parts.publish([(str(stored.id), stored.alert) for stored in held])
        outbox.mark_sent([stored.id for stored in held], parts.host_now())
        outbox.add_sent(told, parts.host_now())
    return len(held)


def _deliver(channels: Sequence[Channel], name: str, alert: Alert) -> _Outcome:
    failures: list[str] = []
    malformed = 0
    blocked = not channels
    for channel in channels:
        try:
            channel.deliver(alert)
        except HtbotError as error:
            blocked = blocked or isinstance(error, Retryable)
            malformed += isinstance(error, Refused) and error.rule == MALFORMED
            failures.append(f"{channel.name}: {error}")
            _log.warning("alert %s was not delivered by %s: %s", name, channel.name, error)
        except Exception as error:  # noqa: BLE001 - alert dispatch is one of three places (ARCHITECTURE section 6)
            failures.append(f"{channel.name}: {type(error).__name__}")
            _log.error("alert %s broke channel %s", name, channel.name, exc_info=error)
    taken = len(failures) < len(channels)
    return _Outcome(taken, blocked and not taken, bool(channels) and malformed == len(channels), tuple(failures))
