"""What a worker remembers of a watched strategy between two evaluations. Never more than the recorded bars say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from htbot.engine.observation import Fired, Observation
from htbot.engine.recorded import Fate, RecordedLoop
from htbot.engine.recorded_bars import Shown, require_prices
from htbot.marketdata.tape_bars import ClosedBar, TapeCalendar
from htbot.persistence.records import Observation as Origin
from htbot.persistence.records import StrategyInstance


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
                require_prices(what)
                fired.append((what, bar))
        return fired
