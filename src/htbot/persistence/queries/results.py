"""What closed trades have come to: only what metrics are made of, however many there are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from htbot.domain.orders import ExitReason
from htbot.domain.trades import TradeState
from htbot.persistence.rows.trades import TradeRow


@dataclass(frozen=True, slots=True)
class ClosedTrade:
    """One closed trade; dollars, None while the broker has not told a commission."""

    id: str
    strategy: str
    account: str
    symbol: str
    direction: int
    opened_at: datetime
    closed_at: datetime
    exit_reason: ExitReason | None
    gross_pnl: Decimal | None
    commissions: Decimal | None
    max_gain: Decimal | None
    config_hash: str

    @property
    def net_pnl(self) -> Decimal | None:
        """Gross less commissions, None while either is unknown."""
        if self.gross_pnl is None or self.commissions is None:
            return None
        return self.gross_pnl - self.commissions


def closed_trades(session: Session, account: str | None = None) -> list[ClosedTrade]:
    """Of an account or of all, in order of their exit."""
    query = select(
        TradeRow.id,
        TradeRow.strategy,
        TradeRow.account,
        TradeRow.symbol,
        TradeRow.direction,
        TradeRow.opened_at,
        TradeRow.closed_at,
        TradeRow.exit_reason,
        TradeRow.gross_pnl_usd,
        TradeRow.commissions_usd,
        TradeRow.max_gain_usd,
        TradeRow.config_hash,
    ).where(TradeRow.state == TradeState.CLOSED, TradeRow.closed_at.isnot(None))
    if account is not None:
        query = query.where(TradeRow.account == account)
    rows: Iterable[Any] = session.execute(query.order_by(TradeRow.closed_at, TradeRow.id))
    return [ClosedTrade(*row) for row in rows]
