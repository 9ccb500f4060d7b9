"""The walk of limits: each that an order had, as the decision journal wrote it down, and how the walks ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Float, Select, func, select
from sqlalchemy.orm import Session

from htbot.domain.orders import WALKING
from htbot.domain.trades import plain_money
from htbot.persistence.repositories import DecisionJournal
from htbot.persistence.rows.decisions import DecisionRow
from htbot.persistence.rows.intents import IntentRow
from htbot.persistence.rows.orders import OrderRow
from htbot.persistence.states import TERMINAL_ORDER_STATES

_OF_ORDERS = (DecisionRow.kind == "order") & (DecisionRow.op != "delete")
_WALKS = IntentRow.style.in_(WALKING)
_LIMITS = (
    select(DecisionRow.key.label("ref"), func.count().cast(Float).label("value"))
    .where(_OF_ORDERS, DecisionRow.body.has_key("limit_price"))
    .group_by(DecisionRow.key)
    .cte("limits")
)
LIMITS_OF_ENDED: Select[Any] = (
    select(OrderRow.purpose.label("label"), _LIMITS.c.value)
    .join(_LIMITS, _LIMITS.c.ref == OrderRow.ref)
    .join(IntentRow, IntentRow.ref == OrderRow.ref)
    .where(_WALKS, OrderRow.state.in_(TERMINAL_ORDER_STATES))
)
"""How many limits each order had that walked and is over, by purpose (columns `label`, `value`)."""


@dataclass(frozen=True, slots=True)
class LadderStep:
    """A limit per unit, signed as IB's (negative = receive), from a market time on; None: not told."""

    at: datetime | None
    limit: Decimal


def ladders(session: Session, refs: Sequence[str]) -> dict[str, list[LadderStep]]:
    """By reference, the limits of an order in their order."""
    found: dict[str, list[LadderStep]] = {}
    for change in DecisionJournal(session).of("order", refs):
        if "limit_price" in change.body:
            limit = plain_money(Decimal(str(change.body["limit_price"])))
            found.setdefault(change.key, []).append(LadderStep(change.as_of, limit))
    return found


def ends(session: Session) -> dict[tuple[str, str], int]:
    """Orders that walked by purpose and by the end that they have reached, in lower case.

    Read from the journal, so that no count falls: one that is filled after its cancellation counts with both.
    """
    state = DecisionRow.body["state"].astext
    query = (
        select(OrderRow.purpose, func.lower(state), func.count(OrderRow.ref.distinct()))
        .join(DecisionRow, _OF_ORDERS & (DecisionRow.key == OrderRow.ref))
        .join(IntentRow, IntentRow.ref == OrderRow.ref)
        .where(_WALKS, state.in_([end.value for end in TERMINAL_ORDER_STATES]))
        .group_by(OrderRow.purpose, func.lower(state))
    )
    return {(purpose.value, end): count for purpose, end, count in session.execute(query)}
