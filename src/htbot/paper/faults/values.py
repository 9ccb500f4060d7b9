"""How the fields of a fault are read from text: the same on the command line, in a script and at the control port."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any

from htbot.domain.sessions import NEW_YORK, SessionTable

Moment = datetime | time
"""An instant (aware), or a time of day in New York that means its next occurrence on a session day."""

_MAX_SECONDS = 7 * 86_400.0
_MAX_TEXT = 200
_MOST, _DIGITS = 10**9, 9


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads one value; `allowed` says in words what it takes. `read` raises ValueError for everything else."""

    allowed: str
    read: Callable[[str], Any]


def _number(low: float, high: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        value = float(text)
        if not low <= value <= high:  # also refuses nan
            raise ValueError(text)
        return value

    return read


def _whole(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        value = int(text)
        if not low <= value <= high:
            raise ValueError(text)
        return value

    return read


def _decimal(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation as error:
        raise ValueError(text) from error
    if not value.is_finite() or not 0 <= value <= _MOST or value != round(value, _DIGITS):
        raise ValueError(text)
    return value


def _amount(text: str) -> Decimal:
    value = _decimal(text)
    if not value:
        raise ValueError(text)
    return value


def _price(text: str) -> Decimal:
    return -_decimal(text[1:]) if text.startswith("-") else _decimal(text)


def _times(text: str) -> int | None:
    return None if text.lower() == "always" else _whole(1, 1_000_000)(text)


def _moment(text: str) -> Moment:
    if "-" not in text:
        at = time.fromisoformat(text)
        if at.tzinfo is not None:
            raise ValueError(text)
        return at.replace(microsecond=0)
    instant = datetime.fromisoformat(text)
    try:
        return (instant if instant.tzinfo else instant.replace(tzinfo=NEW_YORK)).astimezone(UTC).replace(microsecond=0)
    except OverflowError as error:
        raise ValueError(text) from error


def _text(text: str) -> str:
    if not text or len(text) > _MAX_TEXT or not text.isprintable():
        raise ValueError(text)
    return text


def _flag(text: str) -> bool:
    return {"yes": True, "true": True, "no": False, "false": False}[text.lower()]


def one_of(*words: str) -> Reader:
    """A reader of one of these words."""

    def read(text: str) -> str:
        found = next((word for word in words if word.lower() == text.lower()), None)
        if found is None:
            raise ValueError(text)
        return found

    return Reader(" or ".join(words), read)


SECONDS = Reader("seconds from 0 to 604800", _number(0, _MAX_SECONDS))
SHARE = Reader("a share from 0 to 1", _number(0, 1))
COUNT = Reader("a whole number from 1 to 1000000", _whole(1, 1_000_000))
CLIENT_ID = Reader("a client id from 0 to 2147483647", _whole(0, 2**31 - 1))
SEED = Reader("a whole number from 0 to 2147483647", _whole(0, 2**31 - 1))
TIMES = Reader("a whole number from 1 to 1000000, or always", _times)
QUANTITY = Reader("a quantity from 0 to 1000000000", _decimal)
AMOUNT = Reader("a quantity above 0, at most 1000000000", _amount)
PRICE = Reader("a price of at most 1000000000", _price)
MOMENT = Reader("a New York time such as 10:32:30, or an ISO time such as 2026-03-04T10:32:30", _moment)
TEXT = Reader(f"printable text of at most {_MAX_TEXT} characters", _text)
FLAG = Reader("yes or no", _flag)
ACTION = one_of("BUY", "SELL")


def shown(value: object) -> str:
    """A value as `Reader.read` takes it back."""
    if value is None:
        return "always"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.astimezone(NEW_YORK).strftime("%Y-%m-%dT%H:%M:%S%z")
    if isinstance(value, time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return f"{value:f}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def resolved(moment: Moment, now: datetime, sessions: SessionTable) -> datetime | None:
    """The instant that is meant, None when no session is left for a time of day.

    A time of day is that of today's session while it is still to come, else that of the next session day.
    """
    if isinstance(moment, datetime):
        return moment
    today = sessions.at(now)
    if today is not None:
        at = datetime.combine(today.day, moment, NEW_YORK).astimezone(UTC)
        if at >= now:
            return at
    following = sessions.next_after(now.astimezone(NEW_YORK).date())
    return None if following is None else datetime.combine(following.day, moment, NEW_YORK).astimezone(UTC)
