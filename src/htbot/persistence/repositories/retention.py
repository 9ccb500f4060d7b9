"""Forgetting what is old: a page at a time, so that nobody waits for a long transaction."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import text

from htbot.persistence.repositories.base import Repository

# The oldest rows have the smallest ids: the index is read from its beginning and no further than a page and the last
# looks before it. Whether a look is the last of its strategy is one step in the unique index.
_LOOKS = text(
    """
DELETE FROM evaluations WHERE id IN (
    SELECT oldest.id
      FROM (SELECT look.id, look.recorded_at FROM evaluations AS look
             WHERE look.as_of < (SELECT max(newer.as_of) FROM evaluations AS newer
                                  WHERE newer.strategy = look.strategy AND newer.account = look.account
                                    AND newer.symbol = look.symbol)
             ORDER BY look.id LIMIT :most) AS oldest
     WHERE oldest.recorded_at < :before)
"""
)
_RUNS = text(
    """
DELETE FROM task_runs WHERE (task, key, as_of) IN (
    SELECT task, key, as_of FROM task_runs WHERE started_at < :before LIMIT :most)
"""
)
_COMPARISONS = text(
    """
DELETE FROM reconciliation_runs WHERE id IN (
    SELECT run.id FROM reconciliation_runs AS run
     WHERE run.recorded_at < :before AND run.verdict = 'AGREE'
       AND NOT EXISTS (SELECT FROM reconciliation_items AS item WHERE item.run_id = run.id)
       AND EXISTS (SELECT FROM reconciliation_runs AS newer WHERE newer.account = run.account AND newer.id > run.id)
     ORDER BY run.id LIMIT :most)
"""
)


class RetentionRepository(Repository):
    """Deletes at most so many rows that were written before a wall time, and returns how many."""

    def forget_looks(self, before: datetime, most: int) -> int:
        """Looks of strategies; their signals are rows of their own and stay, as the last look of each does."""
        return self._count(_LOOKS, {"before": before, "most": most})

    def forget_runs(self, before: datetime, most: int) -> int:
        """Runs of tasks."""
        return self._count(_RUNS, {"before": before, "most": most})

    def forget_comparisons(self, before: datetime, most: int) -> int:
        """Comparisons with the broker that found nothing but agreement; the last one of an account stays."""
        return self._count(_COMPARISONS, {"before": before, "most": most})
