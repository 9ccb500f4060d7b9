"""Longer bars made of the bars that a strategy is shown (dialect of `domain.numeric`)."""

from __future__ import annotations

from htbot.domain.bars import TapeBar
from htbot.domain.numeric import UNKNOWN, Numeric
from htbot.domain.sessions import OPEN_MINUTE


class BarBuilder(Numeric):
    """The bar of `minutes` that is being built, from whatever shorter bars exist.

    Bars lie on a grid that begins at midnight New York, which the opening at 09:30 is on for every length up to 30
    minutes; an hour's bars begin at the half hour, so the grid is shifted by `offset`.
    """

    minutes: int
    offset: int
    session: int
    ends: int
    count: int
    open: float
    high: float
    low: float
    close: float
    volume: float

    def __init__(self, minutes: int) -> None:
        self.minutes = minutes
        self.offset = OPEN_MINUTE % minutes
        self.session = -1
        self.ends = 0
        self.count = 0
        self.open = self.high = self.low = self.close = UNKNOWN
        self.volume = 0.0

    def ends_by(self, bar: TapeBar) -> bool:
        """True when the bar being built was complete as `bar` began; the caller reads it, then calls `add`."""
        return self.count > 0 and (bar.session != self.session or bar.minute >= self.ends)

    def add(self, bar: TapeBar) -> None:
        """Take a bar in; one that lies behind the bar being built begins the next."""
        minute = bar.minute
        if self.count == 0 or minute >= self.ends or bar.session != self.session:
            self.session = bar.session
            self.ends = minute - (minute - self.offset) % self.minutes + self.minutes
            self.count = 1
            self.open = bar.open
            self.high = bar.high
            self.low = bar.low
            self.close = bar.close
            self.volume = bar.volume
            return
        self.count += 1
        if bar.high > self.high:  # cheaper than max() at every bar
            self.high = bar.high
        if bar.low < self.low:
            self.low = bar.low
        self.close = bar.close
        self.volume += bar.volume
