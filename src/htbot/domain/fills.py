"""Fills: executions of single legs, append-only, keyed by the broker's execution id (RULINGS 3)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from htbot.domain.instruments import Right
from htbot.domain.orders import Action


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution of one contract; `price` per unit, `commission` None until the broker has reported it.

    `modelled` is the paper gateway's own word: its quote was a model's, not a recorded one (RULINGS 24).
    """

    exec_id: str
    ref: str
    account: str
    con_id: int
    symbol: str
    expiry: date | None
    strike: Decimal | None
    right: Right | None
    side: Action
    quantity: int
    price: Decimal
    multiplier: int
    executed_at: datetime
    perm_id: int
    commission: Decimal | None = None
    modelled: bool = False

    @property
    def signed_quantity(self) -> int:
        """Positive when bought, negative when sold."""
        return self.quantity if self.side is Action.BUY else -self.quantity

    @property
    def execution_key(self) -> str:
        """The execution id without its correction suffix: a correction replaces its original."""
        return self.exec_id.rpartition(".")[0] or self.exec_id
