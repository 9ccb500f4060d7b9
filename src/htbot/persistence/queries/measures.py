"""What the metrics page counts in the record. Counters read what is only ever added to, so that they never fall."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Float,
    Select,
    TextClause,
    case,
    cast,
    func,
    literal_column,
    or_,
    select,
    text,
)
from sqlalchemy.orm import Session

from htbot.domain.orders import Action, OrderState, Purpose
from htbot.domain.sessions import NEW_YORK
from htbot.domain.trades import TradeState
from htbot.persistence.queries import ladders
from htbot.persistence.queries.strategies import WATCHED
from htbot.persistence.repositories.base import on_day
from htbot.persistence.rows.alerts import AlertRow
from htbot.persistence.rows.intents import IntentRow
from htbot.persistence.rows.orders import FillRow, OrderRow
from htbot.persistence.rows.portfolio import PositionRow
from htbot.persistence.rows.signals import RiskDecisionRow, SignalRow
from htbot.persistence.rows.tasks import ProcessRow, TaskRunRow
from htbot.persistence.rows.trades import TradeRow
from htbot.persistence.states import TERMINAL_ORDER_STATES, AlertState


def _seconds(length: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.extract("epoch", length).cast(Float).label("value")


Buckets = dict[str, tuple[list[int], float]]
"""By label: how many values fell into each bucket, the last one beyond all bounds, and their sum."""

_REACHED = text(
    "SELECT body ->> 'state' AS state, count(*) FROM decision_journal"
    " WHERE kind = 'order' AND op <> 'delete' AND body ? 'state' GROUP BY 1"
)
_ERRORS = text(
    "SELECT body ->> 'error_code' AS code, count(*) FROM decision_journal"
    " WHERE kind = 'order' AND op <> 'delete' AND body ->> 'error_code' IS NOT NULL GROUP BY 1"
)
_DONE = (
    select(
        OrderRow.purpose,
        OrderRow.action,
        OrderRow.submitted_at,
        OrderRow.average_price,
        IntentRow.strategy,
        IntentRow.created_at,
        IntentRow.limit_price,
        select(func.max(FillRow.executed_at)).where(FillRow.ref == OrderRow.ref).scalar_subquery().label("filled_at"),
    )
    .join(IntentRow, IntentRow.ref == OrderRow.ref)
    .where(OrderRow.state == OrderState.FILLED)
    .cte("done")
)
_WORSE = case(
    (_DONE.c.action == Action.BUY, _DONE.c.average_price - _DONE.c.limit_price),
    else_=_DONE.c.limit_price - _DONE.c.average_price,
)
_WORSE_PERCENT = func.greatest(100 * _WORSE / func.abs(_DONE.c.limit_price), 0).cast(Float)
HISTOGRAMS: dict[str, Select[Any]] = {
    "htbot_order_latency_seconds": select(
        OrderRow.purpose.label("label"), _seconds(OrderRow.submitted_at - IntentRow.created_at)
    ).join(IntentRow, IntentRow.ref == OrderRow.ref),
    "htbot_order_fill_time_seconds": select(
        _DONE.c.purpose.label("label"), _seconds(_DONE.c.filled_at - _DONE.c.submitted_at)
    ),
    "htbot_trade_execution_duration_seconds": select(
        _DONE.c.strategy.label("label"), _seconds(_DONE.c.filled_at - _DONE.c.created_at)
    ).where(_DONE.c.purpose == Purpose.ENTRY),
    "htbot_slippage_percent": select(_DONE.c.purpose.label("label"), _WORSE_PERCENT.label("value")).where(
        _DONE.c.limit_price != 0, _DONE.c.average_price.is_not(None)
    ),
    "htbot_ladder_attempts": ladders.LIMITS_OF_ENDED,
    "htbot_signal_confidence": select(
        SignalRow.strategy.label("label"), SignalRow.indicators["confidence"].astext.cast(Float).label("value")
    ).where(SignalRow.indicators.has_key("confidence")),
}
"""By metric: the query of its values."""


@dataclass(frozen=True, slots=True)
class TradeCounts:
    """Of one strategy, symbol and direction: entries that filled, closed trades whose result is known, gains."""

    strategy: str
    symbol: str
    direction: int
    entered: int
    known: int
    gains: int


@dataclass(frozen=True, slots=True)
class Earned:
    """Net dollars of closed trades whose result is known: of the day, of its month, of all time."""

    day: Decimal | None
    month: Decimal | None
    total: Decimal


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts over the whole record, by label."""

    reached: dict[str, int]
    open_orders: dict[str, int]
    signals: dict[tuple[str, str, str, str], int]
    refusals: dict[str, int]
    errors: dict[str, int]
    fills: int
    alerts: dict[str, int]
    open_positions: int


@dataclass(frozen=True, slots=True)
class Runs:
    """Runs of one task that ended in one state: how many, how long they took by bucket, and the sum of seconds."""

    task: str
    state: str
    bucket: int
    count: int
    seconds: float


def counts(session: Session) -> Counts:
    """Counts over the whole record."""
    by_state = _grouped(session, OrderRow.state)
    return Counts(
        reached=_pairs(session, _REACHED),
        open_orders={state.value: count for state, count in by_state if state not in TERMINAL_ORDER_STATES},
        signals=_signals(session),
        refusals=_refusals(session),
        errors=_pairs(session, _ERRORS),
        fills=session.scalar(select(func.count(FillRow.execution_key.distinct()))) or 0,
        alerts={state.value: 0 for state in AlertState}
        | {state.value: count for state, count in _grouped(session, AlertRow.state)},
        open_positions=session.scalar(select(func.count()).select_from(PositionRow).where(PositionRow.quantity != 0))
        or 0,
    )


def _signals(session: Session) -> dict[tuple[str, str, str, str], int]:
    """By strategy, type, symbol, outcome."""
    outcome = case((WATCHED, "observed"), (SignalRow.accepted, "accepted"), else_="refused").label("outcome")
    columns = (SignalRow.strategy, SignalRow.symbol, SignalRow.action, SignalRow.direction, outcome)
    told = select(*columns, func.count()).group_by(*columns[:-1], literal_column("outcome"))
    found: dict[tuple[str, str, str, str], int] = defaultdict(int)
    for strategy, symbol, action, direction, ended, count in session.execute(told):
        kind = "leave" if action == "leave" else side(direction)
        found[strategy, kind, symbol, ended] += count
    return found


def _refusals(session: Session) -> dict[str, int]:
    """By rule. What was only watched was proposed by nobody."""
    rule = RiskDecisionRow.refused_by
    proposed = select(rule, func.count()).outerjoin(SignalRow, SignalRow.id == RiskDecisionRow.signal_id)
    meant = (rule.is_not(None), or_(SignalRow.id.is_(None), ~WATCHED))
    return {str(name): count for name, count in session.execute(proposed.where(*meant).group_by(rule))}


def side(direction: int) -> str:
    """The word of a direction as a label."""
    return "bull" if direction > 0 else "bear"


def trade_counts(session: Session) -> list[TradeCounts]:
    """Trades by strategy, symbol and direction."""
    entered = TradeRow.state.in_((TradeState.OPEN, TradeState.CLOSING, TradeState.CLOSED))
    net = TradeRow.gross_pnl_usd - TradeRow.commissions_usd
    known = (TradeRow.state == TradeState.CLOSED) & net.is_not(None)
    keys = (TradeRow.strategy, TradeRow.symbol, TradeRow.direction)
    query = select(
        *keys,
        func.count().filter(entered),
        func.count().filter(known),
        func.count().filter(known & (net > 0)),
    ).group_by(*keys)
    return [TradeCounts(*row) for row in session.execute(query)]


def earned(session: Session, day: date) -> dict[str, Earned]:
    """Net results by account; a day or month without a closed trade of an account is None."""
    net = TradeRow.gross_pnl_usd - TradeRow.commissions_usd
    midnight = datetime(day.year, day.month, day.day, tzinfo=NEW_YORK)
    tomorrow = midnight + timedelta(days=1)
    query = (
        select(
            TradeRow.account,
            func.sum(net).filter(on_day(TradeRow.closed_at, day)),
            func.sum(net).filter(TradeRow.closed_at >= midnight.replace(day=1), TradeRow.closed_at < tomorrow),
            func.sum(net),
        )
        .where(TradeRow.state == TradeState.CLOSED, net.is_not(None))
        .group_by(TradeRow.account)
    )
    return {row[0]: Earned(row[1], row[2], row[3] or Decimal(0)) for row in session.execute(query)}


def histogram(session: Session, values: Select[Any], bounds: Sequence[float]) -> Buckets:
    """The values of a query (columns `label`, `value`) by bucket; a value on a bound belongs below it, as `le` says."""
    measured = values.subquery()
    label, value = measured.c.label, measured.c.value
    place = _bucket(value, bounds).label("place")
    query = select(label, place, func.count(), func.sum(value)).where(value.is_not(None)).group_by(label, text("place"))
    found: Buckets = defaultdict(lambda: ([0] * (len(bounds) + 1), 0.0))
    for name, bucket, count, total in session.execute(query):
        tallied, so_far = found[str(name)]
        tallied[bucket] += count
        found[str(name)] = (tallied, so_far + total)
    return dict(found)


def averages(session: Session, values: Select[Any]) -> dict[str, float]:
    """By label, the mean of the values of a query (columns `label`, `value`)."""
    measured = values.subquery()
    query = select(measured.c.label, func.avg(measured.c.value)).where(measured.c.value.is_not(None))
    return {str(label): float(mean) for label, mean in session.execute(query.group_by(measured.c.label))}


def _bucket(value: ColumnElement[Any], bounds: Sequence[float]) -> ColumnElement[int]:
    """Number of the first bound that is not below the value. PostgreSQL counts from the other side, so it is turned."""
    turned = cast([-bound for bound in reversed(bounds)], ARRAY(Float))
    return len(bounds) - func.width_bucket(-value, turned)


def task_runs(session: Session, since: datetime | None, until: datetime, bounds: Sequence[float]) -> list[Runs]:
    """Runs that began from `since` up to before `until` (wall time, None = ever) and have ended."""
    taken = func.extract("epoch", TaskRunRow.finished_at - TaskRunRow.started_at).cast(Float)
    query = (
        select(TaskRunRow.task, TaskRunRow.state, _bucket(taken, bounds).label("place"), func.count(), func.sum(taken))
        .where(TaskRunRow.finished_at.is_not(None), TaskRunRow.started_at < until)
        .group_by(TaskRunRow.task, TaskRunRow.state, text("place"))
    )
    if since is not None:
        query = query.where(TaskRunRow.started_at >= since)
    return [
        Runs(task, state.value, int(place), count, float(seconds))
        for task, state, place, count, seconds in session.execute(query)
    ]


def process_starts(session: Session) -> dict[str, datetime]:
    """The last start of each kind of process: the word before `@` or `:` in its name."""
    found: dict[str, datetime] = {}
    for name, started_at in session.execute(select(ProcessRow.name, ProcessRow.started_at)):
        kind = name.partition("@")[0].partition(":")[0]
        found[kind] = max(started_at, found.get(kind, started_at))
    return found


def last_task_end(session: Session, within: timedelta, host_now: datetime) -> datetime | None:
    """When a worker last ended a task, None when not within a while."""
    query = select(func.max(TaskRunRow.finished_at)).where(TaskRunRow.started_at >= host_now - within)
    return session.scalar(query)


def server(session: Session) -> tuple[int, int, dict[str, int]]:
    """Size of the record in bytes, connections to it, rows ever written by table as PostgreSQL counted them."""
    size = session.scalar(text("SELECT pg_database_size(current_database())")) or 0
    connections = session.scalar(text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")) or 0
    written = _pairs(
        session,
        text("SELECT relname, n_tup_ins FROM pg_stat_user_tables WHERE schemaname = current_schema() ORDER BY relname"),
    )
    return size, connections, written


def _pairs(session: Session, query: TextClause) -> dict[str, int]:
    return {row[0]: row[1] for row in session.execute(query)}


def _grouped(session: Session, column: Any) -> list[tuple[Any, int]]:
    return [(value, count) for value, count in session.execute(select(column, func.count()).group_by(column))]
