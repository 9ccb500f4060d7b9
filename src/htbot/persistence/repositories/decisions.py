"""The decision journal: what the database itself wrote down of every decision and of what became of it."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select

from htbot.persistence.records import DecisionChange
from htbot.persistence.repositories.base import Repository
from htbot.persistence.rows.decisions import DecisionRow


class DecisionJournal(Repository):
    """Read only: triggers write it while a transaction commits, so a transaction does not see its own entries."""

    def of(self, kind: str, keys: Collection[str]) -> list[DecisionChange]:
        """Changes of the rows of a kind with these keys, in their order."""
        query = select(DecisionRow).where(DecisionRow.kind == kind, DecisionRow.key.in_(keys))
        return self._all(query.order_by(DecisionRow.id), _to_change)


def _to_change(row: DecisionRow) -> DecisionChange:
    return DecisionChange(row.kind, row.key, row.op, row.as_of, row.body, row.recorded_at)
