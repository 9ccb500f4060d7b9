"""Levels: the highest and lowest of the last numbers, and the day before (dialect of `domain.numeric`)."""

from __future__ import annotations

from htbot.domain.bars import TapeBar
from htbot.domain.numeric import UNKNOWN, Numeric
from htbot.indicators.window import at_least


class Highest(Numeric):
    """Highest of the last `window` numbers, amortised constant time. First value with number `window`; TA-Lib MAX.

    A ring holds, falling, the numbers that may still become the highest, and when each came.
    """

    values: list[float]
    times: list[float]
    window: int
    count: float
    first: int
    held: int
    value: float

    def __init__(self, window: int) -> None:
        self.values = [0.0] * at_least(window, 1)
        self.times = [0.0] * window
        self.window = window
        self.count = 0.0
        self.first = 0
        self.held = 0
        self.value = UNKNOWN

    def add(self, number: float) -> float:
        """Take a number in; returns the highest."""
        if number - number != 0.0:
            raise ValueError(f"Highest: {number} is not a finite number")
        window = self.window
        first = self.first
        held = self.held
        if held > 0 and self.times[first] == self.count - window:
            first = 0 if first + 1 == window else first + 1
            held -= 1
        while held > 0 and self.values[(first + held - 1) % window] <= number:
            held -= 1
        place = (first + held) % window
        self.values[place] = number
        self.times[place] = self.count
        self.first = first
        self.held = held + 1
        self.count += 1.0
        if self.count >= window:
            self.value = self.values[first]
        return self.value


class Lowest(Numeric):
    """Lowest of the last `window` numbers, amortised constant time. First value with number `window`; TA-Lib MIN."""

    mirror: Highest
    value: float

    def __init__(self, window: int) -> None:
        self.mirror = Highest(window)
        self.value = UNKNOWN

    def add(self, number: float) -> float:
        """Take a number in; returns the lowest."""
        if number - number != 0.0:
            raise ValueError(f"Lowest: {number} is not a finite number")
        self.value = -self.mirror.add(-number)
        return self.value


class PreviousDay(Numeric):
    """High, low and close of the session before that of the newest bar (PDH, PDL; spec 03 section 6a).

    Known from the first bar of the second session on. Only bars that were given count: begin with a whole session.
    """

    session: int
    high: float
    low: float
    close: float
    day_high: float
    day_low: float
    day_close: float

    def __init__(self) -> None:
        self.session = -1
        self.high = self.low = self.close = UNKNOWN
        self.day_high = self.day_low = self.day_close = UNKNOWN

    def add(self, bar: TapeBar) -> float:
        """Take a bar in; returns `high`."""
        check = bar.high - bar.low + bar.close
        if check - check != 0.0:
            raise ValueError(
                f"PreviousDay: high {bar.high}, low {bar.low}, close {bar.close} are not all finite numbers"
            )
        if bar.session != self.session:
            self.session = bar.session
            self.high = self.day_high
            self.low = self.day_low
            self.close = self.day_close
            self.day_high = bar.high
            self.day_low = bar.low
        self.day_high = max(self.day_high, bar.high)
        self.day_low = min(self.day_low, bar.low)
        self.day_close = bar.close
        return self.high
