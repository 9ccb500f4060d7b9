"""Positions: a fold of fills, recomputable from zero."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from htbot.domain.instruments import Right


@dataclass(frozen=True, slots=True)
class Position:
    """Net holding of one contract in one account; `average_price` per unit, `realized_usd` without commissions."""

    account: str
    con_id: int
    symbol: str
    expiry: date | None
    strike: Decimal | None
    right: Right | None
    multiplier: int
    quantity: int = 0
    average_price: Decimal = Decimal(0)
    realized_usd: Decimal = Decimal(0)
    commissions_usd: Decimal = Decimal(0)
