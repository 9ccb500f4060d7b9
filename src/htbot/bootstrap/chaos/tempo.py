"""How load and faults take turns: each blow meets orders that are under way, each pause lets the system recover."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

# Of the intents that a pause has room for, so many are made before the next blow.
ENOUGH = 0.8
# A system that cannot trade again by then is hit all the same.
LONGEST_PAUSE_S = 20.0


@dataclass(slots=True)
class Tempo:
    """Turns of one run: `blows` of faults among `intents`. `made` tells how many intents there are so far.

    Before, between and after the blows there is room for an equal share of the intents.
    """

    intents: int
    blows: int
    made: Callable[[], int]
    begun: int = 0
    _made_then: int = 0
    _over_s: float | None = None

    @property
    def share(self) -> float:
        """The part of all intents that may be made by now."""
        return (self.begun + 1) / (self.blows + 1)

    def next_blow(self, now_s: float, *, struck: bool) -> int | None:
        """The number of the blow that begins now (monotonic seconds), None while it is not its turn.

        Args:
            now_s: the host's monotonic time.
            struck: every fault of the blow before has been made, or tried.
        """
        if self.begun >= self.blows or not struck:
            return None
        if self._over_s is None:
            self._over_s = now_s
        enough = self.made() - self._made_then >= ENOUGH * self.intents / (self.blows + 1)
        if not enough and now_s - self._over_s < LONGEST_PAUSE_S:
            return None
        self.begun, self._made_then, self._over_s = self.begun + 1, self.made(), None
        return self.begun - 1
