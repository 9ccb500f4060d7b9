"""The last so many numbers, and their sum: what moving indicators are made of (dialect of `domain.numeric`)."""

from __future__ import annotations

from htbot.domain.numeric import UNKNOWN, Numeric


class Window(Numeric):
    """A ring of the last `size` numbers."""

    values: list[float]
    size: int
    count: int
    head: int

    def __init__(self, size: int) -> None:
        self.values = [0.0] * size
        self.size = size
        self.count = 0
        self.head = 0

    def push(self, number: float) -> float:
        """Take a number in; returns the one that falls out, UNKNOWN while the ring is filling."""
        head = self.head
        fallen = self.values[head]
        self.values[head] = number
        head += 1
        self.head = 0 if head == self.size else head
        if self.count < self.size:
            self.count += 1
            return UNKNOWN
        return fallen

    @property
    def full(self) -> bool:
        """True once `size` numbers have come."""
        return self.count == self.size

    def back(self, age: int) -> float:
        """The number that came `age` numbers before the newest (0 = the newest); UNKNOWN when there is none."""
        if age >= self.count:
            return UNKNOWN
        place = self.head - 1 - age
        if place < 0:
            place += self.size
        return self.values[place]


class RollingSum(Numeric):
    """Sum of the last `size` numbers in constant time, without drift.

    What rounding loses is carried along (Neumaier's compensated summation), and a window of nothing but zeros sums to
    exactly zero again.
    """

    window: Window
    total: float
    lost: float
    nonzero: int

    def __init__(self, size: int) -> None:
        self.window = Window(size)
        self.total = 0.0
        self.lost = 0.0
        self.nonzero = 0

    def add(self, number: float) -> float:
        """Take a number in; returns the sum of what the window holds now."""
        fallen = self.window.push(number)
        if number != 0.0:
            self.nonzero += 1
            self._take(number)
        if fallen != 0.0 and fallen == fallen:  # noqa: PLR0124 - a number, not UNKNOWN
            self.nonzero -= 1
            if self.nonzero == 0:
                self.total = 0.0
                self.lost = 0.0
            else:
                self._take(-fallen)
        return self.total + self.lost

    def _take(self, number: float) -> None:
        before = self.total
        total = before + number
        if abs(before) >= abs(number):
            self.lost += (before - total) + number
        else:
            self.lost += (number - total) + before
        self.total = total

    @property
    def full(self) -> bool:
        """True once `size` numbers have come."""
        return self.window.count == self.window.size

    @property
    def value(self) -> float:
        """The sum of what the window holds."""
        return self.total + self.lost
