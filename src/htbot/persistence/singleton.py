"""One process of a kind: an advisory lock that lives and dies with a connection."""

from __future__ import annotations

import os
import re
import socket

import psycopg2

from htbot.domain.errors import Retryable, StopTrading

# psycopg2 reads libpq's URLs; SQLAlchemy's name for the driver is none of them, and is all that is taken away here,
# so that a process that needs only a lock does not load SQLAlchemy.
_SCHEME = re.compile(r"^postgres(?:ql)?(?:\+\w+)?://")
_LONGEST_HOST = 40
_TRY = "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))"
_HOLDER = """
SELECT activity.application_name, activity.client_addr::text
  FROM pg_locks AS lock JOIN pg_stat_activity AS activity ON activity.pid = lock.pid
 WHERE lock.locktype = 'advisory' AND lock.granted AND lock.objsubid = 1
   AND (lock.classid::bigint << 32) | lock.objid::bigint = hashtextextended(%s, 0)
   AND lock.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


def signature() -> str:
    """This process as the other one names it: at most 63 bytes, PostgreSQL's limit of an application's name."""
    return f"htbot pid {os.getpid()} on {socket.gethostname()[:_LONGEST_HOST]}"


class SingletonLock:
    """Held from `acquire` until `release`, the end of the process or the loss of its connection."""

    def __init__(self, url: str, name: str) -> None:
        self._url = _SCHEME.sub("postgresql://", url)
        self._name = name
        self._connection: psycopg2.extensions.connection | None = None
        self._holder = ""

    @property
    def name(self) -> str:
        """What is locked."""
        return self._name

    @property
    def holder(self) -> str:
        """Who held the lock when `acquire` last failed: process and host; empty before."""
        return self._holder

    def acquire(self) -> bool:
        """Take the lock without waiting; False while another process holds it.

        Raises:
            Retryable: PostgreSQL does not answer.
        """
        self.release()
        try:
            connection = psycopg2.connect(self._url, connect_timeout=5, application_name=signature())
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(_TRY, (self._name,))
                taken = bool(cursor.fetchone()[0])
                if not taken:
                    cursor.execute(_HOLDER, (self._name,))
                    self._holder = _words(cursor.fetchone())
        except psycopg2.OperationalError as error:
            raise Retryable(f"PostgreSQL did not answer: {str(error).strip().partition(chr(10))[0]}") from error
        if not taken:
            connection.close()
            return False
        self._connection = connection
        return True

    def require(self, what: str) -> None:
        """Take the lock or say in one line who has it; `what` names the thing of which there is one.

        Raises:
            StopTrading: another process holds it.
            Retryable: PostgreSQL does not answer.
        """
        if not self.acquire():
            raise StopTrading(f"another {what} runs: {self._holder}; stop it first")

    def held(self) -> bool:
        """True while the connection that holds the lock answers. PostgreSQL frees the lock when it does not."""
        if self._connection is None:
            return False
        try:
            with self._connection.cursor() as cursor:
                cursor.execute("SELECT 1")
        except (psycopg2.OperationalError, psycopg2.InterfaceError):
            return False
        return True

    def release(self) -> None:
        """Give the lock back."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _words(row: tuple[str, str | None] | None) -> str:
    if row is None:
        return "it has just ended, try again"
    name, address = row
    return name if address is None else f"{name} ({address})"
