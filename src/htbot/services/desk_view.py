"""The desk as others see it: what it last published in Redis, and how long ago."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import redis

from htbot.marketdata.clock_state import ClockState, Mode
from htbot.marketdata.snapshot import Snapshot

SILENT_AFTER_S = 15.0
NOT_RUNNING = "desk not running"
RUNNING = "running"
REDIS_AWAY = "unknown: redis does not answer"


class Live(Protocol):
    """What is live in Redis (`htbot.adapters.live.LiveReader`)."""

    def clock(self) -> ClockState | None:
        """The desk's last clock."""
        ...

    def snapshot(self, symbol: str) -> Snapshot | None:
        """The latest snapshot of an underlying."""
        ...

    def tickers(self) -> dict[str, Snapshot]:
        """The newest quotes of each underlying and of what is held, by symbol."""
        ...

    def raise_halt(self, reason: str) -> None:
        """Ring for a halt."""
        ...

    def drop_halt(self) -> None:
        """Stop ringing."""
        ...

    def ping(self) -> bool:
        """True when Redis answers."""
        ...


@dataclass(frozen=True, slots=True)
class DeskView:
    """State of the desk. `connection` is that of its broker session in its own words, or why it is not known."""

    state: str
    connection: str
    clock: ClockState | None = None
    market_time: datetime | None = None
    heartbeat_age_s: float | None = None

    @property
    def account(self) -> str | None:
        """The main account that the desk trades, None while it has not said."""
        return None if self.clock is None else self.clock.account or None

    @property
    def accounts(self) -> tuple[str, ...]:
        """Every account that the desk trades, the main one first; empty while it has not said."""
        return () if self.clock is None or self.account is None else (self.account, *self.clock.others)

    @property
    def speed(self) -> float | str | None:
        """Market seconds per second, `max` when stepped."""
        if self.clock is None:
            return None
        return "max" if self.clock.speed is None else self.clock.speed


def look(live: Live, host_now: datetime) -> DeskView:
    """The desk now. A stepped desk publishes at barriers only, so its silence says nothing."""
    try:
        clock = live.clock()
    except redis.RedisError:
        return DeskView("unknown", REDIS_AWAY)
    if clock is None:
        return DeskView("not running", NOT_RUNNING)
    age_s = round(clock.age(host_now).total_seconds(), 1)
    if age_s > SILENT_AFTER_S and clock.mode is not Mode.STEPPED:
        return DeskView("not running", NOT_RUNNING, clock, clock.market_time, age_s)
    return DeskView(RUNNING, clock.connection, clock, clock.market_now(host_now), age_s)


def market_now(live: Live, host_now: datetime) -> datetime:
    """The time that acts are recorded at: the market's, or the host's while nobody has told the market's."""
    return look(live, host_now).market_time or host_now


def snapshot_of(live: Live, symbol: str) -> Snapshot | None:
    """The latest snapshot of an underlying; None when there is none or Redis does not answer."""
    try:
        return live.snapshot(symbol)
    except redis.RedisError:
        return None


def tickers_of(live: Live) -> dict[str, Snapshot]:
    """The newest quotes by underlying; none when Redis does not answer."""
    try:
        return live.tickers()
    except redis.RedisError:
        return {}
