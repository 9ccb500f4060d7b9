"""Whoever asks for something: the same key is the same act, and what cannot be done says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy.orm import Session

from htbot.domain.errors import CallerMistake
from htbot.persistence.records import Command
from htbot.persistence.repositories import CommandRepository, CommandRequest
from htbot.services.desk_view import DeskView

_CONNECTED = "connected"
JOIN_LOCK = "htbot:commands"
"""Whoever makes or joins a close holds this lock, so that two at once become one."""


class Conflict(CallerMistake):
    """The request is well formed and cannot be done in the present state (409)."""


class DeskAway(Conflict):
    """The desk is not running or not connected to the broker (RULINGS 37)."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and under which idempotency key (None: no key was given)."""

    actor: str
    key: str | None = None

    def stored_key(self, kind: str) -> str:
        """The key of the row: the caller's own, or one that nobody else has."""
        return f"{kind}:{uuid4()}" if self.key is None else self.key


@dataclass(frozen=True, slots=True)
class Accepted:
    """A command that was taken: by this call, or by an earlier one that it joined."""

    command_id: UUID
    state: str


def require_desk(desk: DeskView) -> DeskView:
    """The desk, unless it is known to be unable to act; with Redis away nobody knows, and the row will be read.

    Raises:
        DeskAway: it does not run, or has no session with the broker.
    """
    if desk.state == "not running" or (desk.state == "running" and desk.connection != _CONNECTED):
        raise DeskAway(f"the desk cannot act now ({desk.connection}): nothing was sent, try again once it is connected")
    return desk


def take(session: Session, kind: str, params: Mapping[str, Any], caller: Caller, at: datetime) -> tuple[Command, bool]:
    """The command of a caller's key, and True when this call made it.

    Raises:
        Conflict: the key was used for another command before.
    """
    request = CommandRequest(caller.stored_key(kind), kind, caller.actor, at, params)
    try:
        return CommandRepository(session).create(request)
    except CallerMistake as error:
        raise Conflict(str(error)) from error


def one_line(reason: str) -> str:
    """What a person typed, fit for a file, a row and a log line."""
    readable = reason.encode("utf-8", "replace").decode()
    return (
        " ".join("".join(letter if letter.isprintable() else " " for letter in readable).split()) or "no reason given"
    )
