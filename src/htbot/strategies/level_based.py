"""Support and resistance: buy just above a strong support, leave at the next resistance.

levels     strength  supports            resistances
day        0.9       PDL                 PDH: low and high of the session before
pivot      0.8       PP                  PP = (H + L + C) / 3 of the session before: on both sides
           0.7       S1 = 2 PP - H       R1 = 2 PP - L
           0.6       S2 = PP - (H - L)   R2 = PP + (H - L)
swings     touches   lows below, highs above those of the two bars on either side, all among the last 20 bars;
           / 5       those within 0.2 % of one of them are its touches, 2 at least, their mean the level; at most 1

Only levels with a strength of at least 0.6 count.
entry      when flat, a bar that closes up (close above open), at the nearest support or at most 0.1 % above it:
           long. Not without a resistance above, or when that is not 1.5 times as far as the stop
stop       0.5 % below the support
target     the nearest resistance above the close
exit       also when the close is within 0.2 % of the target, above or below
short      the mirror at a resistance, after a bar that closes down, off by default
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from htbot.domain.bars import TapeBar
from htbot.domain.numeric import UNKNOWN, known
from htbot.domain.sessions import SESSION_MINUTES
from htbot.indicators.stream import PreviousDay, VolumeRatio
from htbot.indicators.window import Window
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
from htbot.strategies.config import About, Meaning, Range, reject
from htbot.strategies.levels import DAY_STRENGTH, confidence, nearness, reward_to_risk

PIVOT_STRENGTH, FIRST_STRENGTH, SECOND_STRENGTH = 0.8, 0.7, 0.6
FULL_TOUCHES = 5
"""So many touches make a strength of 1."""


@dataclass(frozen=True, kw_only=True)
class LevelBasedConfig(BarConfig):
    """Settings of support and resistance; distances are shares of the level.

    A swing is beyond `swing_order` bars on either side of it, all of them among the last `lookback`; swings within
    `cluster_tolerance` of one make a level of at least `min_touches`. `volume_ratio` of the mean of the last
    `volume_window` volumes gives the full share of the confidence.
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
    min_strength: Annotated[float, Range(0, 1), Meaning("levels below it do not count", "strength")] = 0.6
    min_reward_risk: Annotated[
        float, Range(0, 100), Meaning("smallest distance to the target over that to the stop", "times")
    ] = 1.5
    swing_order: Annotated[int, Range(1, 20), Meaning("bars on either side that a swing stands out from", "bars")] = 2
    lookback: Annotated[int, Range(3, 200), Meaning("bars in which swings are looked for", "bars")] = 20
    cluster_tolerance: Annotated[
        float, Range(0, 0.05), Meaning("swings so near to one another are one level, as a share of it", "0.01 = 1 %")
    ] = 0.002
    min_touches: Annotated[int, Range(1, 20), Meaning("swings that make a level", "swings")] = 2
    volume_ratio: Annotated[float, Range(0.01, 100), Meaning("volume over its mean that is asked for", "times")] = 1.0
    volume_window: Annotated[int, Range(2, 500), Meaning("bars in the mean volume", "bars")] = 20

    def check(self) -> None:
        """A swing with its neighbours fits into the bars that are looked at."""
        super().check()
        if 2 * self.swing_order >= self.lookback:
            raise reject("swing_order", self.swing_order, f"less than half of lookback={self.lookback}")


class LevelBased(BarStrategy):
    """In at a strong level, out at the next one on the other side.

    `level` with its `strength`, and `opposite`, are what the last look has found.
    """

    name = "level_based"
    about = About(
        does="buys just above a strong support and sells at the next resistance",
        enters="at a rising bar just above a support, with a resistance far enough above it; short the mirror",
        leaves="at its stop beyond the level, at the resistance or near it",
    )
    Config = LevelBasedConfig

    config: LevelBasedConfig
    day: PreviousDay
    volume: VolumeRatio
    highs: Window
    lows: Window
    swing_highs: Window
    swing_lows: Window
    order: int
    short_too: bool
    proximity: float
    stop_beyond: float
    exit_proximity: float
    min_strength: float
    min_reward_risk: float
    tolerance: float
    min_touches: int
    asked: float
    level: float
    strength: float
    opposite: float

    def __init__(self, config: LevelBasedConfig) -> None:
        super().__init__(config)
        self.day = PreviousDay()
        self.volume = VolumeRatio(config.volume_window)
        self.order = config.swing_order
        self.highs = Window(2 * self.order + 1)
        self.lows = Window(2 * self.order + 1)
        self.swing_highs = Window(config.lookback - 2 * self.order)
        self.swing_lows = Window(config.lookback - 2 * self.order)
        self.short_too = config.allow_short
        self.proximity = config.proximity
        self.stop_beyond = config.stop_beyond
        self.exit_proximity = config.exit_proximity
        self.min_strength = config.min_strength
        self.min_reward_risk = config.min_reward_risk
        self.tolerance = config.cluster_tolerance
        self.min_touches = config.min_touches
        self.asked = config.volume_ratio
        self.level = self.opposite = UNKNOWN
        self.strength = 0.0

    @property
    def inputs(self) -> BarInputs:
        """A whole session before, and the bars that swings and volume are read from."""
        config = self.config
        needed = max(-(-SESSION_MINUTES // config.bar_minutes), config.volume_window, config.lookback)
        return BarInputs(bar_minutes=config.bar_minutes, warm_up_bars=needed)

    def on_bar(self, bar: TapeBar, held: Holding) -> Advice:
        """A bar that turns at a level."""
        self.day.add(bar)
        self.volume.add(bar.volume)
        self.highs.push(bar.high)
        self.lows.push(bar.low)
        self.swing_highs.push(self._swing(self.highs, 1))
        self.swing_lows.push(self._swing(self.lows, -1))
        if held.side != NONE:
            return LEAVE if abs(bar.close - held.target) <= self.exit_proximity * held.target else WAIT
        if bar.close > bar.open:
            return self._answer(LONG, bar.close)
        if bar.close < bar.open and self.short_too:
            return self._answer(SHORT, bar.close)
        return WAIT

    def _swing(self, extremes: Window, sign: int) -> float:
        """The price `order` bars ago if it is beyond those on either side of it, else UNKNOWN."""
        middle = extremes.back(self.order)
        for age in range(2 * self.order + 1):
            if age != self.order and not sign * middle > sign * extremes.back(age):
                return UNKNOWN
        return middle

    def _answer(self, side: int, price: float) -> Advice:
        """An entry at the nearest level behind the price, towards the nearest one before it."""
        self._look(side, price)
        level = self.level
        if not side * (price - level) <= self.proximity * level:
            return WAIT
        stop = level * (1.0 - side * self.stop_beyond)
        if not reward_to_risk(price, stop, self.opposite) >= self.min_reward_risk:
            return WAIT
        near = nearness(price, level, self.proximity)
        sure = confidence(near, self.volume.value / self.asked, self.strength)
        return Advice(side, False, stop, self.opposite, sure)

    def _look(self, side: int, price: float) -> None:
        """Go through all levels: LONG for supports, SHORT for resistances, NONE for both."""
        self.level = self.opposite = UNKNOWN
        self.strength = 0.0
        high, low = self.day.high, self.day.low
        pivot = (high + low + self.day.close) / 3.0
        self._consider(side, price, LONG, low, DAY_STRENGTH)
        self._consider(side, price, SHORT, high, DAY_STRENGTH)
        self._consider(side, price, NONE, pivot, PIVOT_STRENGTH)
        self._consider(side, price, LONG, 2.0 * pivot - high, FIRST_STRENGTH)
        self._consider(side, price, SHORT, 2.0 * pivot - low, FIRST_STRENGTH)
        self._consider(side, price, LONG, pivot - (high - low), SECOND_STRENGTH)
        self._consider(side, price, SHORT, pivot + (high - low), SECOND_STRENGTH)
        self._consider_swings(side, price, LONG, self.swing_lows)
        self._consider_swings(side, price, SHORT, self.swing_highs)

    def _consider_swings(self, side: int, price: float, kind: int, swings: Window) -> None:
        for age in range(swings.count):
            middle = swings.back(age)
            if not known(middle):
                continue
            touches = 0
            apart = 0.0  # equal touches have their own price as mean, to the last bit
            for other in range(swings.count):
                distance = swings.back(other) - middle
                if abs(distance) <= self.tolerance * middle:
                    touches += 1
                    apart += distance
            if touches >= self.min_touches:
                self._consider(side, price, kind, middle + apart / touches, min(1.0, touches / FULL_TOUCHES))

    def _consider(self, side: int, price: float, kind: int, level: float, strength: float) -> None:
        """Keep a level that is nearer than what was found; at the same price the stronger one. UNKNOWN is no level."""
        if strength < self.min_strength:
            return
        if kind != -side and side * (price - level) >= 0.0:
            nearer = not side * level <= side * self.level
            if nearer or (level == self.level and strength > self.strength):
                self.level = level
                self.strength = strength
        if kind != side and side * (level - price) > 0.0 and not side * level >= side * self.opposite:
            self.opposite = level
