"""Connections to the record: one `Database` per process, one transaction per unit of work."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import URL, Engine, create_engine, make_url
from sqlalchemy.exc import ArgumentError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session, sessionmaker

from htbot.domain.errors import ConfigurationError, Retryable


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """How a process uses the record. Limits in milliseconds are PostgreSQL's own, 0 switches one off.

    `ping_first` asks a pooled connection whether it lives before each unit of work. Who repeats a failed unit of work
    anyway goes without: it costs a round trip each time.
    """

    application_name: str = "htbot"
    pool_size: int = 4
    max_overflow: int = 4
    pool_timeout_s: float = 5.0
    connect_timeout_s: int = 5
    statement_timeout_ms: int = 15_000
    lock_timeout_ms: int = 5_000
    idle_in_transaction_timeout_ms: int = 60_000
    ping_first: bool = True


def normalise_url(url: str) -> str:
    """The URL with the psycopg2 driver named; SQLAlchemy 2.1 reads a bare `postgresql://` as psycopg 3.

    Raises:
        ConfigurationError: the text is no PostgreSQL URL. The message never carries the password.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ConfigurationError("DATABASE_URL is no URL: write postgresql://user:password@host:5432/name") from None
    if parsed.drivername.partition("+")[0] not in {"postgresql", "postgres"}:
        raise ConfigurationError(
            f"DATABASE_URL names {parsed.drivername!r}: htbot keeps its record in PostgreSQL, write postgresql://..."
        )
    return parsed.set(drivername="postgresql+psycopg2").render_as_string(hide_password=False)


def libpq_url(url: str) -> str:
    """The same URL as libpq (psql, a bare psycopg2 connection) reads it."""
    parsed: URL = make_url(normalise_url(url))
    return parsed.set(drivername="postgresql").render_as_string(hide_password=False)


def to_json(value: Any) -> str:
    """JSON as it is stored: NaN and infinity are refused, keys sorted so that equal values have equal text."""
    return json.dumps(value, allow_nan=False, sort_keys=True, separators=(",", ":"))


def make_engine(url: str, options: EngineOptions | None = None) -> Engine:
    """An engine whose every connection speaks UTC and gives up after the limits of `options`."""
    chosen = options or EngineOptions()
    limits = {
        "timezone": "UTC",
        "statement_timeout": chosen.statement_timeout_ms,
        "lock_timeout": chosen.lock_timeout_ms,
        "idle_in_transaction_session_timeout": chosen.idle_in_transaction_timeout_ms,
    }
    return create_engine(
        normalise_url(url),
        pool_size=chosen.pool_size,
        max_overflow=chosen.max_overflow,
        pool_timeout=chosen.pool_timeout_s,
        pool_pre_ping=chosen.ping_first,
        json_serializer=to_json,
        connect_args={
            "application_name": chosen.application_name,
            "connect_timeout": chosen.connect_timeout_s,
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "options": " ".join(f"-c {name}={value}" for name, value in limits.items()),
        },
    )


class Database:
    """The record as one process sees it."""

    def __init__(self, url: str, options: EngineOptions | None = None) -> None:
        self.engine = make_engine(url, options)
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """One unit of work: committed when the block ends, rolled back when it raises.

        Raises:
            Retryable: PostgreSQL is away, a lock or statement ran into its limit, or the pool is exhausted. What was
                written is unknown then only if the error came from the commit; every key of the record makes the
                same unit of work harmless a second time.
        """
        try:
            with self._sessions.begin() as session:
                yield session
        except (OperationalError, InterfaceError, PoolTimeoutError) as error:
            cause = getattr(error, "orig", None) or error
            reason = str(cause).strip().partition("\n")[0] or type(cause).__name__
            raise Retryable(f"PostgreSQL did not answer: {reason}") from error

    def after_fork(self) -> None:
        """Forget connections inherited from the parent process without closing them under it."""
        self.engine.dispose(close=False)

    def close(self) -> None:
        """Close every idle connection."""
        self.engine.dispose()
