"""The schedule: what beat sends, how often in market time. A message expires before the next of its row is sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ScheduleRow:
    """One periodic task; `period_s` in seconds of market time, a multiple of the 30-second grid.

    `critical` rows run in front of others and go on while the desk is away (they are then timed by the host's clock).
    """

    task: str
    period_s: int
    key: str = "all"
    needs_desk: bool = True

    def due(self, as_of: datetime) -> bool:
        """True when the row fires at this grid instant."""
        return int(as_of.timestamp()) % self.period_s == 0


SCHEDULE: tuple[ScheduleRow, ...] = (
    ScheduleRow("htbot.tasks.market_reader_tasks.read_market", 30),
    ScheduleRow("htbot.tasks.pnl_tasks.mark_pnl", 30),
    ScheduleRow("htbot.tasks.alert_tasks.deliver_alerts", 30, needs_desk=False),
)


def due_rows(as_of: datetime) -> Iterator[ScheduleRow]:
    """The rows that fire at a grid instant, in table order."""
    return (row for row in SCHEDULE if row.due(as_of))
