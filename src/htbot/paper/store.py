"""The gateway's record: one SQLite file in its state folder.

Everything that a client has been told is in the file before it is told: a turn of the gateway ends with `commit`, and
only then do messages leave. The write-ahead log survives a kill at any moment; no acknowledged state is lost.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

STORE_FORM = "3"
"""The form of the documents in the file; a file of another form cannot be gone on with."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS clients (client_id INTEGER PRIMARY KEY, next_order_id INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS orders (
    perm_id INTEGER PRIMARY KEY, client_id INTEGER NOT NULL, order_id INTEGER NOT NULL, working INTEGER NOT NULL,
    document TEXT NOT NULL, UNIQUE (client_id, order_id)
);
CREATE TABLE IF NOT EXISTS executions (
    seq INTEGER PRIMARY KEY, exec_id TEXT NOT NULL UNIQUE, perm_id INTEGER NOT NULL, document TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS positions (
    account TEXT NOT NULL, con_id INTEGER NOT NULL, document TEXT NOT NULL, PRIMARY KEY (account, con_id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS accounts (account TEXT PRIMARY KEY, document TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS bookings (
    seq INTEGER PRIMARY KEY, account TEXT NOT NULL, con_id INTEGER NOT NULL, document TEXT NOT NULL
);
"""
_TABLES = ("meta", "clients", "orders", "executions", "positions", "accounts", "bookings")


class Store:
    """Reads and writes the gateway's state; one writer, one connection."""

    def __init__(self, path: Path) -> None:
        if str(path) != ":memory:":
            path.parent.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=NORMAL")
        self._database.executescript(_SCHEMA)
        self._open = False

    def __del__(self) -> None:
        # A gateway that is thrown away closes its file, in whichever thread that is noticed; every turn is committed by
        # itself, so nothing is lost.
        self._database.close()

    def close(self) -> None:
        """Close the file; what was not committed is forgotten."""
        self._database.close()

    def clear(self) -> None:
        """Forget everything: a new world begins."""
        for table in _TABLES:
            self._write(f"DELETE FROM {table}", ())  # noqa: S608 - names are constants of this module
        self.commit()

    def commit(self) -> None:
        """Make every write since the last commit durable against a kill of the process."""
        if self._open:
            self._database.execute("COMMIT")
            self._open = False

    def _write(self, statement: str, values: tuple[object, ...]) -> None:
        if not self._open:
            self._database.execute("BEGIN IMMEDIATE")
            self._open = True
        self._database.execute(statement, values)

    def meta(self, key: str) -> str | None:
        """A single value by name."""
        row = self._database.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def put_meta(self, key: str, value: str) -> None:
        """Write a single value."""
        statement = "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
        self._write(statement, (key, value))

    def next_order_ids(self) -> dict[int, int]:
        """The next free order id of each client that ever placed an order."""
        return dict(self._database.execute("SELECT client_id, next_order_id FROM clients ORDER BY client_id"))

    def put_next_order_id(self, client_id: int, order_id: int) -> None:
        """Write a client's next free order id."""
        statement = (
            "INSERT INTO clients VALUES (?, ?) "
            "ON CONFLICT (client_id) DO UPDATE SET next_order_id = excluded.next_order_id"
        )
        self._write(statement, (client_id, order_id))

    def orders(self) -> Iterator[dict[str, Any]]:
        """Every order in the order of its permId."""
        for (document,) in self._database.execute("SELECT document FROM orders ORDER BY perm_id"):
            yield json.loads(document)

    def put_order(self, document: dict[str, Any], *, working: bool) -> None:
        """Write an order."""
        statement = (
            "INSERT INTO orders VALUES (?, ?, ?, ?, ?) ON CONFLICT (perm_id) DO UPDATE SET "
            "working = excluded.working, document = excluded.document"
        )
        key = (document["perm_id"], document["client_id"], document["order_id"])
        self._write(statement, (*key, int(working), _json(document)))

    def forget_order(self, perm_id: int) -> None:
        """Drop an order."""
        self._write("DELETE FROM orders WHERE perm_id = ?", (perm_id,))

    def executions(self) -> Iterator[dict[str, Any]]:
        """Every execution in the order in which it happened."""
        for (document,) in self._database.execute("SELECT document FROM executions ORDER BY seq"):
            yield json.loads(document)

    def put_execution(self, document: dict[str, Any]) -> None:
        """Append an execution."""
        statement = "INSERT INTO executions (exec_id, perm_id, document) VALUES (?, ?, ?)"
        self._write(statement, (document["exec_id"], document["perm_id"], _json(document)))

    def forget_executions(self, before: datetime) -> None:
        """Drop executions whose document has an `at` (UTC, in ISO form) before an instant."""
        statement = "DELETE FROM executions WHERE json_extract(document, '$.at') < ?"
        self._write(statement, (before.astimezone(UTC).isoformat(),))

    def positions(self) -> Iterator[dict[str, Any]]:
        """Every position, closed ones of earlier days included."""
        for (document,) in self._database.execute("SELECT document FROM positions ORDER BY account, con_id"):
            yield json.loads(document)

    def put_position(self, document: dict[str, Any]) -> None:
        """Write a position."""
        statement = (
            "INSERT INTO positions VALUES (?, ?, ?) "
            "ON CONFLICT (account, con_id) DO UPDATE SET document = excluded.document"
        )
        self._write(statement, (document["account"], document["con_id"], _json(document)))

    def accounts(self) -> Iterator[dict[str, Any]]:
        """Every account."""
        for (document,) in self._database.execute("SELECT document FROM accounts ORDER BY account"):
            yield json.loads(document)

    def put_account(self, document: dict[str, Any]) -> None:
        """Write an account."""
        statement = (
            "INSERT INTO accounts VALUES (?, ?) ON CONFLICT (account) DO UPDATE SET document = excluded.document"
        )
        self._write(statement, (document["account"], _json(document)))

    def bookings(self) -> Iterator[list[Any]]:
        """The ledger's trades since the day began, in the order in which they were booked."""
        for (document,) in self._database.execute("SELECT document FROM bookings ORDER BY seq"):
            yield json.loads(document)

    def put_booking(self, account: str, con_id: int, document: list[Any]) -> None:
        """Append a trade of the ledger."""
        statement = "INSERT INTO bookings (account, con_id, document) VALUES (?, ?, ?)"
        self._write(statement, (account, con_id, _json(document)))

    def replace_bookings(self, account: str, con_id: int, documents: list[list[Any]]) -> None:
        """Write the trades of one position anew."""
        self._write("DELETE FROM bookings WHERE account = ? AND con_id = ?", (account, con_id))
        for document in documents:
            self.put_booking(account, con_id, document)

    def forget_bookings(self, account: str) -> None:
        """Drop the trades of an account: its day is closed."""
        self._write("DELETE FROM bookings WHERE account = ?", (account,))


def _json(document: dict[str, Any] | list[Any]) -> str:
    return json.dumps(document, separators=(",", ":"))
