"""One process of a kind: an advisory lock that lives and dies with a connection."""

from __future__ import annotations

import psycopg2

from htbot.domain.errors import Retryable
from htbot.persistence.engine import libpq_url


class SingletonLock:
    """Held from `acquire` until `release`, the end of the process or the loss of its connection."""

    def __init__(self, url: str, name: str) -> None:
        self._url = url
        self._name = name
        self._connection: psycopg2.extensions.connection | None = None

    def acquire(self) -> bool:
        """Take the lock without waiting; False while another process holds it.

        Raises:
            Retryable: PostgreSQL does not answer.
        """
        self.release()
        try:
            connection = psycopg2.connect(libpq_url(self._url), connect_timeout=5, application_name=self._name)
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", (self._name,))
                taken = bool(cursor.fetchone()[0])
        except psycopg2.OperationalError as error:
            raise Retryable(f"PostgreSQL did not answer: {str(error).strip().partition(chr(10))[0]}") from error
        if not taken:
            connection.close()
            return False
        self._connection = connection
        return True

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
