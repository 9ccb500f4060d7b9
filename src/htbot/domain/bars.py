"""Price bars."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Bar:
    """One OHLCV bar; `start` is aware UTC, prices in dollars or index points (float64)."""

    symbol: str
    start: datetime
    minutes: int
    open: float
    high: float
    low: float
    close: float
    volume: float = 0.0

    @property
    def end(self) -> datetime:
        """The instant from which the bar is closed and usable."""
        return self.start + timedelta(minutes=self.minutes)
