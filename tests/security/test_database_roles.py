"""What each role of the record may do, asked as that role (FAULTS 61)."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg2
import pytest
from psycopg2 import errors, sql
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - it is a class
from tests.support.postgres import url_of_role

from htbot.persistence.engine import Database
from htbot.persistence.grants import APPEND_ONLY
from htbot.persistence.rows import Base
from htbot.settings.endpoint import API_ROLE, ROLES

TABLES = sorted(Base.metadata.tables)
DESKS = ("orders", "order_perm_ids", "fills", "trades", "positions", "pnl_daily", "desk_state", "accounts", "bars")
PEOPLES = {"commands", "halts", "intents", "signals", "risk_decisions"}


@pytest.fixture(params=ROLES)
def role(request: pytest.FixtureRequest, database_url: str) -> Iterator[tuple[str, Cursor]]:
    """A role of the record and a session of its own."""
    opened = psycopg2.connect(url_of_role(database_url, request.param))
    opened.autocommit = True
    with opened.cursor() as cursor:
        yield request.param, cursor
    opened.close()


def refused(cursor: Cursor, statement: str | sql.Composed) -> bool:
    """Whether the database refuses a statement for want of a right."""
    try:
        cursor.execute(statement)
    except errors.InsufficientPrivilege:
        return True
    except psycopg2.Error:
        return False
    return False


def rights(cursor: Cursor, table: str) -> set[str]:
    wanted = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")
    cursor.execute("SELECT " + ", ".join(f"has_table_privilege(%s, '{one}')" for one in wanted), [table] * len(wanted))
    row = cursor.fetchone()
    return {one for one, has in zip(wanted, row or (), strict=True) if has}


@pytest.mark.fault(61)
def test_nobody_who_runs_all_day_changes_a_table_or_a_role(role: tuple[str, Cursor]) -> None:
    _, cursor = role
    for statement in (
        "CREATE TABLE mine (x int)",
        "CREATE TEMP TABLE audit_log (x int)",
        "ALTER TABLE audit_log DISABLE TRIGGER ALL",
        "DROP TABLE fills",
        "CREATE ROLE friend SUPERUSER",
        f"ALTER ROLE {API_ROLE} SUPERUSER",
        "SET session_replication_role = replica",
        "SELECT pg_read_file('/etc/passwd')",
        "COPY fills TO PROGRAM 'cat'",
        "SET ROLE htbot",
        "TRUNCATE audit_log",
    ):
        assert refused(cursor, statement), statement


@pytest.mark.fault(61)
def test_the_logs_are_appended_to_and_not_changed(role: tuple[str, Cursor]) -> None:
    _, cursor = role
    for table in APPEND_ONLY:
        assert rights(cursor, table) == {"SELECT", "INSERT"}
        assert refused(cursor, f"UPDATE {table} SET seq = 0")
        assert refused(cursor, f"DELETE FROM {table}")
    cursor.execute(
        "INSERT INTO audit_log (at, actor, action, subject, detail) VALUES (now(), 't', 'x', 'y', '{}') RETURNING seq"
    )
    assert cursor.fetchone() is not None


@pytest.mark.fault(61)
def test_the_api_asks_and_does_not_rewrite_what_the_desk_has_done(api_role_url: str) -> None:
    opened = psycopg2.connect(api_role_url)
    opened.autocommit = True
    with opened.cursor() as cursor:
        for table in TABLES:
            assert "SELECT" in rights(cursor, table), table
            assert not rights(cursor, table) & {"TRUNCATE", "REFERENCES", "TRIGGER"}, table
        for table in DESKS:
            assert not rights(cursor, table) & {"UPDATE", "DELETE"}, table
        for table in ("orders", "fills", "positions", "api_tokens"):
            assert rights(cursor, table) == {"SELECT"}
        for table in PEOPLES:
            assert "INSERT" in rights(cursor, table)
            assert "DELETE" not in rights(cursor, table)
    opened.close()


@pytest.mark.fault(61)
def test_passwords_are_kept_as_scram_verifiers(api_role_url: str, database: Database) -> None:
    with database.engine.connect() as connection:
        kept = connection.exec_driver_sql("SELECT rolname, rolpassword FROM pg_authid WHERE rolcanlogin").all()
    assert {name for name, _ in kept} >= {"htbot", *ROLES}
    assert all(password.startswith("SCRAM-SHA-256$") for _, password in kept)
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        psycopg2.connect(api_role_url.replace("password-of", "guess-of"))
