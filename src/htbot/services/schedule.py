"""The schedule: what beat sends, how often in market time. A message expires before the next of its row is sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from htbot.marketdata.clock_state import GRID_S


@dataclass(frozen=True, slots=True)
class ScheduleRow:
    """One periodic task; `period_s` is market time, a multiple of the 30-second grid.

    Rows that do not need the desk go on while it is away, timed by the host's clock.
    """

    task: str
    period_s: int
    key: str = "all"
    needs_desk: bool = True

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
        ScheduleRow(DELIVER_ALERTS, GRID_S, needs_desk=False),
        ScheduleRow(FORGET_OLD, 3600, needs_desk=False),
    )
