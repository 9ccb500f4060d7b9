"""The last so many numbers, their sum, and their spread: what moving indicators are made of (`domain.numeric`)."""

from __future__ import annotations

from htbot.domain.numeric import UNKNOWN, Numeric


class Window(Numeric):
    """A ring of the last `size` numbers."""

    values: list[float]
    size: int
    count: int
    head: int

    def __init__(self, size: int) -> None:
        self.values = [0.0] * at_least(size, 1)
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

    What rounding loses of each addition is carried along, exactly (Knuth's two-sum), and a window of nothing but zeros
    sums to exactly zero again.
    """

    values: list[float]
    size: int
    count: int
    head: int
    total: float
    lost: float
    nonzero: int
    value: float

    def __init__(self, size: int) -> None:
        self.values = [0.0] * at_least(size, 1)
        self.size = size
        self.count = 0
        self.head = 0
        self.total = 0.0
        self.lost = 0.0
        self.nonzero = 0
        self.value = 0.0

    def add(self, number: float) -> float:
        """Take a number in; returns the sum of what the window holds now."""
        head = self.head
        fallen = self.values[head]  # zero while the ring is filling
        self.values[head] = number
        head += 1
        self.head = 0 if head == self.size else head
        if (number == 0.0 or fallen == 0.0) and self._only_zeros(number, fallen):
            self.total = 0.0
            self.lost = 0.0
            self.value = 0.0
            return 0.0
        total = self.total
        more = total + number
        part = more - total
        lost = self.lost + ((total - (more - part)) + (number - part))
        total = more - fallen
        part = total - more
        lost += (more - (total - part)) - (fallen + part)
        value = total + lost
        self.total = total
        self.lost = lost
        self.value = value
        return value

    def _only_zeros(self, number: float, fallen: float) -> bool:
        """Count what a zero changes: a number among zeros while the ring fills, and how many are none."""
        if self.count < self.size:
            self.count += 1
        if number != 0.0:
            self.nonzero += 1
        if fallen != 0.0:
            self.nonzero -= 1
        return self.nonzero == 0

    @property
    def full(self) -> bool:
        """True once `size` numbers have come."""
        return self.count == self.size


class RollingSpread(Numeric):
    """Mean of the last `size` numbers and sum of their squared distances from it, amortised constant time.

    Nothing is ever subtracted, so nothing cancels. Numbers come in blocks of `size`: the newest block grows by
    Welford's update, and of the block before it the mean and squares of every tail are kept. The window is the newest
    block and a tail of the one before, joined by the formula of Chan, Golub and LeVeque (1983). Numbers are taken
    relative to one of their own, the first of the newest block and the last of the one before, so that small moves of
    large numbers keep their digits.
    """

    values: list[float]
    tail_means: list[float]
    tail_squares: list[float]
    size: int
    place: int
    blocks: int
    anchor: float
    tail_anchor: float
    block_mean: float
    block_squares: float
    mean: float
    squares: float

    def __init__(self, size: int) -> None:
        self.values = [0.0] * at_least(size, 1)
        self.tail_means = [0.0] * size
        self.tail_squares = [0.0] * size
        self.size = size
        self.place = 0
        self.blocks = 0
        self.anchor = 0.0
        self.tail_anchor = 0.0
        self.block_mean = 0.0
        self.block_squares = 0.0
        self.mean = UNKNOWN
        self.squares = UNKNOWN

    def add(self, number: float) -> None:
        """Take a number in; `mean` and `squares` are known once `size` numbers have come."""
        size = self.size
        if self.place == size:
            self._turn()
        place = self.place
        if place == 0:
            self.anchor = number
        anchor = self.anchor
        self.values[place] = number
        place += 1
        self.place = place
        delta = number - anchor - self.block_mean
        mean = self.block_mean + delta / place
        squares = self.block_squares + delta * (number - anchor - mean)
        self.block_mean = mean
        self.block_squares = squares
        if place == size:
            self.mean = anchor + mean
            self.squares = squares
        elif self.blocks > 0:
            apart = (self.tail_anchor - anchor) + (self.tail_means[place] - mean)
            left = size - place
            self.mean = anchor + (mean + apart * left / size)
            self.squares = squares + self.tail_squares[place] + apart * apart * place * left / size

    def _turn(self) -> None:
        """A block is complete: the spread of each of its tails."""
        mean = 0.0
        squares = 0.0
        count = 0
        place = self.size - 1
        self.tail_anchor = self.values[place]
        while place >= 0:
            number = self.values[place] - self.tail_anchor
            count += 1
            delta = number - mean
            mean += delta / count
            squares += delta * (number - mean)
            self.tail_means[place] = mean
            self.tail_squares[place] = squares
            place -= 1
        self.blocks += 1
        self.place = 0
        self.block_mean = 0.0
        self.block_squares = 0.0


def at_least(number: int, least: int) -> int:
    """A length that an indicator is built with.

    Raises:
        ValueError: it is shorter than the indicator's formula allows.
    """
    if number < least:
        raise ValueError(f"a length of {number} is too short: at least {least}")
    return number
