"""How long the quote of a line stands: its own ticks, the pulse of its feed, and whether it still answers.

A broker sends changes only, so a quiet line is not a dead one, and its own silence proves nothing. But a line that
lives answers when it is asked for anew: with the prices that stand. One that is quiet while its feed ticks is asked so;
one that then says nothing is dead, and prices nothing until it ticks again (decision 0005). What is held and has never
ticked is asked as if it had when it was seen first.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Protocol

from htbot.alerts.throttle import QUIET

QUIET_AFTER = timedelta(seconds=30)
"""Market time without a tick after which a line is asked for anew, while its feed ticks."""
PULSE_WITHIN = timedelta(seconds=5)
ANSWER_WITHIN_S = 10.0
"""Host seconds that it has to answer."""
ASK_DEAD_EVERY_S = 60.0
"""Host seconds between two tries to wake a dead line."""
MOST_AT_ONCE = 2
"""Lines that are asked in one look, each second: data requests have a budget."""


class RenewingSession(Protocol):
    """What is needed of the broker's session."""

    @property
    def subscribed(self) -> frozenset[int]:
        """The contracts that are streamed now."""
        ...

    def renew(self, contract_id: int) -> None:
        """Ask for a streamed contract anew."""
        ...


class Lines:
    """The lines of a session. `exact`: a stepped world, where the marker says that everything stands.

    `feed` is the line whose ticks are the pulse of those for which no other is named, None while there is none.
    """

    def __init__(self, *, exact: bool, monotonic: Callable[[], float]) -> None:
        self.feed: int | None = None
        self._exact = exact
        self._monotonic = monotonic
        self._ticked: dict[int, datetime] = {}
        self._since: dict[int, datetime] = {}
        self._pulses: dict[int, int] = {}
        self._asked_s: dict[int, float] = {}
        self._dead: dict[int, str] = {}
        self._refused: set[int] = set()
        self._untold: list[int] = []

    def restart(self) -> None:
        """The session is a new one: no line has ticked."""
        for known in (self._ticked, self._since, self._asked_s, self._dead, self._refused, self._untold):
            known.clear()

    def forget(self, con_id: int) -> None:
        """It is not streamed any more."""
        self._ticked.pop(con_id, None)
        self._since.pop(con_id, None)
        self._heard(con_id)

    def beat_with(self, pulses: Mapping[int, int], wanted: Collection[int]) -> None:
        """Whose ticks say that the feed of a line lives; what was known before holds, of lines that are `wanted`."""
        self._pulses = {con_id: at for con_id, at in (self._pulses | dict(pulses)).items() if con_id in wanted}

    def on_ticks(self, con_ids: Iterable[int], now: datetime) -> None:
        """These lines have ticked."""
        for con_id in con_ids:
            self._ticked[con_id] = now
            if self._asked_s or self._dead:
                self._heard(con_id)

    def ended(self, con_id: int, why: str) -> None:
        """The broker says that it has nothing, or nothing more, for a line."""
        self._refused.add(con_id)
        self._die(con_id, why)

    @property
    def dead(self) -> frozenset[int]:
        """Lines that price nothing."""
        return frozenset(self._dead)

    def stands_at(self, con_id: int, now: datetime) -> datetime | None:
        """The market time at which a line is known to stand; None before its first tick, and while it is dead."""
        if self._exact:
            return now
        own = self._ticked.get(con_id)
        if own is None or con_id in self._dead:
            return None
        pulse = self._ticked.get(self._pulses.get(con_id, self.feed or con_id), own)
        return min(max(own, pulse), now)

    def look(self, session: RenewingSession, held: Collection[int], now: datetime) -> list[tuple[int, str]]:
        """Ask for quiet lines anew, those that are held first; returns lines that have died since, with the reason.

        In an exact world nothing is asked: there a line without a change has none.
        """
        if self._exact:
            return []
        now_s = self._monotonic()
        for con_id in session.subscribed & frozenset(held):
            self._since.setdefault(con_id, now)
        for con_id in sorted(self._asked_s.keys() - self._dead.keys()):
            if not self._feed_lives(con_id, now):
                self._asked_s.pop(con_id)  # what was asked proves nothing: everything is silent
            elif now_s - self._asked_s[con_id] > ANSWER_WITHIN_S:
                self._die(con_id, "it has not ticked while its feed did, and does not answer when it is asked anew")
        quiet = [con_id for con_id in session.subscribed if self._is_due(con_id, con_id in held, now, now_s)]
        quiet.sort(key=lambda con_id: (con_id not in held, self._asked_s.get(con_id, 0.0), con_id))
        for con_id in quiet[:MOST_AT_ONCE]:
            self._asked_s[con_id] = now_s
            session.renew(con_id)
        told, self._untold = [(con_id, self._dead[con_id]) for con_id in self._untold if con_id in self._dead], []
        return told

    def _is_due(self, con_id: int, held: bool, now: datetime, now_s: float) -> bool:
        """Whether a line is to be asked for anew: silent for long beside a feed that ticks, and not asked just now.

        What the broker has refused is asked for again while it is held only.
        """
        if not self._feed_lives(con_id, now):
            return False
        if con_id in self._dead:
            return (held or con_id not in self._refused) and now_s - self._asked_s[con_id] > ASK_DEAD_EVERY_S
        own = self._ticked.get(con_id, self._since.get(con_id))
        return con_id not in self._asked_s and own is not None and now - own > QUIET_AFTER

    def _feed_lives(self, con_id: int, now: datetime) -> bool:
        """Whether others of its feed tick; of a line that is the pulse itself nobody can tell."""
        pulse_of = self._pulses.get(con_id, self.feed or con_id)
        pulse = self._ticked.get(pulse_of)
        return pulse_of != con_id and pulse is not None and now - pulse <= PULSE_WITHIN

    def _die(self, con_id: int, why: str) -> None:
        if con_id not in self._dead:
            self._untold.append(con_id)
        self._dead[con_id] = why
        self._asked_s.setdefault(con_id, self._monotonic())

    def _heard(self, con_id: int) -> None:
        self._asked_s.pop(con_id, None)
        self._dead.pop(con_id, None)
        self._refused.discard(con_id)


class DeadTold:
    """Which dead lines a person is told of now: what is held always, though not the same again at once; others seldom.

    What is not told now waits: it is not forgotten, unless it lives again.
    """

    def __init__(self) -> None:
        self._held_at: dict[int, datetime] = {}
        self._others_at: datetime | None = None
        self._waiting: dict[int, str] = {}

    def due(
        self, died: Iterable[tuple[int, str]], dead: Collection[int], held: Collection[int], now: datetime
    ) -> list[str]:
        """Texts to be told now, held lines first; `died` are those that have died since the last call."""
        known = self._waiting | dict(died)
        self._waiting = {con_id: why for con_id, why in known.items() if con_id in dead}
        ours = [con_id for con_id in self._waiting if con_id in held and _seldom(self._held_at.get(con_id), now)]
        self._held_at |= dict.fromkeys(ours, now)
        others = [con_id for con_id in self._waiting if con_id not in held] if _seldom(self._others_at, now) else []
        self._others_at = now if others else self._others_at
        return [self._waiting.pop(con_id) for con_id in (*ours, *others)]


def _seldom(told_at: datetime | None, now: datetime) -> bool:
    return told_at is None or now - told_at >= QUIET
