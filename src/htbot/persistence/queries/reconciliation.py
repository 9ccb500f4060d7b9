"""Comparisons with the broker, as people see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from htbot.persistence.records import ReconciliationRun
from htbot.persistence.repositories import ReconciliationRepository
from htbot.persistence.rows.reconciliation import ReconciliationRunRow


@dataclass(frozen=True, slots=True)
class ReconciliationItemView:
    """One thing that did not match, or is not ours; `con_id` and `perm_id` 0 mean none."""

    kind: str
    con_id: int
    symbol: str
    ref: str
    perm_id: int
    ours: int
    broker: int
    detail: str
    since: datetime


@dataclass(frozen=True, slots=True)
class ReconciliationView:
    """One comparison of our books with the broker's; `matched` contracts are alike, everything else is an item."""

    id: int
    account: str
    as_of: datetime
    cause: str
    verdict: str
    since: datetime | None
    matched: int
    differing: int
    foreign: int
    items: list[ReconciliationItemView]


def latest_run(session: Session, account: str | None) -> ReconciliationView | None:
    """The last stored run, None before the first."""
    run = ReconciliationRepository(session).latest(account)
    return None if run is None else _view(run)


def run_views(session: Session, rows: Sequence[ReconciliationRunRow]) -> list[ReconciliationView]:
    """Runs with their items, in the order given."""
    return [_view(run) for run in ReconciliationRepository(session).with_items(rows)]


def _view(run: ReconciliationRun) -> ReconciliationView:
    return ReconciliationView(
        id=run.id,
        account=run.account,
        as_of=run.as_of,
        cause=run.cause,
        verdict=run.verdict.value,
        since=run.since,
        matched=run.matched,
        differing=run.differing,
        foreign=run.foreign,
        items=[
            ReconciliationItemView(
                kind=item.kind.value,
                con_id=item.con_id,
                symbol=item.symbol,
                ref=item.ref,
                perm_id=item.perm_id,
                ours=item.ours,
                broker=item.broker,
                detail=item.detail,
                since=item.since,
            )
            for item in run.items
        ],
    )
