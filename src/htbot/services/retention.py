"""What is forgotten after a while: rows that say that nothing happened, and of which there are most.

What was decided, sent, filled, earned, told and acted upon is kept for ever; the hash chains cover it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from htbot.persistence.engine import Database
from htbot.persistence.repositories import RetentionRepository

PAGE = 2000
"""Rows of one transaction: some milliseconds each, so that writers beside it are not held up."""
RUN_S = 30.0
"""Wall seconds after which a run begins no other page: the next one goes on."""
_Forget = Callable[[RetentionRepository, datetime, int], int]


@dataclass(frozen=True, slots=True)
class Keep:
    """Days of wall time that rows are kept; 0 is for ever."""

    looks_days: int
    runs_days: int


@dataclass(frozen=True, slots=True)
class Forgotten:
    """Rows that were deleted; `complete` says whether nothing old is left."""

    looks: int
    runs: int
    comparisons: int
    complete: bool = True

    def __str__(self) -> str:
        told = f"{self.looks} looks, {self.runs} runs, {self.comparisons} comparisons forgotten"
        return told if self.complete else f"{told}, the next run goes on"


def forget(
    database: Database,
    keep: Keep,
    now: datetime,
    monotonic: Callable[[], float] = time.monotonic,
    page: int = PAGE,
) -> Forgotten:
    """Delete what is older than it is to be kept, page by page, each a transaction of its own.

    Args:
        database: the record.
        keep: how long.
        now: wall time.
        monotonic: seconds, for the length of a run.
        page: rows of one transaction.

    Raises:
        Retryable: PostgreSQL does not answer; pages that were done stay done.
    """
    ends_s = monotonic() + RUN_S
    complete = True

    def forgotten(act: _Forget, days: int) -> int:
        nonlocal complete
        count, last = 0, page
        while days and last == page:
            if monotonic() >= ends_s:
                complete = False
                break
            with database.transaction() as session:
                last = act(RetentionRepository(session), now - timedelta(days=days), page)
            count += last
        return count

    looks = forgotten(RetentionRepository.forget_looks, keep.looks_days)
    runs = forgotten(RetentionRepository.forget_runs, keep.runs_days)
    comparisons = forgotten(RetentionRepository.forget_comparisons, keep.runs_days)
    return Forgotten(looks, runs, comparisons, complete)
