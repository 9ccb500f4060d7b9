"""The PIN of a person who may reset the breaker: compared as a hash, counted in the audit log (RULINGS 14).

Wrong tries are counted where every process sees them, so that REST, the command line and a restart share one brake.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from htbot.alerts.message import Fact, Message, compose
from htbot.domain.alerts import Severity
from htbot.domain.errors import CallerMistake
from htbot.persistence.engine import Database
from htbot.persistence.records import AuditEntry
from htbot.persistence.repositories import AlertRepository, AuditRepository

MOST_WRONG_TRIES, WINDOW_S = 5, 60
WRONG, RIGHT = "pin.wrong", "pin.right"
_LOCK = "htbot:pin"


class PinRefused(CallerMistake):
    """No PIN, a wrong one, or none that could be right (403)."""


class PinLocked(CallerMistake):
    """Too many wrong ones within a minute (429)."""


def pin_digest(pin: str) -> str:
    """Hex SHA-256 of a PIN: what is compared, so that its length and letters take no part in the time it takes."""
    return hashlib.sha256(pin.encode()).hexdigest()


def require_pin(database: Database, expected: str | None, given: str | None, actor: str, at: datetime) -> None:
    """Let the right PIN through; every try is a row of the audit log.

    Args:
        database: where tries are counted; they are committed whatever becomes of the caller.
        expected: digest of `HTBOT_PIN`, None when it is unset.
        given: what the caller typed.
        actor: who, as the audit log names him.
        at: market time of the try.

    Raises:
        PinRefused: it is not the right one, or there is none.
        PinLocked: five wrong ones within a minute, by whomever.
    """
    if expected is None:
        raise PinRefused("HTBOT_PIN is unset: set it in .env, restart, and try again")
    if not given:
        raise PinRefused("resetting the breaker needs the PIN of HTBOT_PIN")
    with database.transaction() as session:
        right = _try(session, hmac.compare_digest(expected, pin_digest(given)), actor, at)
    if not right:
        raise PinRefused("this is not the PIN of HTBOT_PIN")


def _try(session: Session, right: bool, actor: str, at: datetime) -> bool:
    session.execute(select(func.pg_advisory_xact_lock(func.hashtext(_LOCK))))
    audit = AuditRepository(session)
    wrong = audit.count_recent(WRONG, WINDOW_S)
    if wrong >= MOST_WRONG_TRIES:
        raise PinLocked(f"{wrong} wrong PINs within a minute: wait {WINDOW_S} s")
    audit.add(AuditEntry(at, actor, RIGHT if right else WRONG, "resume", {}))
    if not right and wrong + 1 == MOST_WRONG_TRIES:
        _tell(session, actor, at)
    return right


def _tell(session: Session, actor: str, at: datetime) -> None:
    message = Message(
        kind="wrong_pins",
        severity=Severity.WARNING,
        title="Wrong PINs",
        summary="Five wrong PINs within a minute: resetting the breaker is locked for a minute.",
        as_of=at,
        dedup_key=f"wrong_pins:{at:%Y%m%d%H%M}",
        facts=(Fact("Who", actor),),
    )
    AlertRepository(session).add(compose(message))
