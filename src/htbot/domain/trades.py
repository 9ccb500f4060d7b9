"""A trade: one entry and its exit, from decision to net P&L."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from htbot.domain.orders import ExitReason
from htbot.domain.signals import Direction, SpreadLeg


class TradeState(StrEnum):
    """Where a trade stands. `VOID` = the entry ended without a fill."""

    OPENING = "opening"
    OPEN = "open"
    CLOSING = "closing"
    CLOSED = "closed"
    VOID = "void"


@dataclass(frozen=True, slots=True)
class ExitRules:
    """When this trade must be closed; dollars are per trade, times aware UTC. Fixed at entry, stored with the trade."""

    profit_target_usd: Decimal
    stop_loss_usd: Decimal
    exit_at: datetime
    flat_deadline: datetime
    pnl_basis: str = "mid"
    take_profit_fraction: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Trade:
    """One credit vertical from entry to exit; `credit` and `debit` positive per unit (RULINGS 32)."""

    id: str
    strategy: str
    account: str
    symbol: str
    session: date
    direction: Direction
    state: TradeState
    legs: tuple[SpreadLeg, ...]
    quantity: int
    width: Decimal
    rules: ExitRules
    config_hash: str
    opened_at: datetime
    closed_at: datetime | None = None
    credit: Decimal | None = None
    debit: Decimal | None = None
    exit_reason: ExitReason | None = None
    gross_pnl_usd: Decimal | None = None
    commissions_usd: Decimal | None = None
    max_gain_usd: Decimal | None = None

    @property
    def net_pnl_usd(self) -> Decimal | None:
        """Gross less commissions, or None while either is unknown."""
        if self.gross_pnl_usd is None or self.commissions_usd is None:
            return None
        return self.gross_pnl_usd - self.commissions_usd
