"""Long lists of the record, page by page, newest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from htbot.domain.orders import OrderState, Purpose
from htbot.domain.signals import POSITION_NUMBERS
from htbot.persistence.queries.instances import InstanceStatus, standing
from htbot.persistence.queries.paging import Keyset, Page, PageRequest, page_of
from htbot.persistence.queries.reconciliation import ReconciliationView, run_views
from htbot.persistence.queries.shapes import AlertView, OrderView, PositionView, SignalView
from htbot.persistence.queries.trading import order_view, position_views, signal_view
from htbot.persistence.queries.watch import alert_view
from htbot.persistence.records import Halt
from htbot.persistence.repositories.audit import of_family
from htbot.persistence.repositories.base import on_day
from htbot.persistence.repositories.halts import halt_of
from htbot.persistence.rows.alerts import AlertRow
from htbot.persistence.rows.control import AuditRow, HaltRow
from htbot.persistence.rows.intents import IntentRow
from htbot.persistence.rows.orders import OrderRow
from htbot.persistence.rows.portfolio import PositionRow
from htbot.persistence.rows.reconciliation import ReconciliationRunRow
from htbot.persistence.rows.signals import EvaluationRow, RiskDecisionRow, SignalRow
from htbot.persistence.rows.strategies import StrategyRow
from htbot.persistence.states import TERMINAL_ORDER_STATES, HaltKind


@dataclass(frozen=True, slots=True)
class Filters:
    """What may be asked of a list; each list takes those that it has. None is anything."""

    account: str | None = None
    symbol: str | None = None
    strategy: str | None = None
    day: date | None = None
    status: OrderState | None = None
    working: bool | None = None
    purpose: Purpose | None = None
    kind: str | HaltKind | None = None
    severity: str | None = None
    acknowledged: bool | None = None
    fired: bool | None = None
    in_force: bool | None = None
    enabled: bool | None = None
    mode: str | None = None
    verdict: str | None = None
    action: str | None = None
    actor: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class AuditView:
    """One act. `at` is market time, `recorded_at` wall time; `lane`, `seq` and `hash` are its place in the chain."""

    id: int
    at: datetime
    actor: str
    action: str
    subject: str
    detail: dict[str, Any]
    recorded_at: datetime
    lane: str
    seq: int
    hash: str


@dataclass(frozen=True, slots=True)
class EvaluationView:
    """One look of a strategy: what it saw, why nothing happened, or the signal and what every rule compared."""

    id: int
    strategy: str
    account: str
    symbol: str
    as_of: datetime
    trend: int
    high: float | None
    low: float | None
    why_not: str | None
    indicators: dict[str, Any]
    signal: SignalView | None = None
    outcomes: list[dict[str, Any]] = field(default_factory=list)

    @property
    def known_trend(self) -> int | None:
        """+1, -1, or 0 when there is none; None of a strategy that has no numbers for one, but of what it holds."""
        return self.trend if self.trend or self.indicators.keys() - POSITION_NUMBERS else None


_ORDERS = Keyset((OrderRow.submitted_at, OrderRow.ref), (datetime, str))
_POSITIONS = Keyset((PositionRow.account, PositionRow.con_id), (str, int), newest_first=False)
_BY_NAME = Keyset((StrategyRow.name,), (str,), newest_first=False)
_LOOKS_OF_ONE = Keyset((EvaluationRow.as_of, EvaluationRow.id), (datetime, int))
"""In this order the looks of one strategy are found by its own index, however rare they are among all."""
_BY_ID = {row: Keyset((row.id,), (int,)) for row in (AuditRow, AlertRow, HaltRow, EvaluationRow, ReconciliationRunRow)}


def orders(session: Session, asked: PageRequest, chosen: Filters) -> Page[OrderView]:
    """Orders at the broker."""
    query = _equal(
        select(OrderRow),
        (OrderRow.account, chosen.account),
        (OrderRow.state, chosen.status),
        (OrderRow.purpose, chosen.purpose),
    )
    if chosen.working is not None:
        over = OrderRow.state.in_(TERMINAL_ORDER_STATES)
        query = query.where(~over if chosen.working else over)
    if chosen.symbol is not None or chosen.day is not None:
        query = query.join(IntentRow, IntentRow.ref == OrderRow.ref)
        query = _equal(query, (IntentRow.symbol, chosen.symbol), (IntentRow.session, chosen.day))
    rows, following = _ORDERS.page(session, query, asked, chosen)
    intents = {row.ref: row for row in session.scalars(select(IntentRow).where(IntentRow.ref.in_(_refs(rows))))}
    return Page([order_view(row, intents[row.ref]) for row in rows], following)


def order(session: Session, ref: str) -> OrderView | None:
    """One order, or None."""
    query = select(OrderRow, IntentRow).join(IntentRow, IntentRow.ref == OrderRow.ref).where(OrderRow.ref == ref)
    found = session.execute(query).first()
    return None if found is None else order_view(*found)


def positions(session: Session, asked: PageRequest, chosen: Filters) -> Page[PositionView]:
    """What is held, by account and contract; flat ones are left out."""
    query = select(PositionRow).where(PositionRow.quantity != 0)
    query = _equal(query, (PositionRow.account, chosen.account), (PositionRow.symbol, chosen.symbol))
    rows, following = _POSITIONS.page(session, query, asked, chosen)
    return Page(position_views(session, rows), following)


def audit(session: Session, asked: PageRequest, chosen: Filters) -> Page[AuditView]:
    """Acts; an action is also the family of those that begin with it and a dot."""
    query = _equal(select(AuditRow), (AuditRow.actor, chosen.actor))
    if chosen.action is not None:
        query = query.where(of_family(chosen.action))
    rows = _BY_ID[AuditRow].page(session, _between(query, AuditRow.at, chosen), asked, chosen)
    return page_of(rows, _audit_view)


def alerts(session: Session, asked: PageRequest, chosen: Filters) -> Page[AlertView]:
    """Messages to people, those of no account with those of each."""
    query = _equal(select(AlertRow), (AlertRow.kind, chosen.kind), (AlertRow.severity, chosen.severity))
    if chosen.account is not None:
        query = query.where(AlertRow.account.in_((chosen.account, "")))
    if chosen.acknowledged is not None:
        open_ = AlertRow.acknowledged_at.is_(None)
        query = query.where(~open_ if chosen.acknowledged else open_)
    rows = _BY_ID[AlertRow].page(session, _between(query, AlertRow.as_of, chosen), asked, chosen)
    return page_of(rows, alert_view)


def alert(session: Session, alert_id: int) -> AlertView | None:
    """One message, or None."""
    row = session.get(AlertRow, alert_id, populate_existing=True)
    return None if row is None else alert_view(row)


def halts(session: Session, asked: PageRequest, chosen: Filters, market_now: datetime) -> Page[Halt]:
    """Halts and trips; `in_force` is judged at the market time given."""
    query = _equal(select(HaltRow), (HaltRow.kind, chosen.kind))
    if chosen.in_force is not None:
        stands = HaltRow.cleared_at.is_(None) & (HaltRow.ends_at.is_(None) | (HaltRow.ends_at > market_now))
        query = query.where(stands if chosen.in_force else ~stands)
    return page_of(_BY_ID[HaltRow].page(session, query, asked, chosen), halt_of)


def reconciliations(session: Session, asked: PageRequest, chosen: Filters) -> Page[ReconciliationView]:
    """Comparisons with the broker that were worth keeping, with what did not match."""
    query = _equal(
        select(ReconciliationRunRow),
        (ReconciliationRunRow.account, chosen.account),
        (ReconciliationRunRow.verdict, chosen.verdict),
    )
    rows, following = _BY_ID[ReconciliationRunRow].page(
        session, _between(query, ReconciliationRunRow.as_of, chosen), asked, chosen
    )
    return Page(run_views(session, rows), following)


def evaluations(session: Session, asked: PageRequest, chosen: Filters) -> Page[EvaluationView]:
    """What was decided in each cycle, and why nothing happened."""
    query = _equal(
        select(EvaluationRow),
        (EvaluationRow.strategy, chosen.strategy),
        (EvaluationRow.account, chosen.account),
        (EvaluationRow.symbol, chosen.symbol),
    )
    if chosen.fired is not None:
        quiet = EvaluationRow.why_not.isnot(None)
        query = query.where(~quiet if chosen.fired else quiet)
    order = _BY_ID[EvaluationRow] if chosen.strategy is None else _LOOKS_OF_ONE
    rows, following = order.page(session, _between(query, EvaluationRow.as_of, chosen), asked, chosen)
    fired = _fired(session, [row for row in rows if row.why_not is None])
    return Page([_evaluation_view(row, fired.get(_look(row))) for row in rows], following)


def instances(session: Session, asked: PageRequest, chosen: Filters) -> Page[InstanceStatus]:
    """Instances of strategies by name, as each is set and stands."""
    query = _equal(
        select(StrategyRow),
        (StrategyRow.type, chosen.kind),
        (StrategyRow.symbol, chosen.symbol),
        (StrategyRow.enabled, chosen.enabled),
        (StrategyRow.mode, chosen.mode),
    )
    rows, following = _BY_NAME.page(session, query, asked, chosen)
    return Page(standing(session, rows), following)


def _fired(
    session: Session, rows: Sequence[EvaluationRow]
) -> dict[tuple[Any, ...], tuple[SignalRow, RiskDecisionRow | None]]:
    """Signal and decision of each look that fired, by look."""
    query = (
        select(SignalRow, RiskDecisionRow)
        .outerjoin(RiskDecisionRow, RiskDecisionRow.signal_id == SignalRow.id)
        .where(SignalRow.as_of.in_({row.as_of for row in rows}), SignalRow.strategy.in_({row.strategy for row in rows}))
        .order_by(SignalRow.id.desc())
    )
    return {_look(signal): (signal, decision) for signal, decision in session.execute(query)} if rows else {}


def _look(row: EvaluationRow | SignalRow) -> tuple[Any, ...]:
    return row.strategy, row.account, row.symbol, row.as_of


def _equal(query: Select[Any], *wanted: tuple[InstrumentedAttribute[Any], Any]) -> Select[Any]:
    for column, value in wanted:
        if value is not None:
            query = query.where(column == value)
    return query


def _between(query: Select[Any], column: InstrumentedAttribute[datetime], chosen: Filters) -> Select[Any]:
    """Within a New York day, from `since` (inclusive) to `until` (exclusive)."""
    if chosen.day is not None:
        query = query.where(on_day(column, chosen.day))
    if chosen.since is not None:
        query = query.where(column >= chosen.since)
    return query if chosen.until is None else query.where(column < chosen.until)


def _refs(rows: Sequence[OrderRow]) -> list[str]:
    return [row.ref for row in rows]


def _audit_view(row: AuditRow) -> AuditView:
    place = (row.recorded_at, row.lane, row.seq, row.hash)
    return AuditView(row.id, row.at, row.actor, row.action, row.subject, row.detail, *place)


def _evaluation_view(row: EvaluationRow, fired: tuple[SignalRow, RiskDecisionRow | None] | None) -> EvaluationView:
    decision = None if fired is None else fired[1]
    return EvaluationView(
        id=row.id,
        strategy=row.strategy,
        account=row.account,
        symbol=row.symbol,
        as_of=row.as_of,
        trend=row.trend,
        high=row.high,
        low=row.low,
        why_not=row.why_not,
        indicators=row.indicators,
        signal=None if fired is None else signal_view(*fired),
        outcomes=[] if decision is None else decision.outcomes,
    )
