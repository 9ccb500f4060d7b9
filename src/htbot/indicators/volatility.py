"""Indicators of volatility: true range of two means, standard deviation, Bollinger bands (dialect)."""

from __future__ import annotations

import math

from htbot.domain.numeric import UNKNOWN, Numeric
from htbot.indicators.window import RollingSpread, RollingSum, at_least


def true_range(high: float, low: float, last: float) -> float:
    """max(high, last) - min(low, last), which is Wilder's true range; an UNKNOWN last close gives high - low."""
    if last > high:
        return last - low
    if last < low:
        return high - last
    return high - low


class SimpleAtr(Numeric):
    """Average true range as the simple mean of the last `window` true ranges (spec 03 section 1).

    The first bar's range is high - low, as pandas has it. First value with bar number `window`.
    """

    sum: RollingSum
    window: int
    last: float
    value: float

    def __init__(self, window: int = 14) -> None:
        self.sum = RollingSum(window)
        self.window = window
        self.last = UNKNOWN
        self.value = UNKNOWN

    def add(self, high: float, low: float, close: float) -> float:
        """Take a bar in; returns the mean range."""
        check = high - low + close
        if check - check != 0.0:
            raise ValueError(f"SimpleAtr: high {high}, low {low}, close {close} are not all finite numbers")
        total = self.sum.add(true_range(high, low, self.last))
        self.last = close
        if self.sum.count == self.window:
            self.value = total / self.window
        return self.value


class WilderAtr(Numeric):
    """Average true range with Wilder's mean, alpha = 1 / `window` (Wilder 1978); TA-Lib ATR.

    Seeded with the simple mean of the true ranges of bars 2 to `window` + 1, where the first value comes; then
    mean = (mean * (window - 1) + range) / window.
    """

    window: int
    count: int
    last: float
    total: float
    value: float

    def __init__(self, window: int = 14) -> None:
        self.window = at_least(window, 1)
        self.count = 0
        self.last = UNKNOWN
        self.total = 0.0
        self.value = UNKNOWN

    def add(self, high: float, low: float, close: float) -> float:
        """Take a bar in; returns the mean range."""
        check = high - low + close
        if check - check != 0.0:
            raise ValueError(f"WilderAtr: high {high}, low {low}, close {close} are not all finite numbers")
        last = self.last
        self.last = close
        if last != last:  # noqa: PLR0124 - the first bar has no close before it
            return self.value
        moved = true_range(high, low, last)
        window = self.window
        if self.count == window:
            self.value = (self.value * (window - 1) + moved) / window
            return self.value
        self.count += 1
        self.total += moved
        if self.count == window:
            self.value = self.total / window
        return self.value


class StandardDeviation(Numeric):
    """Standard deviation of the last `window` numbers, sqrt(sum((x - mean)^2) / (window - ddof)).

    `ddof` 1 is pandas' default, 0 TA-Lib's. Sound for small moves of large numbers: see `RollingSpread`. First value
    with number `window`; `mean` is the simple mean.
    """

    spread: RollingSpread
    divisor: float
    mean: float
    value: float

    def __init__(self, window: int, ddof: int = 1) -> None:
        self.spread = RollingSpread(at_least(window, max(2, ddof + 1)))
        self.divisor = float(window - ddof)
        self.mean = UNKNOWN
        self.value = UNKNOWN

    def add(self, number: float) -> float:
        """Take a number in; returns the deviation."""
        if number - number != 0.0:
            raise ValueError(f"StandardDeviation: {number} is not a finite number")
        spread = self.spread
        spread.add(number)
        self.mean = spread.mean
        self.value = math.sqrt(spread.squares / self.divisor)
        return self.value


class Bollinger(Numeric):
    """Bollinger bands: `middle` = simple mean of `window` closes, `upper` and `lower` = middle +- width * deviation.

    `ddof` 1 is pandas' default and that of spec 03 section 1, 0 TA-Lib's BBANDS. First value with close number
    `window`.
    """

    spread: RollingSpread
    width: float
    divisor: float
    middle: float
    upper: float
    lower: float

    def __init__(self, window: int = 20, width: float = 2.0, ddof: int = 1) -> None:
        self.spread = RollingSpread(at_least(window, max(2, ddof + 1)))
        self.width = float(width)
        self.divisor = float(window - ddof)
        self.middle = UNKNOWN
        self.upper = UNKNOWN
        self.lower = UNKNOWN

    def add(self, close: float) -> float:
        """Take a close in; returns `middle`."""
        if close - close != 0.0:
            raise ValueError(f"Bollinger: {close} is not a finite number")
        spread = self.spread
        spread.add(close)
        middle = spread.mean
        reach = self.width * math.sqrt(spread.squares / self.divisor)
        self.middle = middle
        self.upper = middle + reach
        self.lower = middle - reach
        return middle
