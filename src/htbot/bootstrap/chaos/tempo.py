"""How load and faults take turns: each blow opens a share of the load and falls into it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

# What the desk says of itself is up to a second old.
CALM_S = 1.5
# A system that cannot trade again by then is hit all the same.
LONGEST_PAUSE_S = 40.0


@dataclass(slots=True)
class Tempo:
    """Turns of one run of `blows`. `ready` tells that the system trades and has made what it may make by now.

    Before the first blow, with each of them and after the last there is room for an equal share of the load. No blow
    begins after `ends_s`; what is left of faults and load is left out then.
    """

    blows: int
    ready: Callable[[], bool]
    ends_s: float = math.inf
    begun: int = 0
    _over_s: float | None = None
    _ended: bool = False

    @property
    def share(self) -> float:
        """The part of all intents that may be made by now."""
        return (self.begun + 1) / (self.blows + 1)

    @property
    def over(self) -> bool:
        """True when no blow begins any more."""
        return self._ended or self.begun == self.blows

    def next_blow(self, now_s: float, *, struck: bool) -> int | None:
        """The number of the blow that begins now (monotonic seconds), None while it is not its turn.

        Args:
            now_s: the host's monotonic time.
            struck: every fault of the blow before has been made, or tried.
        """
        self._ended = self._ended or now_s >= self.ends_s
        if self.over or not struck:
            return None
        if self._over_s is None:
            self._over_s = now_s
        paused_s = now_s - self._over_s
        if paused_s < LONGEST_PAUSE_S and (paused_s < CALM_S or not self.ready()):
            return None
        self.begun, self._over_s = self.begun + 1, None
        return self.begun - 1
