"""Marks of trades over time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from htbot.domain.orders import Action
from htbot.persistence.executions import in_force
from htbot.persistence.rows.intents import IntentRow
from htbot.persistence.rows.orders import FillRow
from htbot.persistence.rows.portfolio import PnlSnapshotRow
from htbot.persistence.rows.trades import TradeRow


@dataclass(frozen=True, slots=True)
class MarkedPnl:
    """P&L of an open trade in USD at a market time: what is left at mid, and what profit levels have sold before.

    None when a quote was missing.
    """

    trade_id: str
    as_of: datetime
    pnl: Decimal | None


def marked_pnl(session: Session, trade_ids: Sequence[str]) -> list[MarkedPnl]:
    """Every mark of these trades, oldest first."""
    query = (
        select(PnlSnapshotRow.trade_id, PnlSnapshotRow.as_of, PnlSnapshotRow.mid_pnl_usd)
        .where(PnlSnapshotRow.trade_id.in_(trade_ids))
        .order_by(PnlSnapshotRow.as_of, PnlSnapshotRow.trade_id)
    )
    marks, sold = [MarkedPnl(*row) for row in session.execute(query)], _sold(session, trade_ids)
    return [
        replace(mark, pnl=sum((usd for at, usd in sold[mark.trade_id] if at <= mark.as_of), mark.pnl))
        if mark.pnl is not None and mark.trade_id in sold
        else mark
        for mark in marks
    ]


def _sold(session: Session, trade_ids: Sequence[str]) -> dict[str, list[tuple[datetime, Decimal]]]:
    """What each execution of a sale at a profit level has realised in USD, by trade."""
    query = (
        select(IntentRow.trade_id, FillRow, func.coalesce(TradeRow.credit, 0))
        .join(IntentRow, IntentRow.ref == FillRow.ref)
        .join(TradeRow, TradeRow.id == IntentRow.trade_id)
        .where(IntentRow.trade_id.in_(trade_ids), IntentRow.level.is_not(None), in_force())
    )
    found: dict[str, list[tuple[datetime, Decimal]]] = defaultdict(list)
    for trade_id, fill, credit in session.execute(query):
        price = fill.price if fill.side is Action.SELL else -fill.price
        found[trade_id].append((fill.executed_at, (price + credit) * fill.quantity * fill.multiplier))
    return found
