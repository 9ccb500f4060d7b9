"""Whether strategies are asked: the state that people set and workers respect (spec 03 section 9, ours)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class SchedulerState(StrEnum):
    """Paused, nothing is entered and exits go on; stopped, strategies are not even asked, exits and guards go on.

    Strategies on plain instruments that hold something are asked for their exits in each state.
    """

    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"

    @property
    def means(self) -> str:
        """What that comes to, as people are told."""
        return _MEANS[self]


_MEANS = {
    SchedulerState.RUNNING: "Strategies are asked, and what they want goes to the gate.",
    SchedulerState.PAUSED: "Strategies are asked and every entry is refused. Exits and guards go on.",
    SchedulerState.STOPPED: ("No strategy is asked for an entry, and nobody's is let through. Exits and guards go on."),
}


@dataclass(frozen=True, slots=True)
class SchedulerSetting:
    """The state, since which market time, and who set it; a record that nobody has touched is running."""

    state: SchedulerState = SchedulerState.RUNNING
    since: datetime | None = None
    set_by: str = ""

    @property
    def stopped(self) -> bool:
        """True when strategies are not to be asked."""
        return self.state is SchedulerState.STOPPED

    @property
    def refuses_entries(self) -> str | None:
        """Why nothing may be entered, None while the scheduler runs."""
        if self.state is SchedulerState.RUNNING:
            return None
        way_out = "start" if self.stopped else "resume"
        return (
            f"the scheduler is {self.state} by {self.set_by}: htbot scheduler {way_out}, POST /api/scheduler/{way_out}"
        )
