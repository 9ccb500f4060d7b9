"""PostgreSQL has no connection left for anybody: the desk keeps its own and goes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from htbot.desk.threads import DatabaseThread
from htbot.domain.errors import Retryable
from htbot.persistence.engine import Database, EngineOptions

RESERVED = EngineOptions(application_name="htbot-desk-orders", pool_size=1, max_overflow=0, ping_first=False)


@contextmanager
def exhausted(url: str) -> Iterator[int]:
    """Somebody else takes every connection that the server has to give."""
    taken: list[psycopg2.extensions.connection] = []
    try:
        while (connection := one_more(url)) is not None:
            taken.append(connection)
        yield len(taken)
    finally:
        for connection in taken:
            connection.close()


def one_more(url: str) -> psycopg2.extensions.connection | None:
    """A connection, None when there is none left."""
    try:
        return psycopg2.connect(url, connect_timeout=30)
    except psycopg2.OperationalError as error:
        if "too many clients" not in str(error):
            raise
        return None


def pid(session: Session) -> int:
    return int(session.execute(text("SELECT pg_backend_pid()")).scalar_one())


@pytest.mark.fault(16)
async def test_the_desk_keeps_its_connection_while_everybody_else_is_refused(shared_database_url: str) -> None:
    desk = DatabaseThread("orders", Database(shared_database_url, RESERVED))
    other = Database(shared_database_url, EngineOptions(application_name="htbot-api", pool_size=1))
    try:
        own = await desk.run(pid)
        with exhausted(shared_database_url) as taken:
            assert taken > 0
            assert [await desk.run(pid) for _ in range(3)] == [own] * 3
            with pytest.raises(Retryable), other.transaction() as session:
                pid(session)
            assert await desk.run(pid) == own
        with other.transaction() as session:
            assert pid(session) != own
    finally:
        desk.close()
        other.close()
