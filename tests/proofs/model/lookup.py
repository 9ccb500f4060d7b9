"""What the desk's own functions make of the model's orders."""

from __future__ import annotations

from functools import lru_cache

from tests.proofs.model.world import CANCELLED, ENTRY, FILLED, INACTIVE, Order
from tests.support.spreads import ACCOUNT, entry_fills, exit_fills
from tests.support.spreads import intent as intent_of

from htbot.domain.orders import Purpose
from htbot.execution.broker_events import OrderReport
from htbot.execution.messages import OpenOrderMessage
from htbot.execution.reconciliation import BrokerView, Resolution, resolve

REFUSED = 201


@lru_cache
def report_of(status: str) -> OrderReport:
    """An orderStatus of an order for one spread."""
    filled = int(status == FILLED)
    return OrderReport(status, filled, 1 - filled, REFUSED if status == INACTIVE else None)


def told(rows: tuple[Order, ...]) -> str:
    """A list of orders, for a trace."""
    return ", ".join(f"permId {row.perm} {row.status}" for row in rows) or "nothing"


@lru_cache(maxsize=100_000)
def what_became(purpose: Purpose, rows: tuple[Order, ...], settled: bool) -> Resolution:
    """`resolve` on a view with these orders, their executions included."""
    intent = intent_of(purpose)
    made = entry_fills() if purpose is ENTRY else exit_fills()
    orders, executions = [], []
    for row in rows:
        done, filled = row.status in {FILLED, CANCELLED, INACTIVE}, int(row.status == FILLED)
        orders.append(
            OpenOrderMessage(intent.ref, row.order_id, row.client, row.perm, ACCOUNT, row.status, None, 1, done, filled)
        )
        executions += made if filled else []
    return resolve(intent, BrokerView(orders=orders, executions=executions), settled=settled)
