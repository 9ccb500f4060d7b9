"""What comparisons with the broker have found."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import exists, select
from sqlalchemy.dialects.postgresql import insert

from htbot.execution.disagreement import Judgement, key_of
from htbot.execution.reconciliation import FindingKind
from htbot.persistence.records import ReconciliationItem, ReconciliationRun
from htbot.persistence.repositories.base import Repository
from htbot.persistence.rows.reconciliation import ReconciliationItemRow, ReconciliationRunRow


class ReconciliationRepository(Repository):
    """Runs, newest first; matches are counted, everything else is an item."""

    def add(self, account: str, judgement: Judgement, cause: str) -> int:
        """Store a run with its items and return its id."""
        run = insert(ReconciliationRunRow).values(
            account=account,
            as_of=judgement.as_of,
            cause=cause,
            verdict=judgement.verdict,
            matched=judgement.matched,
            differing=len(judgement.doubts),
            foreign_items=len(judgement.foreign),
            since=judgement.since,
        )
        run_id: int = self._session.scalars(run.returning(ReconciliationRunRow.id)).one()
        open_ = [finding for finding in judgement.findings if finding.kind is not FindingKind.MATCH]
        items = [
            {
                "run_id": run_id,
                "number": number,
                "kind": finding.kind,
                "account": finding.account,
                "con_id": finding.con_id,
                "symbol": finding.symbol,
                "ref": finding.ref,
                "perm_id": finding.perm_id,
                "ours": finding.ours,
                "broker": finding.broker,
                "detail": finding.detail,
                "since": judgement.first_seen[key_of(finding)],
            }
            for number, finding in enumerate(open_, start=1)
        ]
        if items:
            self._count(insert(ReconciliationItemRow).values(items))
        return run_id

    def latest(self, account: str | None = None) -> ReconciliationRun | None:
        """The last run, of one account when given."""
        found = self.recent(1, account)
        return found[0] if found else None

    def recent(self, limit: int = 100, account: str | None = None) -> list[ReconciliationRun]:
        """The last runs, newest first."""
        query = select(ReconciliationRunRow).order_by(ReconciliationRunRow.id.desc()).limit(limit)
        if account is not None:
            query = query.where(ReconciliationRunRow.account == account)
        return self.with_items(self._session.scalars(query, execution_options={"populate_existing": True}).all())

    def with_items(self, rows: Sequence[ReconciliationRunRow]) -> list[ReconciliationRun]:
        """Runs with what each has found, in the order given."""
        items = self._items([row.id for row in rows])
        return [_to_run(row, items.get(row.id, ())) for row in rows]

    def matched(self, account: str, con_id: int, since: datetime) -> bool:
        """Whether books and broker held the same of a contract in a stored run of `since` (market time) or later."""
        item = ReconciliationItemRow
        differs = exists().where(item.run_id == ReconciliationRunRow.id, item.con_id == con_id)
        run = select(ReconciliationRunRow.id).where(
            ReconciliationRunRow.account == account, ReconciliationRunRow.as_of >= since, ~differs
        )
        return self._session.scalar(run.limit(1)) is not None

    def blocked(self, account: str) -> dict[str, str]:
        """By symbol, why nothing may be entered in it: a position that did not match or is not ours at the last look.

        Every change of what is found is stored, so the last stored run is what stands; one that is only under way
        blocks until the next look.
        """
        run = self.latest(account)
        items = () if run is None else run.items
        return {item.symbol: f"{item.kind.value} {item.con_id}: {item.detail}" for item in items if item.symbol}

    def _items(self, run_ids: list[int]) -> dict[int, tuple[ReconciliationItem, ...]]:
        query = select(ReconciliationItemRow).where(ReconciliationItemRow.run_id.in_(run_ids))
        found: dict[int, tuple[ReconciliationItem, ...]] = {}
        for row in self._session.scalars(query.order_by(ReconciliationItemRow.run_id, ReconciliationItemRow.number)):
            found[row.run_id] = (*found.get(row.run_id, ()), _to_item(row))
        return found


def _to_run(row: ReconciliationRunRow, items: tuple[ReconciliationItem, ...]) -> ReconciliationRun:
    return ReconciliationRun(
        id=row.id,
        account=row.account,
        as_of=row.as_of,
        cause=row.cause,
        verdict=row.verdict,
        matched=row.matched,
        differing=row.differing,
        foreign=row.foreign_items,
        since=row.since,
        items=items,
    )


def _to_item(row: ReconciliationItemRow) -> ReconciliationItem:
    return ReconciliationItem(
        kind=row.kind,
        account=row.account,
        con_id=row.con_id,
        symbol=row.symbol,
        ref=row.ref,
        perm_id=row.perm_id,
        ours=row.ours,
        broker=row.broker,
        detail=row.detail,
        since=row.since,
    )
