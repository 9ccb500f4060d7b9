"""Marks of trades over time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from htbot.domain.orders import Action, Purpose
from htbot.domain.trades import less, sum_of
from htbot.persistence.executions import in_force
from htbot.persistence.rows.intents import IntentRow
from htbot.persistence.rows.orders import FillRow
from htbot.persistence.rows.portfolio import PnlSnapshotRow
from htbot.persistence.rows.trades import TradeRow


@dataclass(frozen=True, slots=True)
class MarkedPnl:
    """P&L of an open trade in USD at a market time: what is left at mid, what was sold before, less commissions paid.

    None when a quote was missing, or a commission has not been told.
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
    marks, booked = [MarkedPnl(*row) for row in session.execute(query)], _booked(session, trade_ids)
    return [
        replace(mark, pnl=sum_of([mark.pnl, *(usd for at, usd in booked[mark.trade_id] if at <= mark.as_of)]))
        for mark in marks
    ]


def _booked(session: Session, trade_ids: Sequence[str]) -> dict[str, list[tuple[datetime, Decimal | None]]]:
    """What each execution has realised in USD, less its commission, by trade."""
    query = (
        select(IntentRow.trade_id, IntentRow.purpose, FillRow, TradeRow)
        .join(IntentRow, IntentRow.ref == FillRow.ref)
        .join(TradeRow, TradeRow.id == IntentRow.trade_id)
        .where(IntentRow.trade_id.in_(trade_ids), in_force())
    )
    found: dict[str, list[tuple[datetime, Decimal | None]]] = defaultdict(list)
    for trade_id, purpose, fill, trade in session.execute(query):
        realised = Decimal(0)
        if purpose is Purpose.EXIT and trade.credit is not None:
            price = fill.price if fill.side is Action.SELL else -fill.price
            entered = trade.credit / sum(abs(leg["ratio"]) for leg in trade.legs)
            realised = (price + entered) * fill.quantity * fill.multiplier
        found[trade_id].append((fill.executed_at, less(realised, fill.commission)))
    return found
