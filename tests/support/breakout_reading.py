"""An independent reading of strategy 1's entry rules, for holding the system's signals against it.

Plain Python on plain bars; nothing of htbot is imported. It walks the 30-second instants of one session and reads off
every bar what was to be seen of it at that instant, on the replayed path: open, nearer extreme, other extreme, close
at 0, 1/3, 2/3 and the end of the bar, straight lines between (of two extremes equally near, the low comes first in a
bar that closes at or above its open), prices between the four points to a hundredth of a cent.

What the rules cannot know, how long a signal kept the system busy, comes from the system as `Episode`s.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")
GRID = timedelta(seconds=30)


class Row(NamedTuple):
    """One bar; `start` is aware."""

    start: datetime
    open: float
    high: float
    low: float
    close: float


@dataclass(frozen=True)
class Rules:
    """The numbers of the rules, with their defaults.

    `opening_seen`: whether a bar is there at the very instant at which it begins, with its opening price as all that
    is known of it; a feed that sends a bar only after something has happened in it shows it from the next instant on.
    """

    minutes: int = 5
    rsi_window: int = 60
    ema_span: int = 144
    bull: float = 45.0
    bear: float = 45.0
    warmup: str = "strict"
    confirm: str = "wick"
    entry_start: tuple[int, int] = (10, 0)
    entry_end: tuple[int, int] = (15, 0)
    opening_seen: bool = True


@dataclass(frozen=True)
class Episode:
    """What became of the signal of `signal_at`.

    `busy_until` is the last instant at which its trade (or working entry) was still there, None for a refused signal;
    `exited_at` is when a trade was closed, None when the entry was refused or never filled.
    """

    signal_at: datetime
    busy_until: datetime | None = None
    exited_at: datetime | None = None


@dataclass(frozen=True)
class ReadSignal:
    """A signal that the rules give."""

    at: datetime
    direction: int
    level: float
    price: float
    rsi: float
    rsi_ema: float


def path_points(row: Row) -> list[float]:
    """The four prices of the path, in their order."""
    to_high, to_low = row.high - row.open, row.open - row.low
    if to_low < to_high or (to_low == to_high and row.close >= row.open):
        return [row.open, row.low, row.high, row.close]
    return [row.open, row.high, row.low, row.close]


def seen_until(row: Row, passed_s: float, length_s: float) -> tuple[float, float, float]:
    """(high, low, last) of a bar when `passed_s` seconds of it are over."""
    points = path_points(row)
    leg_s = length_s / 3
    whole = min(int(passed_s // leg_s), 3)
    seen = points[: whole + 1]
    last = points[whole]
    if whole < 3 and passed_s % leg_s:
        last = round(points[whole] + (points[whole + 1] - points[whole]) * (passed_s % leg_s) / leg_s, 2)
        seen = [*seen, last]
    return max(seen), min(seen), last


def trend_numbers(closes: Sequence[float], rules: Rules) -> list[tuple[float | None, float | None, int]]:
    """(RSI, its EMA, number of RSI values so far) after each close."""
    numbers: list[tuple[float | None, float | None, int]] = []
    ema: float | None = None
    values = 0
    for index in range(len(closes)):
        if index < rules.rsi_window:
            numbers.append((None, None, 0))
            continue
        window = closes[index - rules.rsi_window : index + 1]
        changes = [later - earlier for earlier, later in pairwise(window)]
        mean_gain = sum(change for change in changes if change > 0) / rules.rsi_window
        mean_loss = sum(-change for change in changes if change < 0) / rules.rsi_window
        flat = 50.0 if mean_gain == 0 else 100.0
        rsi = flat if mean_loss == 0 else 100 - 100 / (1 + mean_gain / mean_loss)
        ema = rsi if ema is None else ema + (rsi - ema) * 2 / (rules.ema_span + 1)
        values += 1
        numbers.append((rsi, ema, values))
    return numbers


class Reading:
    """One session of one symbol under the rules. `rows` are all bars of the history and of the session, in order."""

    def __init__(self, rows: Sequence[Row], opens: datetime, closes: datetime, rules: Rules | None = None) -> None:
        self.rules = rules or Rules()
        self.rows = list(rows)
        self.opens, self.closes = opens, closes
        self.length = timedelta(minutes=self.rules.minutes)
        self.numbers = trend_numbers([row.close for row in self.rows], self.rules)
        self.today = [index for index, row in enumerate(self.rows) if opens <= row.start < closes]

    # --- single facts ----------------------------------------------------------------------------------------------

    def end(self, index: int) -> datetime:
        """When a bar is closed."""
        return self.rows[index].start + self.length

    def trend(self, last: int) -> int:
        """The trend after bar `last`."""
        if last < 0:
            return 0
        _, ema, values = self.numbers[last]
        if ema is None or (self.rules.warmup == "strict" and values < self.rules.ema_span):
            return 0
        return 1 if ema > self.rules.bull else -1 if ema < self.rules.bear else 0

    def level(self, closed: list[int], direction: int) -> tuple[float, datetime]:
        """The day's extreme of these bars and the end of the first bar that made it."""
        if direction > 0:
            price = max(self.rows[index].high for index in closed)
            maker = next(index for index in closed if self.rows[index].high == price)
        else:
            price = min(self.rows[index].low for index in closed)
            maker = next(index for index in closed if self.rows[index].low == price)
        return price, self.end(maker)

    def window(self) -> tuple[datetime, datetime]:
        """First instant of the entry window, and the one that ends it."""
        day = self.opens.astimezone(NEW_YORK)
        first = day.replace(hour=self.rules.entry_start[0], minute=self.rules.entry_start[1], second=0)
        last = day.replace(hour=self.rules.entry_end[0], minute=self.rules.entry_end[1], second=0)
        if self.closes.astimezone(NEW_YORK).hour < 16:
            last = min(last, self.closes - timedelta(minutes=60))
        return first, last

    def spot(self, at: datetime) -> float | None:
        """The last price at an instant."""
        begun = [index for index in self.today if self.rows[index].start <= at]
        if not begun:
            return None
        row = self.rows[begun[-1]]
        return seen_until(row, min((at - row.start), self.length).total_seconds(), self.length.total_seconds())[2]

    # --- the walk --------------------------------------------------------------------------------------------------

    def signals(self, episodes: Iterable[Episode] = ()) -> list[ReadSignal]:
        """Every signal of the session, given what became of each."""
        outcome = {episode.signal_at: episode for episode in episodes}
        found: list[ReadSignal] = []
        spent: set[tuple[int, float]] = set()
        busy_until: datetime | None = None
        exited_at: datetime | None = None
        first, last = self.window()
        at = first
        while at < last:
            if busy_until is None or at > busy_until:
                signal = self.at_instant(at, spent, exited_at if exited_at and exited_at <= at else None)
                if signal is not None:
                    found.append(signal)
                    spent.add((signal.direction, signal.level))
                    episode = outcome.get(at)
                    if episode is not None:
                        busy_until = episode.busy_until
                        exited_at = episode.exited_at or exited_at
            at += GRID
        return found

    def at_instant(self, at: datetime, spent: set[tuple[int, float]], exited_at: datetime | None) -> ReadSignal | None:
        """The signal of one instant: the bar that closes at it first, then the open bar."""
        for index in self.today:
            if self.end(index) == at:
                row = self.rows[index]
                signal = self.fired(at, index, (row.high, row.low, row.close), spent, exited_at)
                if signal is not None:
                    return signal
        for index in self.today:
            if self.rows[index].start <= at < self.end(index) and self.rules.confirm != "close":
                passed = (at - self.rows[index].start).total_seconds()
                if passed == 0 and not self.rules.opening_seen:
                    return None
                return self.fired(
                    at, index, seen_until(self.rows[index], passed, self.length.total_seconds()), spent, exited_at
                )
        return None

    def fired(
        self,
        at: datetime,
        index: int,
        seen: tuple[float, float, float],
        spent: set[tuple[int, float]],
        exited_at: datetime | None,
    ) -> ReadSignal | None:
        """Whether bar `index`, seen as (high, low, last), breaks the level made before it began."""
        closed = [other for other in self.today if self.end(other) <= self.rows[index].start]
        direction = self.trend(index - 1)
        if not closed or direction == 0:
            return None
        price = self.price(at, seen, direction)
        level, made_at = self.level(closed, direction)
        beyond = price > level if direction > 0 else price < level
        if not beyond or (direction, level) in spent or (exited_at is not None and made_at <= exited_at):
            return None
        rsi, ema, _ = self.numbers[index - 1]
        assert rsi is not None
        assert ema is not None
        return ReadSignal(at, direction, level, price, rsi, ema)

    def price(self, at: datetime, seen: tuple[float, float, float], direction: int) -> float:
        """What has to be beyond the level."""
        high, low, last = seen
        if self.rules.confirm == "close":
            return last
        if self.rules.confirm == "last":
            spot = self.spot(at)
            assert spot is not None
            return spot
        return high if direction > 0 else low
