"""A private PostgreSQL for tests: one server per run on a free port, and no rows at the start of a test."""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import psycopg2
import pytest
from sqlalchemy import make_url

from htbot.bootstrap.install.postgres import Postgres, prepare
from htbot.persistence.engine import Database
from htbot.persistence.grants import grant
from htbot.persistence.migrations import upgrade
from htbot.persistence.rows import Base
from htbot.settings.endpoint import API_ROLE, APP_ROLE, ROLES

_PATIENCE_S = 60.0
_QUICK = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=16MB", "max_connections=60")


class PostgresServer:
    """A running server; databases are copies of a template that is migrated once."""

    def __init__(self, prepared: Postgres, log: Path) -> None:
        self._endpoint = prepared.endpoint
        self._log = log
        self._names = (f"test_{number}" for number in count())
        settings = (f"port={self._endpoint.port}", "listen_addresses=127.0.0.1", "unix_socket_directories=", *_QUICK)
        options = [part for setting in settings for part in ("-c", setting)]
        with log.open("wb") as stream:
            self.process = subprocess.Popen(
                [*prepared.command, "-D", str(prepared.data), *options], stdout=stream, stderr=stream, cwd="/"
            )
        self._wait()

    def url(self, name: str) -> str:
        """URL of one database of this server."""
        return f"postgresql://htbot:{self._endpoint.password}@127.0.0.1:{self._endpoint.port}/{name}"

    def create(self, template: str = "template0") -> str:
        """A new database, and its URL."""
        name = next(self._names)
        self._run(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        return self.url(name)

    def drop(self, url: str) -> None:
        """Remove a database, connected or not."""
        self._run(f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)")

    def stop(self) -> None:
        """End the server at once; nobody needs its data."""
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(timeout=_PATIENCE_S)

    def _run(self, statement: str) -> None:
        connection = psycopg2.connect(self.url("postgres"), connect_timeout=30)
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)
        finally:
            connection.close()

    def _wait(self) -> None:
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            try:
                psycopg2.connect(self.url("postgres"), connect_timeout=30).close()
            except psycopg2.OperationalError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"PostgreSQL did not start:\n{self._log.read_text()}") from None
                time.sleep(0.05)
            else:
                return


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    folder = Path(tempfile.mkdtemp(prefix="htbot-pg-"))
    try:
        server = PostgresServer(prepare(folder / "pg"), folder / "server.log")
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def record_template(postgres_server: PostgresServer) -> str:
    """Name of a database with every migration and no rows."""
    url = postgres_server.create()
    upgrade(url)
    return url.rpartition("/")[2]


@pytest.fixture
def empty_database_url(postgres_server: PostgresServer) -> Iterator[str]:
    """URL of a database without tables."""
    url = postgres_server.create()
    yield url
    postgres_server.drop(url)


@pytest.fixture
def fresh_database_url(postgres_server: PostgresServer, record_template: str) -> Iterator[str]:
    """URL of a migrated database of this test's own, to change its schema."""
    url = postgres_server.create(record_template)
    yield url
    postgres_server.drop(url)


@pytest.fixture(scope="session")
def shared_database_url(postgres_server: PostgresServer, record_template: str) -> str:
    """URL of the migrated database that tests take turns with."""
    return postgres_server.create(record_template)


@pytest.fixture
def database_url(shared_database_url: str) -> Iterator[str]:
    """URL of a migrated database without rows; what the test commits is deleted after it."""
    yield shared_database_url
    wipe(shared_database_url)


def wipe(url: str) -> None:
    """No rows."""
    connection = psycopg2.connect(url, connect_timeout=30)
    try:
        with connection, connection.cursor() as cursor:
            tables = "; ".join(f'DELETE FROM "{table}"' for table in Base.metadata.tables)
            cursor.execute(f"SET LOCAL session_replication_role = replica; SET LOCAL lock_timeout = '60s'; {tables}")
    finally:
        connection.close()


def url_of_role(url: str, role: str) -> str:
    """The same database as one of the roles that the product works with; its rights are given here."""
    passwords = {name: f"password-of-{name}" for name in ROLES}
    grant(url, passwords)
    return make_url(url).set(username=role, password=passwords[role]).render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def shared_api_database(shared_database_url: str) -> Iterator[Database]:
    """The database that tests take turns with, as the API opens it."""
    opened = Database(url_of_role(shared_database_url, API_ROLE))
    yield opened
    opened.close()


@pytest.fixture
def api_role_url(database_url: str) -> str:
    """URL of a migrated database without rows, as the API opens it."""
    return url_of_role(database_url, API_ROLE)


@pytest.fixture
def app_role_url(database_url: str) -> str:
    """URL of a migrated database without rows, as desk, worker and beat open it."""
    return url_of_role(database_url, APP_ROLE)


@pytest.fixture(scope="session")
def shared_database(shared_database_url: str) -> Iterator[Database]:
    """Connections that tests take turns with, so that statements are compiled once."""
    opened = Database(shared_database_url)
    yield opened
    opened.close()


@pytest.fixture
def database(database_url: str, shared_database: Database) -> Database:
    """A migrated database without rows."""
    return shared_database
