"""Runs of tasks, counted on from page to page: the table grows by thousands of rows a day and is read whole once."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from htbot.persistence.queries import measures
from htbot.services.schedule import EVALUATE_BARS, EVALUATE_PART, READ_MARKET
from htbot.telemetry.metric_names import TASK_S
from htbot.telemetry.metrics import Distribution, Gathered

SETTLED = timedelta(minutes=5)
"""No task takes longer than a minute (`task_time_limit`): what began this long ago has been committed or never will."""
_EVALUATING = frozenset({READ_MARKET, EVALUATE_BARS, EVALUATE_PART})


class TaskRuns:
    """Remembers the sums of the runs that are settled, and reads the younger ones anew each time."""

    def __init__(self) -> None:
        self._until: datetime | None = None
        self._counted: Counter[tuple[str, str]] = Counter()
        self._took: dict[str, Distribution] = {}

    def put(self, gathered: Gathered, session: Session, host_now: datetime) -> None:
        """The counts of all runs, and how long evaluations took."""
        settled = host_now - SETTLED
        self._add(measures.task_runs(session, self._until, settled, TASK_S), self._counted, self._took)
        self._until = settled
        counted = self._counted.copy()
        took = {task: Distribution(list(seen.counts), seen.total) for task, seen in self._took.items()}
        self._add(measures.task_runs(session, settled, host_now + SETTLED, TASK_S), counted, took)
        for (task, state), count in counted.items():
            gathered.put("htbot_tasks", count, task, state)
        for task, seen in took.items():
            gathered.put_distribution("htbot_strategy_evaluation_duration_seconds", seen, task)

    @staticmethod
    def _add(runs: Iterable[measures.Runs], counted: Counter[tuple[str, str]], took: dict[str, Distribution]) -> None:
        fresh: dict[str, Distribution] = defaultdict(lambda: Distribution.empty(TASK_S))
        for run in runs:
            counted[run.task, run.state] += run.count
            if run.task in _EVALUATING:
                fresh[run.task].counts[run.bucket] += run.count
                fresh[run.task].total += run.seconds
        for task, seen in fresh.items():
            if task in took:
                took[task].add(seen)
            else:
                took[task] = seen
