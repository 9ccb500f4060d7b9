"""What a strategy is: a frozen configuration, declared needs, and a few pure hooks.

At every decision instant the engine folds the closed bars into the strategy's state and puts up to two looks before it:
first the bar that has just closed, seen with what was known when it began, then the open bar, seen with every closed
bar (ARCHITECTURE section 5). The first look that fires wins. A strategy never reads a clock, a file or a broker, and
never sees anything younger than its look.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol, TypeVar, runtime_checkable

from htbot.domain.bars import Bar
from htbot.domain.sessions import Session
from htbot.domain.signals import Direction, Signal, SinglePlan
from htbot.domain.trades import ExitRules
from htbot.domain.verticals import SingleRequest, WantedOptions
from htbot.domain.windows import TradingHours, TradingWindow


@dataclass(frozen=True, slots=True)
class Needs:
    """What must be there before a strategy can decide.

    `warm_up_bars` closed bars make its indicators whole; `strikes_out` is how many strikes out of the money, on either
    side of the spot, must be quoted.
    """

    symbol: str
    bar_minutes: int
    warm_up_bars: int
    strikes_out: int


@dataclass(frozen=True, slots=True)
class Standing:
    """What the record says of the strategy: `flat` means no trade and no working entry.

    `spent_levels` are the (direction, level) of this session's signals.
    """

    flat: bool = True
    spent_levels: frozenset[tuple[int, float]] = frozenset()
    last_exit_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """One bar put before a strategy at one instant.

    `closed` are this session's bars that were complete when `bar` began (for the open bar: all of them), oldest first.
    `high` and `low` are the extremes of `bar` that were watched, None when none was: a wick from before a restart does
    not count (RULINGS 2). `closing` tells a bar that has just closed from the open one. `spot` is the last price.
    `offers` are the options that it could buy now by direction, each with its price or why there is none.
    """

    as_of: datetime
    session: Session
    window: TradingWindow
    bar: Bar
    closing: bool
    high: float | None
    low: float | None
    spot: float | None
    closed: tuple[Bar, ...]
    standing: Standing
    offers: Mapping[Direction, SinglePlan | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Measures:
    """What a strategy reads off its bars, stored with every evaluation. An unknown indicator is left out."""

    trend: int
    high: float | None
    low: float | None
    indicators: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fired:
    """A reason to enter: the level that was broken, the price that broke it, and the sentence for people."""

    direction: Direction
    level: float
    price: float
    reason: str


@dataclass(frozen=True, slots=True)
class Quiet:
    """Why there is nothing to do, as a short sentence with its numbers."""

    why_not: str


Answer = Fired | Quiet

State = TypeVar("State")


class Strategy(Protocol[State]):
    """The hooks that the engine calls. All are pure: the same arguments give the same answer."""

    @property
    def name(self) -> str:
        """The name under which signals, orders and trades are recorded."""
        ...

    @property
    def config_hash(self) -> str:
        """Identity of the configuration, stored with every trade."""
        ...

    @property
    def needs(self) -> Needs:
        """Which market data the strategy must be given."""
        ...

    @property
    def hours(self) -> TradingHours:
        """When it enters and leaves on a full day, New York clock."""
        ...

    def begin(self) -> State:
        """The state before the first bar."""
        ...

    def fold(self, state: State, bar: Bar) -> State:
        """The state after one more closed bar. Returns a new value; states are kept and reused."""
        ...

    def measure(self, state: State, closed: tuple[Bar, ...]) -> Measures:
        """The indicators and levels of a state and of this session's closed bars."""
        ...

    def decide(self, look: Look, measures: Measures) -> Answer:
        """Whether to enter now, and if not, why not."""
        ...

    def wanted(self, signal: Signal) -> WantedOptions:
        """The spread or the option that a signal calls for."""
        ...

    def exit_rules(self, window: TradingWindow) -> ExitRules:
        """When a trade opened in this window must be closed."""
        ...


@runtime_checkable
class BuysOptions(Protocol):
    """A strategy that decides on what options cost, and so has to see their prices before it does.

    It may hold one option for each direction at once.
    """

    def offers(self, day: date) -> tuple[SingleRequest, ...]:
        """What it could buy in a session, one for each direction."""
        ...
