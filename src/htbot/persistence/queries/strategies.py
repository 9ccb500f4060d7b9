"""What strategies look at, what they have signalled and traded, counted."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from htbot.domain.signals import OBSERVED
from htbot.domain.trades import TradeState, plain_money
from htbot.persistence.rows.signals import SignalRow
from htbot.persistence.rows.strategies import StrategyRow
from htbot.persistence.rows.trades import TradeRow

WATCHED = or_(SignalRow.observed, func.coalesce(SignalRow.refused_by, "") == OBSERVED)
"""Signals of strategies that were only watched; those of before migration 0018 say so by who refused them."""


@dataclass(frozen=True, slots=True)
class SignalCount:
    """Signals of one strategy by action and outcome; those that were only watched are `observed`, refused or not."""

    enter: int = 0
    leave: int = 0
    accepted: int = 0
    refused: int = 0
    observed: int = 0
    last_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class TradeCount:
    """Trades of one strategy; `net_pnl` of the closed ones in dollars, null as soon as one of them is unknown."""

    open: int = 0
    closed: int = 0
    winners: int = 0
    net_pnl: Decimal | None = field(default_factory=lambda: Decimal(0))


def signal_counts(session: Session) -> dict[str, SignalCount]:
    """By strategy."""
    query = select(
        SignalRow.strategy,
        func.count().filter(SignalRow.action == "enter"),
        func.count().filter(SignalRow.action == "leave"),
        func.count().filter(SignalRow.accepted),
        func.count().filter(~SignalRow.accepted, ~WATCHED),
        func.count().filter(WATCHED),
        func.max(SignalRow.as_of),
    ).group_by(SignalRow.strategy)
    return {row[0]: SignalCount(row[1], row[2], row[3], row[4], row[5], row[6]) for row in session.execute(query)}


def trade_counts(session: Session) -> dict[str, TradeCount]:
    """By strategy; entries that ended without a fill are left out."""
    net = TradeRow.gross_pnl_usd - TradeRow.commissions_usd
    closed = TradeRow.state == TradeState.CLOSED
    query = (
        select(
            TradeRow.strategy,
            func.count().filter(~closed),
            func.count().filter(closed),
            func.count().filter(closed, net > 0),
            func.count().filter(closed, net.is_(None)),
            func.coalesce(func.sum(net).filter(closed), 0),
        )
        .where(TradeRow.state != TradeState.VOID)
        .group_by(TradeRow.strategy)
    )
    return {
        name: TradeCount(is_open, ended, winners, None if unknown else plain_money(Decimal(usd or 0)))
        for name, is_open, ended, winners, unknown, usd in session.execute(query)
    }


def active_symbols(session: Session) -> dict[str, int]:
    """Underlyings that enabled instances look at, by mode; each mode is told."""
    query = select(StrategyRow.mode, func.count(StrategyRow.symbol.distinct())).where(StrategyRow.enabled)
    found = {mode: count for mode, count in session.execute(query.group_by(StrategyRow.mode))}  # noqa: C416
    return {"observe": 0, "trade": 0} | found
