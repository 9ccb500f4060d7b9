"""What the record says of one strategy in one account at one instant: what rules look at besides the market."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class RecentOrder:
    """An entry of the strategy and when it was decided; `fingerprint` is the same for the same legs, side and size."""

    fingerprint: str
    at: datetime


@dataclass(frozen=True, slots=True)
class UnsettledTrade:
    """A trade that was entered beyond settled cash: New York days of its first fill and of its first sale, if any."""

    bought_on: date
    sold_on: date | None


@dataclass(frozen=True, slots=True)
class Book:
    """State of (strategy, account) at `as_of`, read in the transaction that stores the decision.

    `open_trades` counts trades that are opening, open or closing, `open_directions` are theirs; `working_orders`
    and `orders_last_minute` count the account's orders; `next_sequence` is one above the highest entry sequence of
    (strategy, account, session). `spent_levels` holds (direction, level) of every signal of the session (RULINGS
    2). Realised figures are net of the commissions known so far and negative for losses; a trade that was held over
    night counts whole on the day on which it is closed. `open_maximum_loss_usd` is
    positive: what the account's open and opening trades can still lose. `halted_by` is the text of the halt in
    force, None when there is none; `reconciled` is False until books and broker agree.

    `sides` holds (contract id, +1 bought or -1 sold) of every leg of those trades, over all strategies of the account.

    `account_open_trades` counts as `open_trades` does, over all strategies, `account_opened_today` those of them that
    were begun today. `trades_today` and `trades_this_week` (ISO
    week, New York) count the account's trades of any strategy that were filled or may still be. `orders_today` counts
    intents of the session, closes included; `recent_orders` are the strategy's entries of the last ten minutes, newest
    first;
    `signals_last_minute` counts what (strategy, account) signalled. `value_by_symbol_usd` is what those trades tie up:
    verticals their maximum loss, the rest its price; `unseen_value_usd` is the part of it that the broker's figures may
    not show yet: of entries that work or were filled within the last minute. `peak_equity_usd` is the highest equity
    on record, shifted by deposits and withdrawals, None before the first record. `sale_proceeds_usd` is what the sales
    of the last two weeks brought, by New York day. `unsettled_trades` are the account's of the last 15 months that were
    entered beyond settled cash.
    """

    open_trades: int = 0
    open_directions: frozenset[int] = frozenset()
    working_orders: int = 0
    entries_today: int = 0
    next_sequence: int = 1
    spent_levels: frozenset[tuple[int, float]] = field(default_factory=frozenset)
    sides: frozenset[tuple[int, int]] = frozenset()
    last_exit_at: datetime | None = None
    last_entry_at: datetime | None = None
    strategy_realized_today_usd: Decimal = Decimal(0)
    account_realized_today_usd: Decimal = Decimal(0)
    open_maximum_loss_usd: Decimal = Decimal(0)
    unseen_value_usd: Decimal = Decimal(0)
    orders_last_minute: int = 0
    account_open_trades: int = 0
    account_opened_today: int = 0
    trades_today: int = 0
    trades_this_week: int = 0
    orders_today: int = 0
    signals_last_minute: int = 0
    recent_orders: tuple[RecentOrder, ...] = ()
    value_by_symbol_usd: Mapping[str, Decimal] = field(default_factory=dict)
    peak_equity_usd: Decimal | None = None
    sale_proceeds_usd: Mapping[date, Decimal] = field(default_factory=dict)
    unsettled_trades: tuple[UnsettledTrade, ...] = ()
    halted_by: str | None = None
    reconciled: bool = False
