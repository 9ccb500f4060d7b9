"""Parts of the bar loop: where orders fill, why positions close, how much is bought (dialect of `domain.numeric`)."""

from __future__ import annotations

import math
from enum import IntEnum

from htbot.domain.numeric import Numeric, known
from htbot.engine.bar_account import BIG


class Fill(IntEnum):
    """Where orders fill (RULINGS 34)."""

    CLOSE = 0
    NEXT_OPEN = 1
    BOOK = 2


class Leave(IntEnum):
    """Why a position was closed; `REASONS` of `backtest.result` gives the names of INTERFACE."""

    STAY = 0
    PROFIT_TARGET = 1
    STOP_LOSS = 2
    TIME = 3
    MARKET_CLOSE = 4
    SIGNAL = 5
    PROFIT_LEVEL = 6


class Happened(IntEnum):
    """What came of a bar."""

    NOTHING = 0
    OPENED = 1
    CLOSED = 2


PROFIT_LEVELS = 3
"""So many gains at which a part is sold; with the last one what is left (spec 03 section 7f)."""
_GRAIN = 1e-9


class ExitPlan(Numeric):
    """When a position is closed without the strategy's word. BIG or UNKNOWN switches a rule off; minutes New York."""

    target_u: int
    stop_u: int
    exit_minute: int
    overnight: bool
    levels: bool
    gains: list[float]
    shares: list[float]
    hold_days: int

    def __init__(self) -> None:
        self.target_u = BIG
        self.stop_u = BIG
        self.exit_minute = BIG
        self.overnight = True
        self.levels = False
        self.gains = [0.05, 0.10, 0.20]
        self.shares = [0.25, 0.50, 1.0]
        self.hold_days = BIG

    def reached(self, spent: int, gain_u: int, basis_u: int) -> int:
        """The highest profit level that a gain on a basis has come to; `spent` where it has come to no new one."""
        reached = spent
        for level in range(PROFIT_LEVELS):
            if level >= reached and gain_u >= self.gains[level] * basis_u:
                reached = level + 1
        return reached

    def part(self, spent: int, reached: int, entered: int, left: int) -> int:
        """Units to sell for the levels after `spent` up to `reached`: shares of what was entered, in one order.

        At least 1 while more than 1 is left, so that a small lot is not held for ever; the last level sells the rest.
        """
        if reached == PROFIT_LEVELS:
            return left
        share = 0.0
        for level in range(spent, reached):
            share += self.shares[level]
        least = 1 if left > 1 else 0
        return min(left, max(least, math.floor(share * entered + _GRAIN)))


class Sizing(Numeric):
    """How much is bought: `fixed` units, or a share of the equity by confidence (spec 03 section 7a)."""

    fixed: int
    by_confidence: bool
    high: float
    medium: float
    low: float

    def __init__(self, fixed: int, by_confidence: bool) -> None:
        self.fixed = fixed
        self.by_confidence = by_confidence
        self.high = 0.04
        self.medium = 0.025
        self.low = 0.01

    def units(self, confidence: float, price_u: int, point_value: int, equity_u: int) -> int:
        """Whole units; 0 when the share of the equity does not buy one, or the confidence is not known."""
        if not self.by_confidence:
            return self.fixed
        if not known(confidence):
            return 0
        share = self.low
        if confidence >= 0.7:
            share = self.high
        elif confidence >= 0.4:
            share = self.medium
        return math.floor(share * equity_u / (price_u * point_value))


class Deal(Numeric):
    """A closed position, or a part of one: what the run writes down. Times in seconds, money in micro-dollars.

    `opened_s` is the time of the decision, `filled_s` that of the fill; `entry_fees_u` is what of the fees was paid at
    the entry (all of it with the first part).
    `best_u` and `worst_u` are the highest and lowest open P&L at the bars between entry and exit.
    """

    number: int
    side: int
    quantity: int
    opened_s: int
    filled_s: int
    closed_s: int
    entry_u: int
    exit_u: int
    gross_u: int
    fees_u: int
    entry_fees_u: int
    reason: int
    best_u: int
    worst_u: int
    bars: int

    def __init__(self) -> None:
        self.number = 0
        self.side = 0
        self.quantity = 0
        self.opened_s = 0
        self.filled_s = 0
        self.closed_s = 0
        self.entry_u = 0
        self.exit_u = 0
        self.gross_u = 0
        self.fees_u = 0
        self.entry_fees_u = 0
        self.reason = 0
        self.best_u = 0
        self.worst_u = 0
        self.bars = 0
