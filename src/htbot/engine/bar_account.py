"""Account, limits and fees of a backtest on plain instruments, in whole micro-dollars (dialect of `domain.numeric`).

Integers, so that the books are the same to the last digit in both ways of running; a micro-dollar is finer than any
price that a file records.
"""

from __future__ import annotations

import math
from enum import IntEnum

from htbot.domain.numeric import Numeric

MICRO = 1_000_000
CENT_U = 10_000
BIG = 1 << 62
"""No limit."""


class Refusal(IntEnum):
    """Why an entry is refused; names are those of the rules in `risk/rules`, which do not know SIZE_ZERO."""

    NONE = 0
    ORDER_QUANTITY = 1
    ORDER_NOTIONAL = 2
    LEVERAGE = 3
    ENTRIES_PER_DAY = 4
    ACCOUNT_DAILY_LOSS = 5
    DRAWDOWN = 6
    SIZE_ZERO = 7
    ENTRY_WINDOW = 8
    CONCURRENT_TRADES = 9


def to_micro(price: float) -> int:
    """A price in micro-dollars, halves up."""
    return math.floor(price * 1e6 + 0.5)


class BarFees(Numeric):
    """Commission per order: IB's fixed plan for shares (`matching.fees`), or none."""

    per_unit_u: int
    least_u: int
    most_share: int

    def __init__(self, per_unit_u: int, least_u: int, most_share: int) -> None:
        self.per_unit_u = per_unit_u
        self.least_u = least_u
        self.most_share = most_share

    def of(self, quantity: int, value_u: int) -> int:
        """Commission in micro-dollars, rounded half up to the cent; at most 1 / `most_share` of the value."""
        if self.per_unit_u == 0:
            return 0
        fee = max(self.per_unit_u * quantity, self.least_u)
        if self.most_share > 0:
            fee = min(fee, value_u // self.most_share)
        return (fee + CENT_U // 2) // CENT_U * CENT_U


class BarLimits(Numeric):
    """What an entry must pass: the arithmetic of the rules of `risk/rules` that a plain instrument has. BIG: off."""

    quantity: int
    notional_u: int
    leverage: float
    entries_per_day: int
    daily_loss_u: int
    drawdown: float
    concurrent_trades: int

    def __init__(self) -> None:
        self.quantity = BIG
        self.notional_u = BIG
        self.leverage = math.inf
        self.entries_per_day = BIG
        self.daily_loss_u = BIG
        self.drawdown = math.inf
        self.concurrent_trades = BIG


class BarAccount(Numeric):
    """Equity, its peak, and what has happened today; realised money only, in micro-dollars.

    `held_u` is the value at entry of all that is held, long and short, in `positions` positions: several loops may
    share one account.
    """

    start_u: int
    realised_u: int
    peak_u: int
    session: int
    day_u: int
    entries: int
    held_u: int
    positions: int

    def __init__(self, cash_u: int) -> None:
        self.start_u = cash_u
        self.realised_u = 0
        self.peak_u = cash_u
        self.session = -1
        self.day_u = 0
        self.entries = 0
        self.held_u = 0
        self.positions = 0

    @property
    def equity_u(self) -> int:
        """Start plus what has been realised."""
        return self.start_u + self.realised_u

    def begin_day(self, session: int) -> None:
        """A new session: what counts per day starts from nothing."""
        self.session = session
        self.day_u = 0
        self.entries = 0

    def book(self, amount_u: int) -> None:
        """Money that has come in (or gone out)."""
        self.realised_u += amount_u
        self.day_u += amount_u
        self.peak_u = max(self.peak_u, self.equity_u)

    def refusal(self, limits: BarLimits, quantity: int, value_u: int) -> int:
        """The first limit that an entry of `quantity` units worth `value_u` does not pass; 0 when all are passed."""
        if quantity < 1:
            return Refusal.SIZE_ZERO
        refused = self._day_refusal(limits)
        return refused if refused != 0 else self._size_refusal(limits, quantity, value_u)

    def _day_refusal(self, limits: BarLimits) -> int:
        if self.entries >= limits.entries_per_day:
            return Refusal.ENTRIES_PER_DAY
        if -self.day_u >= limits.daily_loss_u:
            return Refusal.ACCOUNT_DAILY_LOSS
        if self.peak_u - self.equity_u >= limits.drawdown * self.peak_u:
            return Refusal.DRAWDOWN
        if self.positions >= limits.concurrent_trades:
            return Refusal.CONCURRENT_TRADES
        return Refusal.NONE

    def _size_refusal(self, limits: BarLimits, quantity: int, value_u: int) -> int:
        if quantity > limits.quantity:
            return Refusal.ORDER_QUANTITY
        if value_u > limits.notional_u:
            return Refusal.ORDER_NOTIONAL
        if self.held_u + value_u > limits.leverage * self.equity_u:
            return Refusal.LEVERAGE
        return Refusal.NONE
