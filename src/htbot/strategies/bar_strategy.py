"""What a strategy on a plain instrument is: a frozen configuration, declared inputs, and one pure hook.

`on_bar` is called once for every closed bar, oldest first, and answers with an `Advice`. What it needs to remember are
annotated fields of `self`; indicators come from `indicators.stream`. It never reads a clock, a file or a broker, and
sees nothing younger than the bar. Because it keeps to the dialect of `domain.numeric`, the same source runs live, in
the event loop of a backtest, and compiled.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time
from decimal import Decimal
from functools import cached_property
from typing import Annotated, ClassVar, NamedTuple

from htbot.domain.bars import TapeBar
from htbot.domain.numeric import UNKNOWN, Numeric
from htbot.strategies.config import About, Meaning, OneOf, Range, StrategyConfig, config_hash, reject

LONG, SHORT, NONE = 1, -1, 0


class Advice(NamedTuple):
    """What a strategy says to one bar.

    `side` LONG or SHORT asks for an entry, NONE for nothing; it is looked at when there is no position. `leave` asks
    for the position to be closed. `stop` and `target` are prices that close the new position, UNKNOWN for none.
    `confidence` from 0 to 1 sizes it where the configuration says so.
    """

    side: int
    leave: bool
    stop: float
    target: float
    confidence: float


WAIT = Advice(0, False, UNKNOWN, UNKNOWN, 0.0)
LEAVE = Advice(0, True, UNKNOWN, UNKNOWN, 0.0)


class Holding(Numeric):
    """The position that a strategy holds, as it is shown to its hook.

    `side` is LONG, SHORT or NONE; `price` the average entry price, `quantity` what is still held of `entered`;
    `bars` counts the bars seen since the entry.
    """

    side: int
    quantity: int
    entered: int
    price: float
    stop: float
    target: float
    bars: int

    def __init__(self) -> None:
        self.side = NONE
        self.quantity = 0
        self.entered = 0
        self.price = UNKNOWN
        self.stop = UNKNOWN
        self.target = UNKNOWN
        self.bars = 0


@dataclass(frozen=True, slots=True)
class BarInputs:
    """What a strategy must be given: the length of the bars that decide, and how many make its indicators whole.

    `shorter_too` says that it builds those bars itself and decides at every bar of the data up to that length.
    """

    bar_minutes: int
    warm_up_bars: int
    shorter_too: bool = False


@dataclass(frozen=True, kw_only=True)
class BarConfig(StrategyConfig):
    """Settings that every strategy on a plain instrument has. Times are New York's; None switches a rule off.

    Dollars are for the whole position, `point_value` is what a point of one unit is worth. Entries are taken in
    [entry_start, entry_end), and never from the exit time on; `exit_time` None holds over night.
    """

    quantity: Annotated[int, Range(1, 1_000_000), Meaning("units of an entry with fixed sizing", "units")] = 10
    point_value: Annotated[
        int, Range(1, 10_000), Meaning("dollars that a point of one unit is worth: 1 for shares", "USD per point")
    ] = 1
    sizing: Annotated[
        str, OneOf(("fixed", "confidence")), Meaning("fixed units, or a share of the equity by confidence")
    ] = "fixed"
    allow_short: Annotated[bool, Meaning("whether short entries are taken")] = True
    entry_start: Annotated[time, Meaning("first entry", "New York time")] = time(9, 30)
    entry_end: Annotated[time, Meaning("entries end before it", "New York time")] = time(16)
    exit_time: Annotated[
        time | None, Meaning("positions are closed from here on; none: held over night", "New York time")
    ] = None
    profit_target_usd: Annotated[
        Decimal | None, Range(0.01, 10_000_000), Meaning("gain of the whole position that closes it", "USD")
    ] = None
    stop_loss_usd: Annotated[
        Decimal | None, Range(0.01, 10_000_000), Meaning("loss of the whole position that closes it", "USD")
    ] = None
    profit_levels: Annotated[bool, Meaning("sells in parts at three gains, the rest at the last")] = False
    profit_level_1: Annotated[float, Range(0.0001, 10), Meaning("first gain", "0.01 = 1 %")] = 0.05
    profit_level_2: Annotated[float, Range(0.0001, 10), Meaning("second gain", "0.01 = 1 %")] = 0.10
    profit_level_3: Annotated[float, Range(0.0001, 10), Meaning("gain at which the rest is sold", "0.01 = 1 %")] = 0.20
    profit_share_1: Annotated[
        float, Range(0.01, 1), Meaning("sold at the first gain, as a share of what was entered", "0.01 = 1 %")
    ] = 0.25
    profit_share_2: Annotated[
        float, Range(0.01, 1), Meaning("sold at the second gain, as a share of what was entered", "0.01 = 1 %")
    ] = 0.50
    max_hold_days: Annotated[int | None, Range(1, 1000), Meaning("closed after so many days", "days")] = None
    cooldown_minutes: Annotated[int, Range(0, 1440), Meaning("no entry for so long after an exit", "minutes")] = 0
    max_entries_per_day: Annotated[int | None, Range(1, 1000), Meaning("entries a session at most", "entries")] = None

    def hashed_fields(self) -> dict[str, object]:
        """Without the numbers of profit levels where those are not used."""
        told = super().hashed_fields()
        return told if self.profit_levels else {name: told[name] for name in told if name not in _OF_LEVELS}

    def check(self) -> None:
        """Times and profit levels are in order."""
        if not self.entry_start < self.entry_end:
            raise reject("entry_end", self.entry_end, f"after entry_start={self.entry_start}")
        if self.exit_time is not None and not self.entry_start < self.exit_time:
            raise reject("exit_time", self.exit_time, f"after entry_start={self.entry_start}")
        if not self.profit_level_1 < self.profit_level_2:
            raise reject("profit_level_2", self.profit_level_2, f"above profit_level_1={self.profit_level_1:g}")
        if not self.profit_level_2 < self.profit_level_3:
            raise reject("profit_level_3", self.profit_level_3, f"above profit_level_2={self.profit_level_2:g}")


_OF_LEVELS = frozenset({"profit_level_1", "profit_level_2", "profit_level_3", "profit_share_1", "profit_share_2"})


class BarStrategy(Numeric):
    """Base of strategies on plain instruments. A subclass names itself, its configuration, and writes `on_bar`.

    With `about` it says to people what it does; without, the first line of its file does.
    """

    name: ClassVar[str]
    about: ClassVar[About | None] = None
    Config: ClassVar[type[BarConfig]]

    def __init__(self, config: BarConfig) -> None:
        self.config = config

    @cached_property
    def config_hash(self) -> str:
        """Identity of the configuration, stored with every trade; the configuration is frozen."""
        return config_hash(self.name, self.config)

    @property
    def inputs(self) -> BarInputs:
        """What the strategy must be given."""
        raise NotImplementedError

    def on_bar(self, bar: TapeBar, held: Holding) -> Advice:
        """What to do now that `bar` has closed; `held` is the position as it stands before this answer."""
        raise NotImplementedError


def minutes_of(clock: time) -> int:
    """Minutes since midnight."""
    return clock.hour * 60 + clock.minute
