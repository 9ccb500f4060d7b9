"""Marks of trades over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from htbot.persistence.rows.portfolio import PnlSnapshotRow


@dataclass(frozen=True, slots=True)
class MarkedPnl:
    """P&L of an open trade at mid in USD at a market time; None when a quote was missing."""

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
    return [MarkedPnl(*row) for row in session.execute(query)]
