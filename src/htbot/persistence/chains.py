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
JOURNALED: dict[str, tuple[str, tuple[str, ...]]] = {
    "signal": ("signals", ("id",)),
    "risk_decision": ("risk_decisions", ("id",)),
    "trade": ("trades", ("id",)),
    "intent": ("intents", ("ref",)),
    "order": ("orders", ("ref",)),
    "perm_id": ("order_perm_ids", ("ref", "perm_id")),
    "fill": ("fills", ("exec_id",)),
    "halt": ("halts", ("id",)),
    "command": ("commands", ("id",)),
}
"""Kinds of the decision journal: table and key columns, as the triggers name them."""

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
        'ORDER BY lane COLLATE "C", seq'
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


def heads(session: Session) -> list[Link]:
    """The last link of each lane of each table."""
    found = []
    for table in CHAINED:
        query = text(
            f"SELECT DISTINCT ON (lane) lane, seq, hash FROM {_chained(table)} ORDER BY lane, seq DESC"  # noqa: S608
        )
        found += [Link(table, lane, seq, hash_) for lane, seq, hash_ in session.execute(query)]
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


def check_kind(session: Session, kind: str) -> tuple[str, int, list[Problem]]:
    """The table of a kind, how many of its rows were looked at, and which are not what the journal says of them."""
    table, keys = JOURNALED[kind]
    told = _folded(session, kind)
    key = ", ".join(keys)
    query = text(f"SELECT concat_ws(' ', {key}), to_jsonb(one)::text FROM {table} AS one ORDER BY {key}")  # noqa: S608
    problems: list[Problem] = []
    checked = 0
    for name, content in session.execute(query, execution_options={"yield_per": _BATCH}):
        checked += 1
        expected = told.pop(name, None)
        if expected is None:
            problems.append(Problem(table, name, "the journal does not know this row"))
        else:
            problems += _compare(table, name, json.loads(content, parse_float=Decimal), expected)
    problems += [Problem(table, name, "the journal has this row, and it is missing") for name in told]
    return table, checked, problems


def _folded(session: Session, kind: str) -> dict[str, dict[str, Any]]:
    """What each row of a kind became, from its changes in their order."""
    rows: dict[str, dict[str, Any]] = {}
    query = text("SELECT key, op, body::text FROM decision_journal WHERE kind = :kind ORDER BY id")
    for key, op, body in session.execute(query, {"kind": kind}, execution_options={"yield_per": _BATCH}):
        if op == "delete":
            rows.pop(key, None)
        else:
            rows.setdefault(key, {}).update(json.loads(body, parse_float=Decimal))
    return rows


def _compare(table: str, name: str, stored: Mapping[str, Any], told: Mapping[str, Any]) -> Iterator[Problem]:
    """Columns that only one side knows came or went with a migration."""
    for column in sorted(stored.keys() & told.keys()):
        if stored[column] != told[column]:
            yield Problem(table, name, f"{column} is {_short(stored[column])}, the journal says {_short(told[column])}")


def _short(value: object) -> str:
    shown = str(value) if isinstance(value, Decimal) else json.dumps(value, default=str, ensure_ascii=False)
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."
