"""`python -m htbot.bootstrap.install.migrate`: waits for PostgreSQL and brings the record to the newest revision.

A process of its own, so that its imports run while the servers start.
"""

from __future__ import annotations

import sys
import time

import psycopg2
from alembic import command
from alembic.config import Config
from psycopg2 import errors, extensions
from sqlalchemy import make_url

from htbot.domain.errors import ConfigurationError, HtbotError
from htbot.persistence.grants import grant
from htbot.settings import Settings, load_settings
from htbot.settings.endpoint import read_endpoint

_OWN_SERVER_S, _OTHER_SERVER_S = 150.0, 40.0  # ours has just been started, and takes long on a busy host


def wait_for_database(settings: Settings, patience_s: float | None = None) -> None:
    """Return as soon as the database accepts us; the embedded one is created on its server's first start.

    Raises:
        ConfigurationError: it does not answer in time, or refuses us.
    """
    url = make_url(settings.database.url).set(drivername="postgresql")
    if patience_s is None:
        patience_s = _OWN_SERVER_S if settings.database.embedded else _OTHER_SERVER_S
    deadline = time.monotonic() + patience_s
    while True:
        try:
            psycopg2.connect(url.render_as_string(hide_password=False), connect_timeout=5).close()
        except psycopg2.OperationalError as error:
            text = str(error).strip().splitlines()[-1]
            if settings.database.embedded and f'database "{url.database}" does not exist' in text:
                create_database(url.set(database="postgres").render_as_string(hide_password=False), str(url.database))
            elif time.monotonic() > deadline:
                raise ConfigurationError(f"PostgreSQL at {url.host}:{url.port} does not let us in: {text}") from error
            time.sleep(0.05)
        else:
            return


def create_database(server_url: str, name: str) -> None:
    """Create the database; one that exists already is as good."""
    connection = psycopg2.connect(server_url, connect_timeout=5)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {extensions.quote_ident(name, connection)} TEMPLATE template0")
    except errors.DuplicateDatabase:
        return
    finally:
        connection.close()


def upgrade(settings: Settings) -> None:
    """Run the migrations that are missing, and see to the roles of the embedded server."""
    config = Config(str(settings.paths.root / "alembic.ini"))
    config.attributes["url"] = settings.database.url
    command.upgrade(config, "head")
    see_to_roles(settings)


def see_to_roles(settings: Settings) -> None:
    """Give the roles of the embedded server what they may do with the tables that there are now.

    A server of somebody else is left as it is: its roles are made by whoever runs it.
    """
    endpoint = read_endpoint(settings.paths.postgres) if settings.database.embedded else None
    if endpoint is not None and endpoint.roles:
        grant(settings.database.url, endpoint.roles)


def main() -> int:
    """Exit code 0, or 4 with one line on standard error."""
    try:
        settings = load_settings()
        wait_for_database(settings)
        upgrade(settings)
    except HtbotError as error:
        print(error, file=sys.stderr)
        return 4
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
