"""Opens what commands work with, and closes it."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from htbot.cli.failures import NotRunning
from htbot.domain.errors import ConfigurationError, Retryable

if TYPE_CHECKING:
    from htbot.bootstrap.people import People
    from htbot.settings import Settings


def settings() -> Settings:
    """The checked settings."""
    from htbot.settings import load_settings

    return load_settings()


@contextmanager
def people(*, statement_timeout_ms: int = 15_000) -> Iterator[People]:
    """The services, over the configured record and Redis.

    Raises:
        NotRunning: PostgreSQL does not answer, or nothing was ever set up.
    """
    from htbot.bootstrap.people import build_people
    from htbot.persistence.engine import EngineOptions

    options = EngineOptions(
        application_name="htbot-cli",
        pool_size=1,
        connect_timeout_s=3,
        statement_timeout_ms=statement_timeout_ms,
    )
    read = settings()
    try:
        opened = build_people(read, options)
    except ConfigurationError as error:
        raise NotRunning(str(error)) from error
    try:
        yield opened
    except Retryable as error:
        raise NotRunning(f"{error}; start htbot with ./restart.sh") from error
    finally:
        opened.database.close()


def actor() -> str:
    """Who sits at the keyboard, as the audit log names it."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):
        return "cli:unknown"
