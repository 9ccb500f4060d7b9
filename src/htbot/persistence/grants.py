"""Roles of the embedded PostgreSQL: who may do what to which table (FAULTS 61).

The owner migrates. The processes that trade write rows and change no table. The API reads, and writes what people ask
for; orders, fills, trades and the logs are the desk's, and nobody but the owner can rewrite the logs.
"""

from __future__ import annotations

from collections.abc import Mapping

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection  # noqa: N812 - it is a class
from psycopg2.extensions import encrypt_password

from htbot.persistence.engine import libpq_url
from htbot.settings.endpoint import API_ROLE, APP_ROLE, ROLES

APPEND_ONLY = ("audit_log", "decision_journal")
"""Nobody but the owner could change them, and triggers refuse it to him."""
_READ_ONLY = ("alembic_version",)
_WRITTEN_BY_API: Mapping[str, str] = {
    "account_equity": "UPDATE",
    "alerts": "INSERT, UPDATE",
    "cash_flows": "INSERT",
    "commands": "INSERT, UPDATE",
    "halts": "INSERT, UPDATE",
    "intents": "INSERT",
    "risk_decisions": "INSERT",
    "scheduler": "INSERT, UPDATE",
    "signals": "INSERT",
    "strategies": "INSERT, UPDATE, DELETE",
    "ticks": "INSERT",
    "trades": "INSERT",
}
"""Besides appending to the logs. What a new endpoint writes stands here, or its first call is refused."""
_MOST_CONNECTIONS = {APP_ROLE: -1, API_ROLE: 32}
"""The API's crowd leaves connections to the desk."""


def grant(owner_url: str, passwords: Mapping[str, str]) -> None:
    """Make both roles with these passwords and give them what they may do; doing it again changes nothing.

    Args:
        owner_url: the migrated record, as its owner.
        passwords: by role.

    Raises:
        psycopg2.Error: PostgreSQL does not answer, or this is not the owner.
    """
    opened = psycopg2.connect(libpq_url(owner_url), connect_timeout=5)
    try:
        with opened, opened.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('htbot:grants', 0))")
            for role in ROLES:
                _make(opened, role, passwords[role])
            for statement in _statements(opened.info.dbname):
                cursor.execute(statement)
    finally:
        opened.close()


def _make(opened: Connection, role: str, password: str) -> None:
    """The role with its password, of which the server sees the verifier only."""
    verifier = encrypt_password(password, role, opened, "scram-sha-256")
    name, secret = sql.Identifier(role), sql.Literal(verifier)
    with opened.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,))
        if cursor.fetchone() is None:
            cursor.execute(sql.SQL("CREATE ROLE {}").format(name))
        limits = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS NOINHERIT CONNECTION LIMIT {}"
        most = sql.Literal(_MOST_CONNECTIONS[role])
        cursor.execute(sql.SQL(f"ALTER ROLE {{}} {limits} PASSWORD {{}}").format(name, most, secret))


def _statements(database: str) -> list[sql.Composable]:
    name = sql.Identifier(database)
    both = sql.SQL(", ").join([sql.Identifier(role) for role in ROLES])
    app, api = sql.Identifier(APP_ROLE), sql.Identifier(API_ROLE)
    fixed = sql.SQL(", ").join([sql.Identifier(table) for table in (*APPEND_ONLY, *_READ_ONLY)])
    logs = sql.SQL(", ").join([sql.Identifier(table) for table in APPEND_ONLY])
    everything = sql.SQL("ALL TABLES IN SCHEMA public")
    return [
        sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC, {}").format(name, both),
        sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(name, both),
        sql.SQL("REVOKE ALL ON SCHEMA public FROM PUBLIC, {}").format(both),
        sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(both),
        sql.SQL("REVOKE ALL ON {} FROM PUBLIC, {}").format(everything, both),
        sql.SQL("GRANT SELECT ON {} TO {}").format(everything, both),
        sql.SQL("GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {}").format(both),
        sql.SQL("GRANT INSERT, UPDATE, DELETE ON {} TO {}").format(everything, app),
        sql.SQL("REVOKE INSERT, UPDATE, DELETE ON {} FROM {}").format(fixed, app),
        sql.SQL("GRANT INSERT ON {} TO {}").format(logs, both),
        *(
            sql.SQL(f"GRANT {rights} ON {{}} TO {{}}").format(sql.Identifier(table), api)
            for table, rights in _WRITTEN_BY_API.items()
        ),
    ]
