"""Moving averages and the slope of a line through the last numbers (dialect of `domain.numeric`)."""

from __future__ import annotations

from htbot.domain.numeric import UNKNOWN, Numeric
from htbot.indicators.window import RollingSum, at_least


class Sma(Numeric):
    """Simple mean of the last `window` numbers. First value with number `window`; TA-Lib SMA."""

    sum: RollingSum
    window: int
    value: float

    def __init__(self, window: int) -> None:
        self.sum = RollingSum(window)
        self.window = window
        self.value = UNKNOWN

    def add(self, number: float) -> float:
        """Take a number in; returns the mean."""
        if number - number != 0.0:
            raise ValueError(f"Sma: {number} is not a finite number")
        total = self.sum.add(number)
        window = self.window
        if self.sum.count == window:
            total /= window
            self.value = total
            return total
        return self.value


class Ema(Numeric):
    """Exponential mean of a `span`, alpha = 2 / (span + 1), seeded with its first number.

    mean += alpha * (number - mean). First value with the first number; pandas `ewm(span=span, adjust=False).mean()`.
    """

    alpha: float
    value: float
    count: int

    def __init__(self, span: int) -> None:
        self.alpha = 2.0 / (at_least(span, 1) + 1)
        self.value = UNKNOWN
        self.count = 0

    def add(self, number: float) -> float:
        """Take a number in; returns the mean."""
        if number - number != 0.0:
            raise ValueError(f"Ema: {number} is not a finite number")
        if self.count == 0:
            self.value = number
        else:
            self.value += self.alpha * (number - self.value)
        self.count += 1
        return self.value


class SmaSeededEma(Numeric):
    """Exponential mean of a `span`, alpha = 2 / (span + 1), seeded with the simple mean of its first `span` numbers.

    First value with number `span`; TA-Lib EMA.
    """

    alpha: float
    span: int
    count: int
    total: float
    value: float

    def __init__(self, span: int) -> None:
        self.alpha = 2.0 / (at_least(span, 1) + 1)
        self.span = span
        self.count = 0
        self.total = 0.0
        self.value = UNKNOWN

    def add(self, number: float) -> float:
        """Take a number in; returns the mean."""
        if number - number != 0.0:
            raise ValueError(f"SmaSeededEma: {number} is not a finite number")
        if self.count == self.span:
            self.value += self.alpha * (number - self.value)
            return self.value
        self.count += 1
        self.total += number
        if self.count == self.span:
            self.value = self.total / self.span
        return self.value


class LinearSlope(Numeric):
    """Slope, per number, of the least-squares line through the last `window` numbers; TA-Lib LINEARREG_SLOPE.

    12 / (n (n^2 - 1)) * sum((i - (n - 1) / 2) * x_i), i = 0 for the oldest. First value with number `window`. The
    weighted sum slides in constant time, and is replaced by a fresh one once every `window` numbers: rounding errors
    live for two windows at most. Numbers are taken relative to the first of their block, so that their size does not
    matter.
    """

    values: list[float]
    window: int
    head: int
    full: bool
    anchor: float
    total: float
    weighted: float
    next_anchor: float
    next_total: float
    next_weighted: float
    value: float

    def __init__(self, window: int) -> None:
        self.values = [0.0] * at_least(window, 2)
        self.window = window
        self.head = 0
        self.full = False
        self.anchor = self.total = self.weighted = 0.0
        self.next_anchor = self.next_total = self.next_weighted = 0.0
        self.value = UNKNOWN

    def add(self, number: float) -> float:
        """Take a number in; returns the slope."""
        if number - number != 0.0:
            raise ValueError(f"LinearSlope: {number} is not a finite number")
        head = self.head
        window = self.window
        if head == 0:
            self.next_anchor = number
            self.next_total = 0.0
            self.next_weighted = 0.0
        fallen = self.values[head] - self.anchor
        self.values[head] = number
        self.next_weighted += head * (number - self.next_anchor)
        self.next_total += number - self.next_anchor
        head += 1
        if head == window:  # the window is the block that has just been summed
            self.full = True
            self.anchor = self.next_anchor
            self.total = self.next_total
            self.weighted = self.next_weighted
            head = 0
        elif self.full:
            newest = number - self.anchor
            self.weighted += (window - 1) * newest - (self.total - fallen)
            self.total += newest - fallen
        self.head = head
        if self.full:
            tilt = self.weighted - 0.5 * (window - 1) * self.total
            self.value = 12.0 * tilt / (window * (window * window - 1.0))
        return self.value
