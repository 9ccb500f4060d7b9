"""Comparisons with the broker, as people see them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from htbot.persistence.queries.shapes import ReconciliationItemView, ReconciliationView
from htbot.persistence.records import ReconciliationRun
from htbot.persistence.repositories import ReconciliationRepository
from htbot.persistence.rows.reconciliation import ReconciliationRunRow


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
