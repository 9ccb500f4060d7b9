"""What a worker remembers of a watched strategy between two evaluations. Never more than the recorded bars say."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from htbot.domain.bars import TapeBar
from htbot.domain.sessions import NEW_YORK
from htbot.engine.observation import Fired, Observation
from htbot.engine.recorded import Fate, RecordedLoop
from htbot.marketdata.tape_bars import ClosedBar, TapeCalendar
from htbot.persistence.records import Observation as Origin
from htbot.persistence.records import StrategyInstance

HIGHEST_PRICE_USD = 100_000_000
"""A hundred times the dearest share: what is above it is a mistake of a strategy."""
Shown = tuple[ClosedBar, TapeBar]


@dataclass(slots=True)
class Watcher:
    """An instance's state folded up to the bar that starts at `through_s`, of bars known at `read_until`.

    `missing` are starts of bars that were not there when a later one was folded: what comes for one of them, or changes
    a bar that is folded already, makes the state void. So does another fate of an entry (`fates`) of one that trades.
    """

    instance: StrategyInstance
    origin: Origin
    observation: Observation | RecordedLoop
    through_s: int
    read_until: datetime
    fates: list[Fate] | None = None
    missing: set[int] = field(default_factory=set)

    def serves(self, instance: StrategyInstance, as_of: datetime, fates: list[Fate] | None) -> bool:
        """True while instance, settings and fates are those that were folded, and nothing younger than `as_of` was."""
        return (
            instance.config_hash == self.instance.config_hash
            and instance.observed == self.origin
            and instance.type == self.instance.type
            and fates == self.fates
            and self.read_until <= as_of
        )

    def overtaken_by(self, bars: Iterable[ClosedBar]) -> ClosedBar | None:
        """A bar that belongs before the one that was folded last and was not folded so; None when there is none."""
        known_s = self.read_until.timestamp()
        for bar in bars:
            if bar.start_s <= self.through_s and (bar.start_s in self.missing or bar.known_s > known_s):
                return bar
        return None

    def show(self, shown: Sequence[Shown], calendar: TapeCalendar) -> list[tuple[Fired, ClosedBar]]:
        """Fold the bars that are younger than the last one; what the strategy did at each of them."""
        fired = []
        minutes, observation = self.instance.minutes, self.observation
        for bar, tape_bar in shown:
            if bar.start_s <= self.through_s:
                continue
            if self.through_s and bar.start_s != calendar.next_start_s(self.through_s, minutes):
                self.missing.update(calendar.starts_between(self.through_s, bar.start_s, minutes))
            self.through_s = bar.start_s
            what = observation.show(tape_bar)
            if what is not None:
                _require_prices(what)
                fired.append((what, bar))
        return fired


def _require_prices(fired: Fired) -> None:
    """The advice of an entry is numbers that can be traded; an exit needs none.

    Raises:
        ValueError: a stop or target that is no price, or a confidence that is no number.
    """
    for name, level in fired.levels.items() if fired.action == "enter" else ():
        if not 0 < level <= HIGHEST_PRICE_USD:
            raise ValueError(f"its {name} of {level} is no price: from 0 to {HIGHEST_PRICE_USD:,} dollars")
    for name, number in fired.numbers.items():
        if not math.isfinite(number):
            raise ValueError(f"its {name} of {number} is no number")


def placed(bars: Iterable[ClosedBar], calendar: TapeCalendar, minutes: int) -> list[Shown]:
    """Bars of regular hours with their place in the session."""
    found = ((bar, calendar.tape_bar(bar, minutes)) for bar in bars)
    return [(bar, tape_bar) for bar, tape_bar in found if tape_bar is not None]


def clock(at_s: float) -> str:
    """`10:05`, New York."""
    return datetime.fromtimestamp(at_s, UTC).astimezone(NEW_YORK).strftime("%H:%M")
