"""Evaluations, signals and risk decisions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any, cast
from uuid import UUID

from psycopg2.extras import execute_values
from sqlalchemy import Table, select
from sqlalchemy.dialects.postgresql import insert

from htbot.domain.decisions import Approved, RiskDecision, RiskRefusal
from htbot.domain.signals import Direction, Evaluation, Signal
from htbot.persistence.codecs import numbers_to_json, outcomes_from_json, outcomes_to_json
from htbot.persistence.engine import to_json
from htbot.persistence.records import StoredSignal, StrategyInstance
from htbot.persistence.repositories.base import Repository, on_day
from htbot.persistence.rows.signals import EvaluationRow, RiskDecisionRow, SignalRow

# Written at every instant, so it is built once.
_ADD_EVALUATION = insert(cast(Table, EvaluationRow.__table__)).on_conflict_do_nothing()
_ADD_EVALUATIONS = """
INSERT INTO evaluations (strategy, account, symbol, as_of, trend, high, low, why_not, indicators) VALUES %s
ON CONFLICT DO NOTHING
"""
_ADD_SIGNALS = "INSERT INTO signals ({}) VALUES %s ON CONFLICT DO NOTHING RETURNING strategy, bar_start"
_LAST_WORDS = """
SELECT asked.name, last.as_of, last.why_not FROM unnest(%s::text[], %s::text[]) AS asked (name, account), LATERAL (
    SELECT as_of, why_not FROM evaluations WHERE strategy = asked.name
      AND account = COALESCE(
          asked.account,
          (SELECT account FROM accounts ORDER BY accounts.name <> 'main', accounts.as_of DESC, account LIMIT 1)
      )
    ORDER BY evaluations.as_of DESC LIMIT 1
) AS last
"""
_PAGE = 1000


class EvaluationRepository(Repository):
    """Every look of every strategy, with the reason why nothing happened (RULINGS 38)."""

    def add(self, evaluation: Evaluation) -> bool:
        """Store an evaluation; False when this strategy has looked at this symbol at this `as_of` before."""
        values = {
            "strategy": evaluation.strategy,
            "account": evaluation.account,
            "symbol": evaluation.symbol,
            "as_of": evaluation.as_of,
            "trend": evaluation.trend,
            "high": evaluation.high,
            "low": evaluation.low,
            "why_not": evaluation.why_not,
            "indicators": numbers_to_json(evaluation.indicators),
        }
        return self._count(_ADD_EVALUATION, values) == 1

    def add_all(self, evaluations: Iterable[Evaluation]) -> int:
        """Store many looks and return how many are new."""
        rows = [_evaluation_fields(one) for one in evaluations]
        cursor, stored = self._session.connection().connection.cursor(), 0
        try:
            for at in range(0, len(rows), _PAGE):
                page = rows[at : at + _PAGE]
                execute_values(cursor, _ADD_EVALUATIONS, page, page_size=len(page))
                stored += cursor.rowcount
        finally:
            cursor.close()
        return stored

    def last_words(self, asked: Iterable[StrategyInstance]) -> dict[str, tuple[datetime, str | None]]:
        """By name: when each of these was last evaluated, in the account that it trades, and why nothing happened."""
        instances = sorted(asked, key=lambda one: one.name)
        cursor = self._session.connection().connection.cursor()
        try:
            cursor.execute(_LAST_WORDS, ([one.name for one in instances], [one.account for one in instances]))
            return {name: (at, why_not) for name, at, why_not in cursor.fetchall()}
        finally:
            cursor.close()

    def latest(self, strategy: str, account: str, as_of: datetime) -> Evaluation | None:
        """The last look up to `as_of`."""
        query = (
            select(EvaluationRow)
            .where(EvaluationRow.strategy == strategy, EvaluationRow.account == account, EvaluationRow.as_of <= as_of)
            .order_by(EvaluationRow.as_of.desc())
        )
        return self._first(query, _to_evaluation)

    def of_day(self, day: date, account: str) -> list[Evaluation]:
        """Every look on a New York day, in order of time."""
        query = select(EvaluationRow).where(EvaluationRow.account == account, on_day(EvaluationRow.as_of, day))
        return self._all(
            query.order_by(EvaluationRow.as_of, EvaluationRow.strategy, EvaluationRow.symbol), _to_evaluation
        )


class SignalRepository(Repository):
    """Signals with their outcome; each one spends its level (RULINGS 2), one of watching for the watching only."""

    def add(self, signal: Signal, refused_by: str | None) -> int | None:
        """Store a signal and return its id; None when its level was spent before, or its bar has one.

        `refused_by` is the reason of the refusal as people read it, None when risk approved.
        """
        statement = insert(SignalRow).values(_signal_fields(signal, refused_by))
        return self._session.scalar(statement.on_conflict_do_nothing().returning(SignalRow.id))

    def add_all(self, signals: Iterable[Signal], refused_by: str) -> set[tuple[str, datetime]]:
        """Store many refused signals of closed bars; strategy and start of the bar of those that are new."""
        rows = [_signal_fields(signal, refused_by) for signal in signals]
        values = [[to_json(value) if isinstance(value, dict) else value for value in row.values()] for row in rows]
        if not rows:
            return set()
        cursor = self._session.connection().connection.cursor()
        try:
            statement = _ADD_SIGNALS.format(", ".join(rows[0]))
            return set(execute_values(cursor, statement, values, page_size=_PAGE, fetch=True))
        finally:
            cursor.close()

    def spent_levels(self, strategy: str, account: str, session: date, as_of: datetime) -> frozenset[tuple[int, float]]:
        """(direction, level) of every signal of the session up to `as_of`."""
        query = select(SignalRow.direction, SignalRow.level).where(
            SignalRow.strategy == strategy,
            SignalRow.account == account,
            SignalRow.session == session,
            SignalRow.as_of <= as_of,
        )
        return frozenset((direction, level) for direction, level in self._session.execute(query))

    def of_session(self, session: date, account: str | None = None) -> list[StoredSignal]:
        """Signals of one session in order of time."""
        query = select(SignalRow).where(SignalRow.session == session).order_by(SignalRow.as_of, SignalRow.id)
        if account is not None:
            query = query.where(SignalRow.account == account)
        return self._all(query, _to_signal)

    def recent(self, limit: int = 100, account: str | None = None) -> list[StoredSignal]:
        """The last signals, newest first."""
        query = select(SignalRow).order_by(SignalRow.as_of.desc(), SignalRow.id.desc()).limit(limit)
        if account is not None:
            query = query.where(SignalRow.account == account)
        return self._all(query, _to_signal)

    def latest(self, strategy: str, account: str, as_of: datetime) -> StoredSignal | None:
        """The last signal of a strategy up to `as_of`."""
        query = (
            select(SignalRow)
            .where(SignalRow.strategy == strategy, SignalRow.account == account, SignalRow.as_of <= as_of)
            .order_by(SignalRow.as_of.desc(), SignalRow.id.desc())
        )
        return self._first(query, _to_signal)

    def of_decision(self, decision_id: UUID) -> StoredSignal | None:
        """The signal that a risk decision answered."""
        query = select(SignalRow).join(RiskDecisionRow, RiskDecisionRow.signal_id == SignalRow.id)
        return self._first(query.where(RiskDecisionRow.id == decision_id), _to_signal)


class RiskDecisionRepository(Repository):
    """Answers of the risk gate."""

    def add(self, decision: RiskDecision, signal_id: int | None = None) -> bool:
        """Store a decision; False when it is there already (its id is made from its signal)."""
        approved = isinstance(decision, Approved)
        values = {
            "id": decision.id,
            "signal_id": signal_id,
            "as_of": decision.as_of,
            "approved": approved,
            "refused_by": decision.refused_by.rule if isinstance(decision, RiskRefusal) else None,
            "outcomes": outcomes_to_json(decision.outcomes),
        }
        return self._count(insert(RiskDecisionRow).values(values).on_conflict_do_nothing()) == 1

    def get(self, decision_id: UUID) -> RiskDecision | None:
        """One decision with every rule's limit and value."""
        return self._first(select(RiskDecisionRow).where(RiskDecisionRow.id == decision_id), _to_decision)

    def of_signals(self, signal_ids: list[int]) -> Mapping[int, RiskDecision]:
        """Decisions by the id of the signal that they answered."""
        query = select(RiskDecisionRow).where(RiskDecisionRow.signal_id.in_(signal_ids))
        pairs = self._all(query, lambda row: (row.signal_id, _to_decision(row)))
        return {signal_id: decision for signal_id, decision in pairs if signal_id is not None}


def _evaluation_fields(one: Evaluation) -> tuple[Any, ...]:
    indicators = to_json(numbers_to_json(one.indicators))
    return one.strategy, one.account, one.symbol, one.as_of, one.trend, one.high, one.low, one.why_not, indicators


def _signal_fields(signal: Signal, refused_by: str | None) -> dict[str, Any]:
    return {
        "strategy": signal.strategy,
        "account": signal.account,
        "symbol": signal.symbol,
        "session": signal.session,
        "as_of": signal.as_of,
        "direction": int(signal.direction),
        "level": signal.level,
        "price": signal.price,
        "trend": signal.trend,
        "reason": signal.reason,
        "levels": numbers_to_json(signal.levels),
        "indicators": numbers_to_json(signal.indicators),
        "accepted": refused_by is None,
        "refused_by": refused_by,
        "action": signal.action,
        "bar_start": signal.bar_start,
        "observed": signal.observed,
    }


def _to_evaluation(row: EvaluationRow) -> Evaluation:
    return Evaluation(
        strategy=row.strategy,
        account=row.account,
        symbol=row.symbol,
        as_of=row.as_of,
        trend=row.trend,
        high=row.high,
        low=row.low,
        why_not=row.why_not,
        indicators=row.indicators,
    )


def _to_signal(row: SignalRow) -> StoredSignal:
    signal = Signal(
        strategy=row.strategy,
        account=row.account,
        symbol=row.symbol,
        session=row.session,
        as_of=row.as_of,
        direction=Direction(row.direction),
        level=row.level,
        price=row.price,
        trend=row.trend,
        reason=row.reason,
        levels=row.levels,
        indicators=row.indicators,
        action="leave" if row.action == "leave" else "enter",
        bar_start=row.bar_start,
        observed=row.observed,
    )
    return StoredSignal(row.id, signal, row.refused_by)


def _to_decision(row: RiskDecisionRow) -> RiskDecision:
    outcomes = outcomes_from_json(row.outcomes)
    return Approved(row.id, row.as_of, outcomes) if row.approved else RiskRefusal(row.id, row.as_of, outcomes)
