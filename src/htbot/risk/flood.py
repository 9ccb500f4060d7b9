"""Entries that come too fast or too alike: a strategy that has lost its mind (FAULTS 42)."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

_MINUTE = timedelta(minutes=1)


class Part(Protocol):
    """One leg, as far as it tells orders apart."""

    @property
    def con_id(self) -> int:
        """The contract."""
        ...

    @property
    def ratio(self) -> int:
        """Units per combination, negative when sold."""
        ...


def fingerprint(action: str, quantity: int, legs: Sequence[Part]) -> str:
    """The same text for the same legs, side and quantity, whatever the order of the legs."""
    parts = sorted((leg.con_id, leg.ratio) for leg in legs)
    return f"{action} {quantity} {' '.join(f'{con_id}{ratio:+d}' for con_id, ratio in parts)}"


@dataclass(frozen=True, slots=True)
class FloodLimits:
    """Entries of an account in a minute, and of the same entry in a window."""

    per_minute: int = 10
    repeats: int = 2
    window_s: float = 60.0


class EntryFlood:
    """Stands before the wire, where every entry passes whoever decided it. Closes are not shown to it."""

    def __init__(self, limits: FloodLimits) -> None:
        self._limits = limits
        self._sent: deque[tuple[datetime, str]] = deque()

    def refusal(self, order: str, now: datetime) -> str | None:
        """Why this entry (its `fingerprint`) may not be sent at a market time; None counts it as sent."""
        window = timedelta(seconds=self._limits.window_s)
        oldest = now - max(window, _MINUTE)
        while self._sent and self._sent[0][0] <= oldest:
            self._sent.popleft()
        minute = sum(at > now - _MINUTE for at, _sent in self._sent)
        if minute >= self._limits.per_minute:
            return f"{minute} entries within a minute, limit {self._limits.per_minute}"
        same = sum(sent == order and at > now - window for at, sent in self._sent)
        if same >= self._limits.repeats:
            return f"the same entry {same} times within {self._limits.window_s:g} s, limit {self._limits.repeats}"
        self._sent.append((now, order))
        return None
