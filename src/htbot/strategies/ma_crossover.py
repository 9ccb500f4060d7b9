"""Moving averages that cross: buy when the short one crosses the long one upwards, sell when it crosses downwards.

    averages   simple means of the last 5 and the last 20 closes, over sessions
    side       that of the short mean: above the long one +1, below it -1; equal ones keep the side they had
    crossing   a bar whose side is not the side before it; the first side after the warm-up is a level, no crossing
    entry      at a crossing, when flat, up: long, down: short (off by default)
    exit       at the opposite crossing; it closes and does not turn the position round

On ticks the same class is fed with `domain.bars.tick_bar`: a tick is a bar without length.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from htbot.domain.bars import TapeBar
from htbot.domain.numeric import UNKNOWN
from htbot.indicators.stream import Sma, WilderRsi
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
from htbot.strategies.config import About, Meaning, OneOf, Range, reject

NO_GAP = 1e-12
"""Means of equal numbers differ by rounding; a gap below this share of the price is none."""


@dataclass(frozen=True, kw_only=True)
class MaCrossoverConfig(BarConfig):
    """Settings of the crossing averages.

    `emit_initial` takes the first side after the warm-up for a crossing. `confidence_mode` raw is the gap as a share
    of the long mean, normalised is 0.5 + gap / (2 * confidence_scale), both at most 1. With `rsi_filter` it buys only
    below `rsi_high` and sells short only above `rsi_low`.
    """

    allow_short: bool = False
    bar_minutes: Annotated[int, Range(1, 1440), Meaning("length of the bars it is meant for", "minutes")] = 5
    short_window: Annotated[int, Range(1, 500), Meaning("closes of the short mean", "bars")] = 5
    long_window: Annotated[int, Range(2, 1000), Meaning("closes of the long mean", "bars")] = 20
    emit_initial: Annotated[bool, Meaning("takes the first side for a crossing")] = False
    confidence_mode: Annotated[
        str, OneOf(("raw", "normalised")), Meaning("the gap itself, or 0.5 + gap / (2 * scale)")
    ] = "normalised"
    confidence_scale: Annotated[
        float, Range(0.0001, 1), Meaning("gap, as a share of the price, that makes a confidence of 1", "0.01 = 1 %")
    ] = 0.01
    rsi_filter: Annotated[bool, Meaning("asks the RSI at an entry")] = False
    rsi_window: Annotated[int, Range(2, 500), Meaning("changes in the RSI", "bars")] = 14
    rsi_high: Annotated[float, Range(0, 100), Meaning("buys only below it", "RSI points")] = 70.0
    rsi_low: Annotated[float, Range(0, 100), Meaning("sells short only above it", "RSI points")] = 30.0

    def check(self) -> None:
        """The short mean is the shorter one."""
        super().check()
        if not self.short_window < self.long_window:
            raise reject("short_window", self.short_window, f"less than long_window={self.long_window}")


class MaCrossover(BarStrategy):
    """In at a crossing of two moving averages, out at the opposite one."""

    name = "ma_crossover"
    about = About(
        does="follows two moving averages that cross",
        enters="when the mean of short_window closes crosses that of long_window: upwards long, downwards short",
        leaves="at the opposite crossing; it does not turn the position round",
    )
    Config = MaCrossoverConfig

    config: MaCrossoverConfig
    short: Sma
    long: Sma
    rsi: WilderRsi
    side: int
    gap: float
    emit_initial: bool
    normalised: bool
    scale: float
    rsi_filter: bool
    rsi_high: float
    rsi_low: float

    def __init__(self, config: MaCrossoverConfig) -> None:
        super().__init__(config)
        self.short = Sma(config.short_window)
        self.long = Sma(config.long_window)
        self.rsi = WilderRsi(config.rsi_window)
        self.side = NONE
        self.gap = 0.0
        self.emit_initial = config.emit_initial
        self.normalised = config.confidence_mode == "normalised"
        self.scale = config.confidence_scale
        self.rsi_filter = config.rsi_filter
        self.rsi_high = config.rsi_high
        self.rsi_low = config.rsi_low

    @property
    def inputs(self) -> BarInputs:
        """As many bars as the long mean spans, or the RSI with its first change."""
        config = self.config
        rsi = config.rsi_window + 1 if config.rsi_filter else 0
        return BarInputs(bar_minutes=config.bar_minutes, warm_up_bars=max(config.long_window, rsi))

    def on_bar(self, bar: TapeBar, held: Holding) -> Advice:
        """A crossing opens when flat and closes what is held against it."""
        if self.rsi_filter:
            self.rsi.add(bar.close)
        crossed = self._crossing(bar.close)
        if held.side != NONE:
            return LEAVE if crossed == -held.side else WAIT
        if crossed == NONE or not self._confirmed(crossed):
            return WAIT
        return Advice(crossed, False, UNKNOWN, UNKNOWN, self._confidence())

    def _crossing(self, close: float) -> int:
        """The new side at a bar that crosses, else NONE."""
        short = self.short.add(close)
        mean = self.long.add(close)
        gap = (short - mean) / mean
        side = NONE
        if gap > NO_GAP:
            side = LONG
        elif gap < -NO_GAP:
            side = SHORT
        if side == NONE or side == self.side:  # noqa: PLR1714 - at every bar, and a set costs more
            return NONE
        primed = self.side != NONE
        self.side = side
        self.gap = abs(gap)
        return side if primed or self.emit_initial else NONE

    def _confirmed(self, side: int) -> bool:
        """Whether the RSI lets a crossing pass; an unknown one does not."""
        if not self.rsi_filter:
            return True
        return self.rsi.value < self.rsi_high if side == LONG else self.rsi.value > self.rsi_low

    def _confidence(self) -> float:
        if self.normalised:
            return min(1.0, 0.5 + self.gap / (2.0 * self.scale))
        return min(1.0, self.gap)
