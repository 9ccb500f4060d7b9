"""What is going on: strategies, tasks, halts, alerts, accounts, counts."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import or_, select, text
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from htbot.persistence.queries.selection import Selection
from htbot.persistence.queries.shapes import (
    AccountView,
    AlertView,
    CommandView,
    HaltView,
    StrategyView,
    TaskView,
)
from htbot.persistence.queries.trading import signal_view
from htbot.persistence.repositories.base import on_day
from htbot.persistence.rows.alerts import AlertRow
from htbot.persistence.rows.control import AccountRow, CommandRow, HaltRow
from htbot.persistence.rows.signals import EvaluationRow, RiskDecisionRow, SignalRow
from htbot.persistence.rows.tasks import TaskRunRow

# Name by name down the index, however many evaluations there are.
_EVALUATED = text(
    """
WITH RECURSIVE names AS (
    (SELECT strategy FROM evaluations ORDER BY strategy LIMIT 1)
    UNION ALL
    SELECT (SELECT next.strategy FROM evaluations AS next WHERE next.strategy > names.strategy
            ORDER BY next.strategy LIMIT 1)
      FROM names WHERE names.strategy IS NOT NULL
)
SELECT strategy FROM names WHERE strategy IS NOT NULL AND strategy NOT IN (SELECT name FROM strategies)
   AND strategy NOT IN (SELECT subject FROM audit_log WHERE action = 'strategy.removed')
"""
)


def strategies(session: Session, account: str | None = None) -> list[StrategyView]:
    """Each strategy as of its last evaluation, with the last signal it made; watched ones are left out."""
    query = (
        select(EvaluationRow)
        .where(EvaluationRow.strategy.in_(session.scalars(_EVALUATED).all()))
        .ext(distinct_on(EvaluationRow.strategy, EvaluationRow.account, EvaluationRow.symbol))
        .order_by(EvaluationRow.strategy, EvaluationRow.account, EvaluationRow.symbol, EvaluationRow.as_of.desc())
    )
    if account is not None:
        query = query.where(EvaluationRow.account == account)
    return [_strategy_view(session, row) for row in session.scalars(query).all()]


def _strategy_view(session: Session, row: EvaluationRow) -> StrategyView:
    query = (
        select(SignalRow, RiskDecisionRow)
        .outerjoin(RiskDecisionRow, RiskDecisionRow.signal_id == SignalRow.id)
        .where(SignalRow.strategy == row.strategy, SignalRow.account == row.account, SignalRow.symbol == row.symbol)
        .order_by(SignalRow.as_of.desc(), SignalRow.id.desc())
        .limit(1)
    )
    last = session.execute(query).first()
    return StrategyView(
        name=row.strategy,
        symbol=row.symbol,
        account=row.account,
        trend=row.trend,
        high=row.high,
        low=row.low,
        last_signal=None if last is None else signal_view(*last),
        why_not=row.why_not,
        as_of=row.as_of,
        indicators=row.indicators,
    )


# The same for tasks, and of each the end of its index: the table grows by thousands of rows a day.
_LAST_RUNS = text(
    """
WITH RECURSIVE names AS (
    (SELECT task FROM task_runs ORDER BY task LIMIT 1)
    UNION ALL
    SELECT (SELECT next.task FROM task_runs AS next WHERE next.task > names.task ORDER BY next.task LIMIT 1)
      FROM names WHERE names.task IS NOT NULL
)
SELECT last.*
  FROM names
 CROSS JOIN LATERAL (SELECT * FROM task_runs AS run WHERE run.task = names.task
                      ORDER BY run.started_at DESC, run.as_of DESC LIMIT 1) AS last
 ORDER BY last.task
"""
)


def tasks(session: Session, host_now: datetime) -> list[TaskView]:
    """The last run of each task; `host_now` is wall time."""
    query = select(TaskRunRow).from_statement(_LAST_RUNS)
    return [
        TaskView(
            name=row.task,
            last_run=row.as_of,
            age_s=round((host_now - row.started_at).total_seconds(), 1),
            state=row.state.value,
            error=row.error,
            started_at=row.started_at,
        )
        for row in session.scalars(query)
    ]


def halts(session: Session, market_now: datetime | None) -> list[HaltView]:
    """Halts and trips in force, oldest first; without a clock a trip that ends by itself is taken to be in force."""
    query = select(HaltRow).where(HaltRow.cleared_at.is_(None)).order_by(HaltRow.set_at, HaltRow.id)
    if market_now is not None:
        query = query.where(or_(HaltRow.ends_at.is_(None), HaltRow.ends_at > market_now))
    return [
        HaltView(row.kind.value, row.source, row.reason, row.set_at, row.set_by, row.account)
        for row in session.scalars(query)
    ]


def alerts(session: Session, chosen: Selection) -> list[AlertView]:
    """Alerts, oldest first."""
    query = select(AlertRow).order_by(AlertRow.id.desc()).limit(chosen.limit)
    if chosen.accounts:
        query = query.where(AlertRow.account.in_((*chosen.accounts, "")))
    if chosen.day is not None:
        query = query.where(on_day(AlertRow.as_of, chosen.day))
    return [alert_view(row) for row in reversed(session.scalars(query).all())]


def alert_view(row: AlertRow) -> AlertView:
    """A message to a person."""
    return AlertView(
        id=row.id,
        ts=row.as_of,
        kind=row.kind,
        severity=row.severity.value,
        subject=row.subject,
        text=row.text,
        account=row.account,
        state=row.state.value,
        sent_at=row.sent_at,
        attempts=row.attempts,
        error=row.last_error,
        acknowledged_at=row.acknowledged_at,
        acknowledged_by=row.acknowledged_by,
        clock=str(row.params.get("clock", "market")),
    )


def accounts(session: Session) -> list[AccountView]:
    """Accounts, the one that was told last in front; of those that a desk told together its main one."""
    query = select(AccountRow).order_by(AccountRow.as_of.desc(), AccountRow.name != "main", AccountRow.account)
    return [
        AccountView(
            account=row.account,
            name=row.name,
            mode=row.mode,
            world_id=row.world_id,
            as_of=row.as_of,
            net_liquidation=row.net_liquidation_usd,
            buying_power=row.buying_power_usd,
            cash=row.cash_usd,
        )
        for row in session.scalars(query)
    ]


def command(session: Session, command_id: UUID) -> CommandView | None:
    """A command, or None."""
    row = session.get(CommandRow, command_id)
    return None if row is None else command_view(row)


def command_view(row: CommandRow) -> CommandView:
    """A command and how far it has come."""
    return CommandView(
        command_id=row.id,
        kind=row.kind,
        state=row.state.value,
        params=row.params,
        requested_by=row.requested_by,
        created_at=row.created_at,
        changed_at=row.changed_at,
        result=row.result,
    )
