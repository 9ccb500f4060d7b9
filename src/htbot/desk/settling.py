"""What follows in the record from what the broker has told, many at once: trades brought up to date, executions judged.

A broker tells every execution of the day to each desk that begins. What follows from those whose orders memory does not
know is in the record: thousands of them are gone through a few hundred at a time, each in as many statements as one.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from sqlalchemy.orm import Session

from htbot.domain.fills import Fill
from htbot.domain.trades import Trade
from htbot.execution.fills import judge_executions
from htbot.persistence.repositories import FillRepository, IntentRepository
from htbot.services.trade_record import settle_trades


def settle_due(session: Session, due: Sequence[tuple[str, datetime]]) -> list[Trade | None]:
    """Bring trades up to date, each as of the time that it is given with."""
    settled = settle_trades(session, dict(due))
    return [settled[trade_id] for trade_id, _as_of in due]


def settle_refs(session: Session, due: Sequence[tuple[str, datetime]]) -> list[Trade | None]:
    """Bring the trades of references up to date; None for a reference that is not ours."""
    intents = IntentRepository(session).of_refs([ref for ref, _as_of in due])
    owners = {ref: stored.intent.trade_id for ref, stored in intents.items()}
    settled = settle_trades(session, {owners[ref]: as_of for ref, as_of in due if ref in owners})
    return [settled[owners[ref]] if ref in owners else None for ref, _as_of in due]


def settle_executions(session: Session, due: Sequence[tuple[str, datetime]]) -> list[Trade | None]:
    """Bring the trades of executions up to date; None for an execution that is not ours."""
    fills = FillRepository(session).of_ids([exec_id for exec_id, _as_of in due])
    owned = [(fills[exec_id].ref, as_of) for exec_id, as_of in due if exec_id in fills]
    settled = dict(zip([ref for ref, _as_of in owned], settle_refs(session, owned), strict=True))
    return [settled[fills[exec_id].ref] if exec_id in fills else None for exec_id, _as_of in due]


def check_executions(session: Session, due: Sequence[tuple[str, Decimal | None]]) -> list[None]:
    """Judge what the record has as executed under references, each with its combination's price where that is known.

    Raises:
        StopTrading: as of `judge_executions`.
    """
    refs = [ref for ref, _price in due]
    intents, fills = IntentRepository(session).of_refs(refs), FillRepository(session)
    executed: dict[str, list[Fill]] = {ref: [] for ref in refs}
    for fill in fills.of_refs(refs):
        executed[fill.ref].append(fill)
    for ref, bag_price in due:
        if ref in intents:
            judge_executions(intents[ref].intent, executed[ref], bag_price)
    return [None] * len(due)
