"""Indicators of volume (dialect of `domain.numeric`)."""

from __future__ import annotations

from htbot.domain.bars import TapeBar
from htbot.domain.numeric import UNKNOWN, Numeric
from htbot.indicators.window import RollingSum


class Obv(Numeric):
    """On-balance volume (Granville): + volume when the close rose, - volume when it fell; seeded with the first volume.

    First value with the first bar; TA-Lib OBV. Only its changes mean something: the seed is a convention.
    """

    last: float
    value: float

    def __init__(self) -> None:
        self.last = UNKNOWN
        self.value = UNKNOWN

    def add(self, close: float, volume: float) -> float:
        """Take a bar in; returns the balance."""
        check = close - volume
        if check - check != 0.0:
            raise ValueError(f"Obv: close {close}, volume {volume} are not finite numbers")
        last = self.last
        self.last = close
        if close > last:
            self.value += volume
        elif close < last:
            self.value -= volume
        elif last != last:  # noqa: PLR0124 - the first bar
            self.value = volume
        return self.value


class VolumeRatio(Numeric):
    """Volume over the simple mean of the last `window` volumes, its own included; UNKNOWN when that mean is 0.

    First value with volume number `window`.
    """

    sum: RollingSum
    window: int
    value: float

    def __init__(self, window: int = 20) -> None:
        self.sum = RollingSum(window)
        self.window = window
        self.value = UNKNOWN

    def add(self, volume: float) -> float:
        """Take a volume in; returns the ratio."""
        if volume - volume != 0.0:
            raise ValueError(f"VolumeRatio: {volume} is not a finite number")
        total = self.sum.add(volume)
        if self.sum.count == self.window:
            self.value = UNKNOWN if total == 0.0 else volume * self.window / total
        return self.value


class SessionVwap(Numeric):
    """Volume-weighted average price since the session began, of typical prices (high + low + close) / 3.

    UNKNOWN until the session has had volume. It begins anew with each session.
    """

    session: int
    money: float
    volume: float
    value: float

    def __init__(self) -> None:
        self.session = -1
        self.money = 0.0
        self.volume = 0.0
        self.value = UNKNOWN

    def add(self, bar: TapeBar) -> float:
        """Take a bar in; returns the average price."""
        check = bar.high - bar.low + bar.close - bar.volume
        if check - check != 0.0:
            raise ValueError(
                f"SessionVwap: high {bar.high}, low {bar.low}, close {bar.close}, volume {bar.volume} "
                "are not all finite numbers"
            )
        if bar.session != self.session:
            self.session = bar.session
            self.money = 0.0
            self.volume = 0.0
            self.value = UNKNOWN
        self.money += (bar.high + bar.low + bar.close) / 3.0 * bar.volume
        self.volume += bar.volume
        if self.volume != 0.0:
            self.value = self.money / self.volume
        return self.value
