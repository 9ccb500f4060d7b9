"""Doorbells of the record: notifications that rows have come. A hint may be lost, so whoever listens polls as well."""

from __future__ import annotations

import select
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg2
from psycopg2 import extensions, sql

from htbot.domain.errors import Retryable
from htbot.persistence.engine import libpq_url

INTENTS = "htbot_intents"
TASKS = "htbot_tasks"
COMMANDS = "htbot_commands"
HALTS = "htbot_halts"


@dataclass(frozen=True, slots=True)
class Ring:
    """One notification: the channel and the key of the row (ref, task, command id, source)."""

    channel: str
    key: str


class Listener:
    """A connection of its own that hears notifications of committed rows."""

    def __init__(self, url: str, channels: Sequence[str], *, application_name: str = "htbot-listener") -> None:
        try:
            self._connection = psycopg2.connect(libpq_url(url), connect_timeout=5, application_name=application_name)
            self._connection.autocommit = True
            with self._connection.cursor() as cursor:
                for channel in channels:
                    cursor.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
        except psycopg2.OperationalError as error:
            raise Retryable(f"PostgreSQL did not answer: {str(error).strip().partition(chr(10))[0]}") from error

    def fileno(self) -> int:
        """The socket, for an event loop's reader; call `heard` when it is readable."""
        return int(self._connection.fileno())

    def heard(self) -> list[Ring]:
        """Notifications that have come, oldest first, without waiting.

        Raises:
            Retryable: the connection is gone; make a new listener and look at every row once.
        """
        try:
            self._connection.poll()
        except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
            raise Retryable("the listening connection to PostgreSQL is gone") from error
        notes: list[extensions.Notify] = list(self._connection.notifies)
        self._connection.notifies.clear()
        return [Ring(note.channel, note.payload) for note in notes]

    def wait(self, timeout_s: float) -> list[Ring]:
        """Notifications within `timeout_s`, at once when some have come; empty at the time-out."""
        rings = self.heard()
        if rings:
            return rings
        readable, _, _ = select.select([self.fileno()], [], [], timeout_s)
        return self.heard() if readable else []

    def close(self) -> None:
        """Stop listening."""
        self._connection.close()
