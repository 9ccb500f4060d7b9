"""The schedule: what beat sends, how often in market time. A message expires before the next of its row is sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from htbot.marketdata.clock_state import GRID_S


@dataclass(frozen=True, slots=True)
class ScheduleRow:
    """One periodic task; `period_s` is market time, a multiple of the 30-second grid.

    Rows that do not need the desk go on while it is away, timed by the host's clock. Rows that decide run `in_turn` in
    a stepped world: each sees what those before it in the table have stored at the same instant, never what those
    behind it will.
    """

    task: str
    period_s: int
    key: str = "all"
    needs_desk: bool = True
    in_turn: bool = True

    def due(self, as_of: datetime) -> bool:
        """True when the row fires at this grid instant."""
        return int(as_of.timestamp()) % self.period_s == 0


READ_MARKET = "htbot.tasks.market_reader_tasks.read_market"
MARK_PNL = "htbot.tasks.pnl_tasks.mark_pnl"
EVALUATE_BARS = "htbot.tasks.evaluation_tasks.evaluate_bars"
EVALUATE_PART = "htbot.tasks.evaluation_tasks.evaluate_part"
"""Not in the table: sent by `evaluate_bars`, once for each part `k/n` of the symbols."""
DELIVER_ALERTS = "htbot.tasks.alert_tasks.deliver_alerts"
FORGET_OLD = "htbot.tasks.retention_tasks.forget_old"
EXIT_TRADE = "htbot.tasks.order_tasks.exit_trade"
"""Not in the table: sent for one trade, which its key names."""


def schedule(poll_s: int = GRID_S) -> tuple[ScheduleRow, ...]:
    """The table, in the order in which rows of one instant are sent; `poll_s` is HTBOT_POLL_SECONDS."""
    return (
        ScheduleRow(READ_MARKET, poll_s),
        ScheduleRow(MARK_PNL, poll_s),
        ScheduleRow(EVALUATE_BARS, GRID_S),
        ScheduleRow(DELIVER_ALERTS, GRID_S, needs_desk=False, in_turn=False),
        ScheduleRow(FORGET_OLD, 3600, needs_desk=False, in_turn=False),
    )


def begins(rows: Sequence[ScheduleRow], as_of: datetime) -> list[ScheduleRow]:
    """What is sent at an instant of a stepped world: the first row that is due in its turn, and those without one."""
    due = [row for row in rows if row.due(as_of)]
    first = next((row for row in due if row.in_turn), None)
    return [row for row in due if row is first or not row.in_turn]


def next_in_turn(rows: Sequence[ScheduleRow], task: str, as_of: datetime) -> ScheduleRow | None:
    """The row that runs at this instant when `task` has ended; None after the last, and after what is in no row."""
    due = [row for row in rows if row.in_turn and row.due(as_of)]
    place = next((number for number, row in enumerate(due) if row.task == task), len(due))
    return due[place + 1] if place + 1 < len(due) else None
