"""Incremental indicators: a number in, the new value out, in constant time (dialect of `domain.numeric`).

These are the only indicators that a strategy uses; `batch` holds their twins over whole series, and tests hold both
equal. A value is UNKNOWN (NaN) until enough numbers have come.
"""

from __future__ import annotations

from htbot.domain.numeric import UNKNOWN, Numeric
from htbot.indicators.window import RollingSum

NEUTRAL_RSI = 50.0


class Ema(Numeric):
    """Exponential mean of a `span`, alpha = 2 / (span + 1), seeded with its first number."""

    alpha: float
    value: float
    count: int

    def __init__(self, span: int) -> None:
        self.alpha = 2.0 / (span + 1)
        self.value = UNKNOWN
        self.count = 0

    def add(self, number: float) -> float:
        """Take a number in; returns the mean."""
        if self.count == 0:
            self.value = number
        else:
            self.value += self.alpha * (number - self.value)
        self.count += 1
        return self.value


class SimpleRsi(Numeric):
    """RSI with plain means of the last `window` gains and losses, not Wilder's (spec 01 section 4).

    The first value comes with close number `window` + 1. No losses give 100, neither gains nor losses 50.
    """

    gains: RollingSum
    losses: RollingSum
    last: float
    value: float

    def __init__(self, window: int) -> None:
        self.gains = RollingSum(window)
        self.losses = RollingSum(window)
        self.last = UNKNOWN
        self.value = UNKNOWN

    def add(self, close: float) -> float:
        """Take a close in; returns the RSI from 0 to 100."""
        last = self.last
        self.last = close
        if last != last:  # noqa: PLR0124 - the first close has no change
            return self.value
        change = close - last
        if change > 0.0:
            gain = self.gains.add(change)
            loss = self.losses.add(0.0)
        else:
            gain = self.gains.add(0.0)
            loss = self.losses.add(-change)
        if self.gains.full:
            moved = gain + loss
            self.value = NEUTRAL_RSI if moved == 0.0 else 100.0 * gain / moved
        return self.value
