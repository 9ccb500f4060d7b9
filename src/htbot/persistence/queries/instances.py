"""Instances of strategies: how each stands, and how many there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from htbot.persistence.records import TRADE, StrategyInstance
from htbot.persistence.repositories import EvaluationRepository
from htbot.persistence.repositories.strategies import instance_of
from htbot.persistence.rows.strategies import StrategyRow
from htbot.persistence.rows.trades import TradeRow
from htbot.persistence.states import LIVE_TRADE_STATES


@dataclass(frozen=True, slots=True)
class InstanceStatus:
    """An instance and its last look at market time `as_of`; `why_not` null beside a time: a signal fired.

    `state` is in_trade (its trade is not over), disabled, new (not looked at yet) or flat, the first that is true.
    """

    name: str
    type: str
    symbol: str
    minutes: int
    mode: str
    enabled: bool
    state: str
    as_of: datetime | None
    why_not: str | None


@dataclass(frozen=True, slots=True)
class InstanceCounts:
    """How many instances there are; `trading`: enabled and in mode trade, `in_trade`: their trade is not over."""

    total: int = 0
    enabled: int = 0
    trading: int = 0
    in_trade: int = 0


_HOLDING = select(TradeRow.strategy).where(TradeRow.state.in_(LIVE_TRADE_STATES))


def first_instances(session: Session, limit: int) -> list[InstanceStatus]:
    """Of the instances so many: those in a trade, then those that trade, are enabled, are not; each by name."""
    in_trade, trades = StrategyRow.name.in_(_HOLDING), StrategyRow.mode == TRADE
    order = (in_trade.desc(), (StrategyRow.enabled & trades).desc(), StrategyRow.enabled.desc(), StrategyRow.name)
    return standing(session, session.scalars(select(StrategyRow).order_by(*order).limit(limit)).all())


def standing(session: Session, rows: Sequence[StrategyRow]) -> list[InstanceStatus]:
    """Each of these instances as it is set and as it stands."""
    found = [instance_of(row) for row in rows]
    said = EvaluationRepository(session).last_words(found)
    holding = set(session.scalars(_HOLDING.distinct()))
    return [_instance(one, *said.get(one.name, (None, None)), holds=one.name in holding) for one in found]


def instance_counts(session: Session) -> InstanceCounts:
    """How many instances there are, and of each kind."""
    query = select(
        func.count(),
        func.count().filter(StrategyRow.enabled),
        func.count().filter(StrategyRow.enabled, StrategyRow.mode == TRADE),
        func.count().filter(StrategyRow.name.in_(_HOLDING)),
    ).select_from(StrategyRow)
    return InstanceCounts(*session.execute(query).one())


def _instance(one: StrategyInstance, as_of: datetime | None, why_not: str | None, *, holds: bool) -> InstanceStatus:
    checks = ((holds, "in_trade"), (not one.enabled, "disabled"), (as_of is None, "new"))
    return InstanceStatus(
        name=one.name,
        type=one.type,
        symbol=one.symbol,
        minutes=one.minutes,
        mode=one.mode,
        enabled=one.enabled,
        state=next((state for met, state in checks if met), "flat"),
        as_of=as_of,
        why_not=why_not,
    )
