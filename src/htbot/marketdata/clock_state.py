"""Market time as the desk publishes it: the clock that every other process derives from (ARCHITECTURE section 5)."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum

GRID_S = 30


class Mode(StrEnum):
    """How market time moves, and whose money it is."""

    LIVE = "live"
    PAPER = "paper"
    STEPPED = "stepped"


@dataclass(frozen=True, slots=True)
class ClockState:
    """One publication of the desk; `written_at` is host time, `speed` market seconds per second, None = stepped.

    `account` is the main one that it trades, `others` are those beside it. `trading_enabled` is the main one's;
    snapshots have each account's.
    """

    market_time: datetime
    written_at: datetime
    mode: Mode
    speed: float | None
    world_id: str
    account: str
    connection: str
    trading_enabled: bool
    reason: str | None = None
    others: tuple[str, ...] = ()

    def market_now(self, host_now: datetime) -> datetime:
        """Market time at a host time: extrapolated when paced, standing still when stepped."""
        if self.speed is None:
            return self.market_time
        return self.market_time + (host_now - self.written_at) * self.speed

    def age(self, host_now: datetime) -> timedelta:
        """Host time since the desk last spoke."""
        return host_now - self.written_at


def encode(state: ClockState) -> str:
    """JSON text; `speed` is "max" when stepped."""
    document = asdict(state)
    document["market_time"] = state.market_time.isoformat()
    document["written_at"] = state.written_at.isoformat()
    document["speed"] = "max" if state.speed is None else state.speed
    return json.dumps(document)


def decode(text: str | bytes) -> ClockState:
    """The state back from its JSON text."""
    raw = json.loads(text)
    raw["market_time"] = datetime.fromisoformat(raw["market_time"])
    raw["written_at"] = datetime.fromisoformat(raw["written_at"])
    raw["mode"] = Mode(raw["mode"])
    raw["speed"] = None if raw["speed"] == "max" else float(raw["speed"])
    raw["others"] = tuple(raw.get("others", ()))
    return ClockState(**raw)


def step_number(as_of: datetime) -> int:
    """The number of a 30-second grid instant: grid points since the epoch."""
    return int(as_of.timestamp()) // GRID_S
