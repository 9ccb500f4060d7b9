"""Momentum by points: RSI, MACD, rate of change and volume each say something, and two of them must agree.

condition            up                                            down
RSI(14), Wilder      65 to 80: 0.3, above 80 to 85: 0.2            20 to 35: 0.3, 15 to below 20: 0.2
MACD(12, 26, 9)      above its signal: 0.2, and rising hist: 0.3   below it: 0.2, and falling hist: 0.3
ROC(10), fraction    above 0.02: 0.2, above half of it: 0.1        below -0.02: 0.2, below half of it: 0.1
volume               at least 1.2 times the mean of 20 bars: 0.2   the same

entry      when flat and every indicator is whole: at least 2 conditions of a side, and more points than the other
stop       2 % from the entry's close; target 5 %
exit       long: RSI above 80, MACD below its signal and hist falling; or the mean change of the RSI over 5 bars
           below -2 while the price rose. Short: the mirror
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from htbot.domain.bars import TapeBar
from htbot.domain.numeric import UNKNOWN, known
from htbot.indicators.stream import Macd, Roc, VolumeRatio, WilderRsi
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

MOST_CONFIDENCE = 0.95
RSI_MIDDLE = 50.0


@dataclass(frozen=True, kw_only=True)
class MomentumConfig(BarConfig):
    """Settings of momentum by points.

    RSI levels are those of the long side; the short side's are 100 less them. `min_roc`, `stop_loss` and `take_profit`
    are fractions of the price: 0.02 is 2 %.
    """

    bar_minutes: Annotated[int, Range(1, 1440), Meaning("length of the bars it is meant for", "minutes")] = 5
    rsi_window: Annotated[int, Range(2, 500), Meaning("changes in the RSI", "bars")] = 14
    rsi_from: Annotated[float, Range(50, 100), Meaning("RSI condition begins", "RSI points")] = 65.0
    rsi_strong: Annotated[
        float, Range(50, 100), Meaning("full points up to it; an exhausted move is beyond it", "RSI points")
    ] = 80.0
    rsi_until: Annotated[float, Range(50, 100), Meaning("RSI condition ends", "RSI points")] = 85.0
    macd_fast: Annotated[int, Range(2, 500), Meaning("span of the fast mean", "bars")] = 12
    macd_slow: Annotated[int, Range(3, 1000), Meaning("span of the slow mean", "bars")] = 26
    macd_signal: Annotated[int, Range(2, 500), Meaning("span of the signal", "bars")] = 9
    roc_window: Annotated[int, Range(1, 500), Meaning("bars of the rate of change", "bars")] = 10
    min_roc: Annotated[float, Range(0.0001, 1), Meaning("rate of change for full points", "0.01 = 1 %")] = 0.02
    volume_ratio: Annotated[float, Range(0.01, 100), Meaning("volume over its mean that is asked for", "times")] = 1.2
    volume_window: Annotated[int, Range(2, 500), Meaning("bars in the mean volume", "bars")] = 20
    min_conditions: Annotated[int, Range(1, 4), Meaning("conditions that must be met", "conditions")] = 2
    stop_loss: Annotated[float, Range(0.0001, 0.9), Meaning("stop, as a share of the price", "0.01 = 1 %")] = 0.02
    take_profit: Annotated[float, Range(0.0001, 0.9), Meaning("target, as a share of the price", "0.01 = 1 %")] = 0.05
    divergence_bars: Annotated[int, Range(1, 100), Meaning("bars that price and RSI are compared over", "bars")] = 5
    divergence_rsi: Annotated[
        float, Range(0.01, 50), Meaning("mean fall of the RSI a bar that diverges", "RSI points")
    ] = 2.0

    def check(self) -> None:
        """The RSI levels rise, and the slow mean is the slower one."""
        super().check()
        if not self.rsi_from <= self.rsi_strong <= self.rsi_until:
            expected = f"from rsi_from={self.rsi_from:g} to rsi_until={self.rsi_until:g}"
            raise reject("rsi_strong", self.rsi_strong, expected)
        if not self.macd_fast < self.macd_slow:
            raise reject("macd_fast", self.macd_fast, f"less than macd_slow={self.macd_slow}")


class Momentum(BarStrategy):
    """With the move while several measures of it agree."""

    name = "momentum"
    about = About(
        does="goes with a move while RSI, MACD, rate of change and volume agree on it",
        enters="when min_conditions of the four speak for a side, with more points than for the other",
        leaves="at its stop or target, when the move is exhausted, or when the RSI turns while the price goes on",
    )
    Config = MomentumConfig

    config: MomentumConfig
    rsi: WilderRsi
    macd: Macd
    roc: Roc
    volume: VolumeRatio
    rsis: Window
    closes: Window
    last_hist: float
    rsi_from: float
    rsi_strong: float
    rsi_until: float
    min_roc: float
    volume_ratio: float
    min_conditions: int
    stop_loss: float
    take_profit: float
    divergence_bars: int
    divergence_rsi: float
    conditions: int
    tenths: int

    def __init__(self, config: MomentumConfig) -> None:
        super().__init__(config)
        self.rsi = WilderRsi(config.rsi_window)
        self.macd = Macd(config.macd_fast, config.macd_slow, config.macd_signal)
        self.roc = Roc(config.roc_window)
        self.volume = VolumeRatio(config.volume_window)
        self.rsis = Window(config.divergence_bars + 1)
        self.closes = Window(config.divergence_bars + 1)
        self.last_hist = UNKNOWN
        self.rsi_from = config.rsi_from
        self.rsi_strong = config.rsi_strong
        self.rsi_until = config.rsi_until
        self.min_roc = config.min_roc
        self.volume_ratio = config.volume_ratio
        self.min_conditions = config.min_conditions
        self.stop_loss = config.stop_loss
        self.take_profit = config.take_profit
        self.divergence_bars = config.divergence_bars
        self.divergence_rsi = config.divergence_rsi
        self.conditions = 0
        self.tenths = 0

    @property
    def inputs(self) -> BarInputs:
        """Every indicator whole, and the change of the MACD's histogram."""
        config = self.config
        needed = max(
            config.rsi_window + 1,
            config.macd_slow + config.macd_signal,
            config.roc_window + 1,
            config.volume_window,
        )
        return BarInputs(bar_minutes=config.bar_minutes, warm_up_bars=needed)

    def on_bar(self, bar: TapeBar, held: Holding) -> Advice:
        """Points for both sides when flat, the end of the move when not."""
        self.last_hist = self.macd.hist
        self.macd.add(bar.close)
        self.roc.add(bar.close)
        self.volume.add(bar.volume)
        self.rsis.push(self.rsi.add(bar.close))
        self.closes.push(bar.close)
        if held.side != NONE:
            return LEAVE if self._exhausted(held.side) or self._diverges(held.side) else WAIT
        if not self._whole():
            return WAIT
        self._score(SHORT)
        short_conditions, short_tenths = self.conditions, self.tenths
        self._score(LONG)
        if self.conditions >= self.min_conditions and self.tenths > short_tenths:
            return self._entry(LONG, bar.close, self.tenths)
        if short_conditions >= self.min_conditions and short_tenths > self.tenths:
            return self._entry(SHORT, bar.close, short_tenths)
        return WAIT

    def _whole(self) -> bool:
        """Whether every indicator is known; a volume mean of zero is no volume, which is known."""
        return known(self.rsi.value + self.last_hist + self.roc.value) and self.volume.sum.full

    def _score(self, side: int) -> None:
        """Conditions of a side that are met, and their points in tenths: 0.1 + 0.2 is not more than 0.3."""
        self.conditions = 0
        self.tenths = 0
        rsi = RSI_MIDDLE + side * (self.rsi.value - RSI_MIDDLE)
        self._count(3 if rsi <= self.rsi_strong else 2, self.rsi_from <= rsi <= self.rsi_until)
        hist = side * self.macd.hist
        self._count(3 if hist > side * self.last_hist else 2, hist > 0.0)
        change = side * self.roc.value / 100.0
        self._count(2 if change > self.min_roc else 1, change > self.min_roc / 2.0)
        self._count(2, self.volume.value >= self.volume_ratio)

    def _count(self, tenths: int, met: bool) -> None:
        if met:
            self.conditions += 1
            self.tenths += tenths

    def _entry(self, side: int, price: float, tenths: int) -> Advice:
        stop = price * (1.0 - side * self.stop_loss)
        target = price * (1.0 + side * self.take_profit)
        return Advice(side, False, stop, target, min(MOST_CONFIDENCE, 0.5 + tenths / 20.0))

    def _exhausted(self, side: int) -> bool:
        """The RSI beyond its strong level while the MACD is against the position, and further so than before."""
        rsi = RSI_MIDDLE + side * (self.rsi.value - RSI_MIDDLE)
        hist = side * self.macd.hist
        return rsi > self.rsi_strong and hist < 0.0 and hist < side * self.last_hist

    def _diverges(self, side: int) -> bool:
        """The price went on while the RSI turned; an unknown change compares false."""
        bars = self.divergence_bars
        turned = side * (self.rsis.back(0) - self.rsis.back(bars)) / bars
        return turned < -self.divergence_rsi and side * (self.closes.back(0) - self.closes.back(bars)) > 0.0
