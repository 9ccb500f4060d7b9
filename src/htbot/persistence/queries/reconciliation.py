"""Comparisons with the broker, as people see them."""

from __future__ import annotations

from sqlalchemy.orm import Session

from htbot.persistence.queries.shapes import ReconciliationItemView, ReconciliationView
from htbot.persistence.records import ReconciliationRun
from htbot.persistence.repositories import ReconciliationRepository


def latest_run(session: Session, account: str | None) -> ReconciliationView | None:
    """The last stored run, None before the first."""
    run = ReconciliationRepository(session).latest(account)
    return None if run is None else _view(run)


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
