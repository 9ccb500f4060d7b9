"""What the record says of one strategy in one account at one instant: what rules look at besides the market."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Book:
    """State of (strategy, account) at `as_of`, read in the transaction that stores the decision.

    `open_trades` counts trades that are opening, open or closing; `working_orders` and `orders_last_minute` count the
    account's orders; `next_sequence` is one above the highest entry sequence of (strategy, account, session).
    `spent_levels` holds (direction, level) of every signal of the session (RULINGS 2). Realised figures are net of the
    commissions known so far and negative for losses. `open_maximum_loss_usd` is positive: what the account's open and
    opening trades can still lose. `halted_by` is the text of the halt in force, None when there is none; `reconciled`
    is False until books and broker agree.
    """

    open_trades: int = 0
    working_orders: int = 0
    entries_today: int = 0
    next_sequence: int = 1
    spent_levels: frozenset[tuple[int, float]] = field(default_factory=frozenset)
    last_exit_at: datetime | None = None
    last_entry_at: datetime | None = None
    strategy_realized_today_usd: Decimal = Decimal(0)
    account_realized_today_usd: Decimal = Decimal(0)
    open_maximum_loss_usd: Decimal = Decimal(0)
    orders_last_minute: int = 0
    halted_by: str | None = None
    reconciled: bool = False
