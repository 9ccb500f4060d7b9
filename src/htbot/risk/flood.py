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
    """Entries of an account in a minute, and of the same entry of a strategy in a window."""

    per_minute: int = 10
    repeats: int = 2
    window_s: float = 60.0


class EntryFlood:
    """Stands before the wire, where every entry passes whoever decided it. Closes are not shown to it."""

    def __init__(self, limits: FloodLimits) -> None:
        self._limits = limits
        self._window = timedelta(seconds=limits.window_s)
        self._sent: dict[str, deque[datetime]] = {}
        self._alike: dict[tuple[str, str, str], deque[datetime]] = {}

    def refusal(self, strategy: str, order: str, now: datetime, account: str = "") -> str | None:
        """Why this entry of an account (its `fingerprint`) may not be sent at a market time; None counts it as sent."""
        sent = self._sent.setdefault(account, deque())
        alike = self._alike.setdefault((account, strategy, order), deque())
        minute, same = _since(sent, now - _MINUTE), _since(alike, now - self._window)
        if minute >= self._limits.per_minute:
            return f"{minute} entries within a minute, limit {self._limits.per_minute}"
        if same >= self._limits.repeats:
            return f"the same entry {same} times within {self._limits.window_s:g} s, limit {self._limits.repeats}"
        sent.append(now)
        alike.append(now)
        return None


def _since(sent: deque[datetime], begin: datetime) -> int:
    """How many were sent after a time; the others are forgotten."""
    while sent and sent[0] <= begin:
        sent.popleft()
    return len(sent)
