"""The steps of orders: each limit that an order had, as the decision journal wrote it down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy.orm import Session

from htbot.persistence.columns import plain_money
from htbot.persistence.repositories import DecisionJournal


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
