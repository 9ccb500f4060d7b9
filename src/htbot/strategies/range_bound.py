"""The range of the day before: buy at its low, leave at its high.

    levels     PDH and PDL, the high and the low of the session before (regular hours)
    entry      when flat, a close at PDL or at most 0.1 % above it, on at least the mean volume of 20 bars: long.
               Not when the range is less than three times the proximity, or the target not 1.5 times as far as the stop
    stop       0.5 % below PDL
    target     PDH
    exit       also when the close is within 0.2 % of PDH, above or below
    short      the mirror at PDH, off by default

PDH and PDL of the exit are those of the day it is looked at, stop and target stay those of the entry.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from htbot.domain.bars import TapeBar
from htbot.domain.sessions import SESSION_MINUTES
from htbot.indicators.stream import PreviousDay, VolumeRatio
from htbot.strategies.bar_strategy import (
    LEAVE,
    LONG,
    NONE,
    SHORT,
    WAIT,
    Advice,
    BarConfig,
    BarInputs,
    BarStrategy,
    Holding,
)
from htbot.strategies.config import About, Meaning, Range
from htbot.strategies.levels import DAY_STRENGTH, above, below, confidence, nearness, reward_to_risk


@dataclass(frozen=True, kw_only=True)
class RangeBoundConfig(BarConfig):
    """Settings of the range of the day before; distances are shares of the level.

    `exit_proximity` is how near to the opposite level it leaves. `volume_ratio` of the mean of the last
    `volume_window` volumes, the bar's own included, is asked for with `volume_confirmation`. `min_range_proximities`
    is the smallest range, in proximities; `min_reward_risk` the smallest distance to the target over that to the stop.
    """

    allow_short: bool = False
    bar_minutes: Annotated[int, Range(1, 1440), Meaning("length of the bars it is meant for", "minutes")] = 5
    proximity: Annotated[
        float, Range(0.0001, 0.05), Meaning("how near to the level an entry must be, as a share of it", "0.01 = 1 %")
    ] = 0.001
    stop_beyond: Annotated[
        float, Range(0.0001, 0.2), Meaning("stop beyond the level, as a share of it", "0.01 = 1 %")
    ] = 0.005
    exit_proximity: Annotated[
        float, Range(0, 0.05), Meaning("how near to the opposite level it leaves, as a share of it", "0.01 = 1 %")
    ] = 0.002
    volume_confirmation: Annotated[bool, Meaning("asks the volume at an entry")] = True
    volume_ratio: Annotated[float, Range(0.01, 100), Meaning("volume over its mean that is asked for", "times")] = 1.0
    volume_window: Annotated[int, Range(2, 500), Meaning("bars in the mean volume", "bars")] = 20
    min_range_proximities: Annotated[float, Range(0, 100), Meaning("smallest range, in proximities", "proximities")] = (
        3.0
    )
    min_reward_risk: Annotated[
        float, Range(0, 100), Meaning("smallest distance to the target over that to the stop", "times")
    ] = 1.5


class RangeBound(BarStrategy):
    """In at one end of the range of the day before, out at the other."""

    name = "range_bound"
    about = About(
        does="buys at the low of the day before and sells at its high",
        enters="at a close just above that low, on enough volume, when the range is worth it; short at the high",
        leaves="at its stop beyond the level, at the opposite level or near it",
    )
    Config = RangeBoundConfig

    config: RangeBoundConfig
    day: PreviousDay
    volume: VolumeRatio
    short_too: bool
    proximity: float
    stop_beyond: float
    exit_proximity: float
    confirmed: bool
    asked: float
    min_range: float
    min_reward_risk: float

    def __init__(self, config: RangeBoundConfig) -> None:
        super().__init__(config)
        self.day = PreviousDay()
        self.volume = VolumeRatio(config.volume_window)
        self.short_too = config.allow_short
        self.proximity = config.proximity
        self.stop_beyond = config.stop_beyond
        self.exit_proximity = config.exit_proximity
        self.confirmed = config.volume_confirmation
        self.asked = config.volume_ratio
        self.min_range = config.min_range_proximities * config.proximity
        self.min_reward_risk = config.min_reward_risk

    @property
    def inputs(self) -> BarInputs:
        """A whole session before, and the bars that the volume is compared with."""
        config = self.config
        session = -(-SESSION_MINUTES // config.bar_minutes)
        return BarInputs(bar_minutes=config.bar_minutes, warm_up_bars=max(session, config.volume_window))

    def on_bar(self, bar: TapeBar, held: Holding) -> Advice:
        """A close at one end of the range; unknown levels compare false."""
        self.day.add(bar)
        self.volume.add(bar.volume)
        high, low = self.day.high, self.day.low
        if held.side != NONE:
            opposite = high if held.side == LONG else low
            return LEAVE if abs(bar.close - opposite) <= self.exit_proximity * opposite else WAIT
        if not high - low >= self.min_range * low:
            return WAIT
        if self.confirmed and not self.volume.value >= self.asked:
            return WAIT
        if above(bar.close, low, self.proximity):
            return self._entry(LONG, bar.close, low, high)
        if self.short_too and below(bar.close, high, self.proximity):
            return self._entry(SHORT, bar.close, high, low)
        return WAIT

    def _entry(self, side: int, price: float, level: float, target: float) -> Advice:
        stop = level * (1.0 - side * self.stop_beyond)
        if not reward_to_risk(price, stop, target) >= self.min_reward_risk:
            return WAIT
        near = nearness(price, level, self.proximity)
        return Advice(side, False, stop, target, confidence(near, self.volume.value / self.asked, DAY_STRENGTH))
