"""How large the record is."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

_TABLES = text(
    """
SELECT relname, greatest(reltuples, 0)::bigint, pg_total_relation_size(oid)
  FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 3 DESC, 1
"""
)
_CONNECTIONS = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")


@dataclass(frozen=True, slots=True)
class TableUsage:
    """A table with its indexes; `rows` is the server's own estimate, 0 before it has made one."""

    table: str
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class RecordUsage:
    """The record on its server; `connections` are all of them, of whichever process."""

    bytes: int
    connections: int
    tables: list[TableUsage]


def record_usage(session: Session) -> RecordUsage:
    """Sizes as the server tells them."""
    size = session.scalar(text("SELECT pg_database_size(current_database())")) or 0
    tables = [TableUsage(*row) for row in session.execute(_TABLES)]
    return RecordUsage(size, session.scalar(_CONNECTIONS) or 0, tables)
