"""The two books as they stand: the gateway's own file, and our record in PostgreSQL. Each is read by itself."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session as Transaction

from htbot.domain.errors import Retryable
from htbot.domain.fills import Fill
from htbot.domain.orders import PROTECTIVE, IntentState, Purpose
from htbot.domain.trades import TradeState
from htbot.paper.wire.order_fields import PLACE_ORDER
from htbot.paper.wire.tables import decode
from htbot.persistence.repositories import FillRepository
from htbot.persistence.rows.control import HaltRow
from htbot.persistence.rows.intents import IntentRow
from htbot.persistence.rows.trades import TradeRow

Holdings = Mapping[tuple[str, int], int]
_BAG = "BAG"


@dataclass(frozen=True, slots=True)
class BrokerOrder:
    """One order that the gateway has taken. `filled` is whole units, `status` its own word."""

    ref: str
    perm_id: int
    quantity: int
    filled: int
    status: str


@dataclass(frozen=True, slots=True)
class BrokerExecution:
    """One execution of a leg at the gateway; `signed` is positive when bought."""

    exec_id: str
    ref: str
    account: str
    con_id: int
    signed: int


@dataclass(frozen=True, slots=True)
class BrokerBook:
    """What the gateway's file says: every order, every leg execution, what is held by (account, contract id)."""

    orders: tuple[BrokerOrder, ...]
    executions: tuple[BrokerExecution, ...]
    holdings: Holdings


@dataclass(frozen=True, slots=True)
class RecordedIntent:
    """One intent of our record. `legs` are (contract id, ratio); `protective` is a stop or target at the broker."""

    ref: str
    trade_id: str
    purpose: Purpose
    quantity: int
    legs: tuple[tuple[int, int], ...]
    state: IntentState
    decision_id: UUID | None = None
    protective: bool = False


@dataclass(frozen=True, slots=True)
class RecordBook:
    """What our record says: intents, fills in their last correction, states of trades, reasons that halt."""

    intents: tuple[RecordedIntent, ...]
    fills: tuple[Fill, ...]
    trades: Mapping[str, TradeState]
    halts: tuple[str, ...] = ()


def read_broker(path: Path) -> BrokerBook:
    """The gateway's file, read while the gateway may run.

    Raises:
        Retryable: it cannot be read at this moment.
    """
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as file:
            orders = tuple(_order(row) for row in _documents(file, "orders", "perm_id"))
            told = [*_documents(file, "executions", "seq")]
            held = [*_documents(file, "positions", "con_id")]
    except sqlite3.Error as error:
        raise Retryable(f"{path}: {error}") from error
    executions = tuple(_execution(row) for row in _last_corrections(told) if row["contract"]["secType"] != _BAG)
    holdings = {(row["account"], int(row["con_id"])): int(Decimal(row["now"][0])) for row in held}
    return BrokerBook(orders, executions, {key: quantity for key, quantity in holdings.items() if quantity})


def _documents(file: sqlite3.Connection, table: str, order: str) -> Iterator[dict[str, Any]]:
    for (document,) in file.execute(f"SELECT document FROM {table} ORDER BY {order}"):  # noqa: S608 - names of ours
        yield json.loads(document)


def _order(row: Mapping[str, Any]) -> BrokerOrder:
    asked = decode(PLACE_ORDER, row["frame"], row["version"])
    filled = row["progress"].get("filled", "0")
    return BrokerOrder(
        ref=str(asked["orderRef"] or ""),
        perm_id=int(row["perm_id"]),
        quantity=int(Decimal(row["asked"])),
        filled=int(Decimal(filled)),
        status=str(row["status"]),
    )


def _last_corrections(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A correction comes after what it corrects and has the same id but for its last part."""
    last = {(str(row["exec_id"]).rpartition(".")[0], row["contract"]["conId"]): row for row in rows}
    return list(last.values())


def _execution(row: Mapping[str, Any]) -> BrokerExecution:
    quantity = int(Decimal(row["quantity"]))
    return BrokerExecution(
        exec_id=str(row["exec_id"]),
        ref=str(row["ref"]),
        account=str(row["account"]),
        con_id=int(row["contract"]["conId"]),
        signed=quantity if row["side"] == "BUY" else -quantity,
    )


def read_record(transaction: Transaction) -> RecordBook:
    """Our record, in the caller's transaction."""
    intents = tuple(
        RecordedIntent(
            ref=row.ref,
            trade_id=row.trade_id,
            purpose=row.purpose,
            quantity=row.quantity,
            legs=tuple((int(leg["con_id"]), int(leg["ratio"])) for leg in row.legs),
            state=row.state,
            decision_id=row.decision_id,
            protective=row.style in PROTECTIVE,
        )
        for row in transaction.scalars(select(IntentRow).order_by(IntentRow.created_at, IntentRow.ref))
    )
    trades = {row.id: row.state for row in transaction.execute(select(TradeRow.id, TradeRow.state))}
    fills = tuple(
        fill for account in _accounts(transaction) for fill in FillRepository(transaction).of_account(account)
    )
    halts = transaction.scalars(select(HaltRow).where(HaltRow.cleared_at.is_(None)).order_by(HaltRow.set_at))
    return RecordBook(intents, fills, trades, tuple(f"{halt.source}: {halt.reason}" for halt in halts))


def _accounts(transaction: Transaction) -> list[str]:
    return list(transaction.scalars(select(IntentRow.account).distinct().order_by(IntentRow.account)))
