"""Migrations from Python: bring the record to the newest revision, or say where it stands."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import create_engine, pool

from htbot.domain.errors import ConfigurationError, StopTrading
from htbot.persistence.engine import normalise_url

PROJECT = Path(__file__).resolve().parents[3]


def make_config(url: str, project: Path = PROJECT) -> Config:
    """Alembic's configuration for a database.

    Raises:
        ConfigurationError: `project` holds no `alembic.ini`.
    """
    ini = project / "alembic.ini"
    if not ini.is_file():
        raise ConfigurationError(f"{ini} is missing: run from a checkout of the project")
    config = Config(str(ini))
    config.attributes["url"] = url
    return config


def upgrade(url: str, revision: str = "head") -> None:
    """Bring the record to a revision, in one transaction; a second migrator waits for the first."""
    command.upgrade(make_config(url), revision)


def downgrade(url: str, revision: str) -> None:
    """Take the record back to a revision; `base` drops every table."""
    command.downgrade(make_config(url), revision)


def check(url: str) -> None:
    """Compare the record with the row classes.

    Raises:
        StopTrading: they differ; the text names the differences.
    """
    try:
        command.check(make_config(url))
    except CommandError as error:
        raise StopTrading(f"the record and the code differ: {error}") from error


def head_revision() -> str | None:
    """The newest revision that this code knows."""
    return ScriptDirectory.from_config(make_config("")).get_current_head()


def current_revision(url: str) -> str | None:
    """The revision of the record, None before the first migration."""
    engine = create_engine(normalise_url(url), poolclass=pool.NullPool)
    try:
        with engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()
    finally:
        engine.dispose()


def require_head(url: str) -> None:
    """Refuse to run on a record of another version (FAULTS 43, 47).

    Raises:
        ConfigurationError: the record is older or newer than the code.
    """
    current, head = current_revision(url), head_revision()
    if current != head:
        raise ConfigurationError(f"the record is at revision {current}, this code needs {head}: run `htbot db upgrade`")
