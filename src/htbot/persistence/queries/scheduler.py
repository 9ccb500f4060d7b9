"""What the scheduled work of a session day has come to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from htbot.domain.trades import TradeState
from htbot.persistence.queries.strategies import WATCHED
from htbot.persistence.repositories.base import on_day
from htbot.persistence.rows.signals import SignalRow
from htbot.persistence.rows.tasks import TaskRunRow, WorkerRow
from htbot.persistence.rows.trades import TradeRow
from htbot.persistence.states import LIVE_TRADE_STATES, TaskState


@dataclass(frozen=True, slots=True)
class SchedulerStats:
    """Counts of one session day (New York); `monitored_positions` are open trades, `uptime_seconds` the worker's.

    Of `signals_generated` the `signals_observed` are those of strategies that are only watched, refused or not.
    """

    evaluations_run: int
    signals_generated: int
    signals_observed: int
    trades_executed: int
    trades_rejected: int
    errors: int
    monitored_positions: int
    last_evaluation: datetime | None
    last_trade: datetime | None
    uptime_seconds: float | None


def scheduler_stats(session: Session, day: date, tasks: tuple[str, ...], host_now: datetime) -> SchedulerStats:
    """Counts of a day; `tasks` are those that ask strategies."""
    of_day, asked = on_day(TaskRunRow.as_of, day), TaskRunRow.task.in_(tasks)
    runs, failed, last = session.execute(
        select(
            func.count().filter(asked, TaskRunRow.state == TaskState.DONE),
            func.count().filter(TaskRunRow.state == TaskState.FAILED),
            func.max(TaskRunRow.as_of).filter(asked, TaskRunRow.state == TaskState.DONE),
        ).where(of_day)
    ).one()
    signals, observed, refused = session.execute(
        select(func.count(), func.count().filter(WATCHED), func.count().filter(~SignalRow.accepted, ~WATCHED)).where(
            SignalRow.session == day
        )
    ).one()
    filled = TradeRow.state != TradeState.VOID
    traded = session.scalar(select(func.count()).where(TradeRow.session == day, filled)) or 0
    ready_at = session.scalar(select(func.max(WorkerRow.ready_at)))
    return SchedulerStats(
        evaluations_run=runs,
        signals_generated=signals,
        signals_observed=observed,
        trades_executed=traded,
        trades_rejected=refused,
        errors=failed,
        monitored_positions=session.scalar(select(func.count()).where(TradeRow.state.in_(LIVE_TRADE_STATES))) or 0,
        last_evaluation=last,
        last_trade=session.scalar(select(func.max(TradeRow.opened_at)).where(filled)),
        uptime_seconds=None if ready_at is None else round((host_now - ready_at).total_seconds(), 1),
    )
