"""The hash chains read again: every link recomputed, and the journal folded against the rows that it tells of.

Nothing here trusts the triggers that wrote the chains: the hash is computed in Python over the row as PostgreSQL prints
it (`to_jsonb`, keys in PostgreSQL's own order, times in UTC).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from htbot.persistence.records import Link

GENESIS = "0" * 64
CHAINED = ("audit_log", "decision_journal")
ALL = frozenset({"*"})


@dataclass(frozen=True, slots=True)
class Journaled:
    """A table that the journal tells of: the columns of its key, and those that never change once written."""

    table: str
    keys: tuple[str, ...]
    fixed: frozenset[str]

    def fixes(self, column: str) -> bool:
        """True of a column that must stay as it was written."""
        return self.fixed is ALL or column in self.fixed


def _fixed(columns: str) -> frozenset[str]:
    return frozenset(columns.split())


JOURNALED: dict[str, Journaled] = {
    "signal": Journaled("signals", ("id",), ALL),
    "risk_decision": Journaled("risk_decisions", ("id",), ALL),
    "trade": Journaled(
        "trades",
        ("id",),
        _fixed("id strategy account symbol session direction legs width rules config_hash opened_at"),
    ),
    "intent": Journaled(
        "intents",
        ("ref",),
        _fixed(
            # the rest may be written once more: a close of the guard and one of a task may be the same
            "ref trade_id strategy account session purpose sequence action symbol legs tick good_till decision_id"
        ),
    ),
    "order": Journaled("orders", ("ref",), _fixed("ref account purpose action submitted_at")),
    "perm_id": Journaled("order_perm_ids", ("ref", "perm_id"), _fixed("ref perm_id")),
    "fill": Journaled(
        "fills",
        ("exec_id",),
        _fixed(
            "exec_id execution_key ref account con_id symbol expiry strike right side quantity price multiplier "
            "executed_at perm_id modelled known_at"
        ),
    ),
    "halt": Journaled("halts", ("id",), _fixed("id kind source reason set_by set_at ends_at")),
    "command": Journaled("commands", ("id",), _fixed("id idempotency_key kind params requested_by created_at")),
}
"""Kinds of the decision journal, as the triggers name them."""

_BATCH = 1000
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class ChainRow:
    """One stored link: where it stands, what it claims, and the text that its hash must come from."""

    id: int
    lane: str
    seq: int
    prev_hash: str
    hash: str
    content: str


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in the record is not as it was written: which table, which row, what differs."""

    table: str
    row: str
    what: str


def read_at_once(session: Session) -> None:
    """From here on the session sees one state of the record, however long it reads; call it before anything else."""
    session.connection(execution_options={"isolation_level": "REPEATABLE READ"})


def chain_rows(session: Session, table: str) -> Iterator[ChainRow]:
    """Every link of a table, lane by lane, in order."""
    query = text(
        f"SELECT id, lane, seq, prev_hash, hash, (to_jsonb(one) - 'hash')::text FROM {_chained(table)} AS one "  # noqa: S608
        "ORDER BY lane, seq"
    )
    for row in session.execute(query, execution_options={"yield_per": _BATCH}):
        yield ChainRow(*row)


def _chained(table: str) -> str:
    if table not in CHAINED:
        raise ValueError(f"{table} has no chain: {', '.join(CHAINED)} have")
    return table


def check_chain(table: str, rows: Iterable[ChainRow]) -> Iterator[Problem]:
    """What is wrong with the links of a table, given lane by lane in order. Pure.

    A link must give its own hash, follow the one before it, and no number may be left out or come twice. The last link
    of a lane has no follower: that nothing was cut off behind it, only an anchor can tell.
    """
    lane, seq, last = "", 0, GENESIS
    for row in rows:
        if row.lane != lane:
            lane, seq, last = row.lane, 0, GENESIS
        name = f"id {row.id}, number {row.seq} of {row.lane}"
        if row.seq > seq + 1:
            gone = f"number {seq + 1} is" if row.seq == seq + 2 else f"numbers {seq + 1} to {row.seq - 1} are"
            yield Problem(table, name, f"{gone} missing before it")
        elif row.seq <= seq:
            yield Problem(table, name, "its number comes twice")
        elif row.prev_hash != last:
            yield Problem(table, name, "it does not follow the row before it: prev_hash differs")
        if hashlib.sha256(row.content.encode()).hexdigest() != row.hash:
            yield Problem(table, name, "its columns do not give its hash: the row was changed")
        seq, last = row.seq, row.hash


# Lane by lane down the index, however many rows there are.
_HEADS = """
WITH RECURSIVE lanes AS (
    (SELECT lane FROM {table} ORDER BY lane LIMIT 1)
    UNION ALL
    SELECT (SELECT next.lane FROM {table} AS next WHERE next.lane > lanes.lane ORDER BY next.lane LIMIT 1)
      FROM lanes WHERE lanes.lane IS NOT NULL
)
SELECT lanes.lane, last.seq, last.hash
  FROM lanes, LATERAL (
      SELECT seq, hash FROM {table} AS one WHERE one.lane = lanes.lane ORDER BY seq DESC LIMIT 1
  ) AS last
"""


def heads(session: Session) -> list[Link]:
    """The last link of each lane of each table."""
    found = []
    for table in CHAINED:
        query = text(_HEADS.format(table=_chained(table)))
        found += sorted((Link(table, *row) for row in session.execute(query)), key=lambda link: link.lane)
    return found


def check_anchor(session: Session, link: Link) -> Problem | None:
    """Whether a link that was written down elsewhere still stands as it did."""
    query = text(f"SELECT hash FROM {_chained(link.table)} WHERE lane = :lane AND seq = :seq")  # noqa: S608
    stored = session.scalar(query, {"lane": link.lane, "seq": link.seq})
    if stored == link.hash:
        return None
    name = f"number {link.seq} of {link.lane}"
    if stored is None:
        return Problem(link.table, name, "an anchor knows this row, and it is missing: the end was cut off")
    return Problem(link.table, name, "its hash is not the one that an anchor has: the chain was written anew")


def check_kind(session: Session, kind: str) -> tuple[int, list[Problem]]:
    """How many rows of a kind were looked at, and which are not what the journal says of them.

    A change of what never changes and a deletion are problems too: the journal has written them down as it writes down
    everything, whoever did it.
    """
    journaled = JOURNALED[kind]
    told, problems = _folded(session, kind, journaled)
    key, table = ", ".join(journaled.keys), journaled.table
    query = text(f"SELECT concat_ws(' ', {key}), to_jsonb(one)::text FROM {table} AS one ORDER BY {key}")  # noqa: S608
    checked = 0
    for name, content in session.execute(query, execution_options={"yield_per": _BATCH}):
        checked += 1
        expected = told.pop(name, None)
        if expected is None:
            problems.append(Problem(table, name, "the journal does not know this row"))
        else:
            problems += _compare(table, name, json.loads(content, parse_float=Decimal), expected)
    problems += [Problem(table, name, "the journal has this row, and it is missing") for name in told]
    return checked, problems


def _folded(session: Session, kind: str, journaled: Journaled) -> tuple[dict[str, dict[str, Any]], list[Problem]]:
    """What each row of a kind became, from its changes in their order, and the changes that nobody may make."""
    rows: dict[str, dict[str, Any]] = {}
    problems: list[Problem] = []
    query = text("SELECT id, key, op, body::text, lane FROM decision_journal WHERE kind = :kind ORDER BY id")
    for number, key, op, body, lane in session.execute(query, {"kind": kind}, execution_options={"yield_per": _BATCH}):
        change = json.loads(body, parse_float=Decimal)
        row = rows.setdefault(key, {})
        entry = f"by {lane}, entry {number} of the journal"
        if op == "delete":
            del rows[key]
            problems.append(Problem(journaled.table, key, f"it was deleted {entry}"))
        elif op == "update":
            problems += [
                Problem(journaled.table, key, f"{column} was changed from {_short(row.get(column))} {entry}")
                for column in sorted(change)
                if journaled.fixes(column)
            ]
        if op != "delete":
            row.update(change)
    return rows, problems


def _compare(table: str, name: str, stored: Mapping[str, Any], told: Mapping[str, Any]) -> Iterator[Problem]:
    """Columns that only one side knows came or went with a migration."""
    for column in sorted(stored.keys() & told.keys()):
        if stored[column] != told[column]:
            yield Problem(table, name, f"{column} is {_short(stored[column])}, the journal says {_short(told[column])}")


def _short(value: object) -> str:
    shown = str(value) if isinstance(value, Decimal) else json.dumps(value, default=str, ensure_ascii=False)
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."
