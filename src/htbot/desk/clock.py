"""The desk's market clock (RULINGS 17): told by markers when stepped, by the gateway when paced, the host's live."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from htbot.marketdata.clock_state import Mode

# A move of the gateway's clock beyond this is a jump (nights are skipped), not drift.
_JUMP = timedelta(minutes=2)


class DeskClock:
    """Market time. `speed` is market seconds per host second, None when stepped."""

    def __init__(self, mode: Mode, speed: float | None, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.mode = mode
        self.speed = speed
        self._monotonic = monotonic
        self._anchor: datetime | None = None
        self._anchored_at = 0.0
        self._shown: datetime | None = None

    @property
    def known(self) -> bool:
        """False until the broker has told the time once."""
        return self._anchor is not None

    @property
    def stepped(self) -> bool:
        """True when market time moves by barrier."""
        return self.mode is Mode.STEPPED

    def now(self) -> datetime:
        """Market time, aware UTC."""
        if self.mode is Mode.LIVE:
            return datetime.now(UTC)
        if self._anchor is None:
            raise RuntimeError("market time is not known yet: the gateway has not told it")
        if self.speed is None:
            return self._anchor
        estimate = self._anchor + timedelta(seconds=(self._monotonic() - self._anchored_at) * self.speed)
        # A word of the gateway that was long on its way makes time stand still, never run back.
        if self._shown is None or not timedelta(0) < self._shown - estimate <= _JUMP * max(self.speed, 1.0):
            self._shown = estimate
        return self._shown

    def told(self, market_time: datetime) -> bool:
        """Take the broker's clock, whole seconds; True when time has jumped."""
        if self.mode is Mode.LIVE:
            self._anchor = market_time
            return False
        if self._anchor is None or self.speed is None:
            jumped = self._anchor is not None and market_time - self._anchor > _JUMP
            self._set(market_time)
            return jumped
        estimate = self.now()
        # The broker's time lies in [market_time, market_time + 1 s): stay when the estimate agrees.
        latest = market_time + timedelta(seconds=1)
        if estimate < market_time:
            self._set(market_time)
        elif estimate > latest:
            self._set(latest)
        return abs(market_time - estimate) > _JUMP

    def skew(self, broker_time: datetime) -> timedelta:
        """How far a live host's clock is from the broker's, which tells whole seconds (RULINGS 17); else nothing."""
        if self.mode is not Mode.LIVE:
            return timedelta(0)
        host = datetime.now(UTC)
        return max(broker_time - host, host - broker_time - timedelta(seconds=1), timedelta(0))

    def _set(self, market_time: datetime) -> None:
        self._anchor = market_time
        self._anchored_at = self._monotonic()
