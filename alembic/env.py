"""Runs migrations in one transaction, one migrator at a time: a killed one leaves nothing behind."""

from __future__ import annotations

from typing import Any

from alembic import context
from sqlalchemy import Connection, create_engine, pool, text

from htbot.domain.errors import ConfigurationError
from htbot.persistence.columns import Money, UtcDateTime
from htbot.persistence.engine import normalise_url
from htbot.persistence.rows import Base

MIGRATION_LOCK = 0x68746D67  # "htmg": any number that nobody else locks


def database_url() -> str:
    """The URL from the caller's `config.attributes["url"]` or from `alembic -x url=...`."""
    url = context.config.attributes.get("url") or context.get_x_argument(as_dictionary=True).get("url")
    if not url:
        raise ConfigurationError("no database: give `alembic -x url=postgresql://...` or run `htbot db upgrade`")
    return normalise_url(str(url))


def render_item(kind: str, item: object, autogen_context: Any) -> str | bool:  # noqa: ARG001
    """Migrations spell plain SQLAlchemy types, so that they do not change when the code does."""
    if kind == "type" and isinstance(item, Money):
        return "sa.Numeric(18, 6)"
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    return False


def migrate(connection: Connection) -> None:
    """Bring the connected database to the revision asked for, waiting for any other migrator."""
    context.configure(connection=connection, target_metadata=Base.metadata, render_item=render_item)
    with context.begin_transaction():
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
        context.run_migrations()


if context.is_offline_mode():
    context.configure(url=database_url(), target_metadata=Base.metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    engine = create_engine(database_url(), poolclass=pool.NullPool)
    with engine.connect() as opened:
        migrate(opened)
    engine.dispose()
