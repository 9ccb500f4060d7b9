"""The plain breakout: buy above the day's high in an up trend, sell short below the day's low in a down trend.

    trend   EMA(144) of the simple-mean RSI(60) of 5-minute closes: above 50 up, below 50 down
    level   highest high and lowest low of this session's 5-minute bars that were complete when the deciding bar began
    entry   10:00 to 15:00 New York, when flat, at a close beyond the level in the direction of the trend
    exit    400 USD profit, 200 USD loss, or 15:00 (on half days the close), at a bar's close

It decides at every bar of the data, one minute or five, and reads its indicators off 5-minute bars made of them.

    htbot backtest plain_breakout --data FILE --symbol SPY --fill close --set point_value=100
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import time
from decimal import Decimal
from typing import Annotated

from htbot.domain.bars import TapeBar
from htbot.domain.numeric import UNKNOWN, known
from htbot.indicators.builder import BarBuilder
from htbot.indicators.stream import Ema, SimpleRsi
from htbot.strategies.bar_strategy import (
    LONG,
    SHORT,
    WAIT,
    Advice,
    BarConfig,
    BarInputs,
    BarStrategy,
    Holding,
)
from htbot.strategies.config import About, Meaning, OneOf, Range


@dataclass(frozen=True, kw_only=True)
class PlainBreakoutConfig(BarConfig):
    """Settings of the plain breakout. `warmup` strict waits for as many RSI values as the EMA spans."""

    quantity: Annotated[int, Range(1, 1_000_000)] = 1
    point_value: Annotated[int, Range(1, 10_000)] = 100
    entry_start: time = time(10)
    entry_end: time = time(15)
    exit_time: time | None = time(15)
    profit_target_usd: Annotated[Decimal | None, Range(0.01, 10_000_000)] = Decimal(400)
    stop_loss_usd: Annotated[Decimal | None, Range(0.01, 10_000_000)] = Decimal(200)
    rsi_window: Annotated[int, Range(2, 500), Meaning("changes in the RSI", "bars")] = 60
    ema_span: Annotated[int, Range(2, 1000), Meaning("span of the mean of the RSI", "bars")] = 144
    threshold: Annotated[float, Range(0, 100), Meaning("RSI mean: above it up, below it down", "RSI points")] = 50.0
    warmup: Annotated[
        str,
        OneOf(("strict", "seeded")),
        Meaning("strict: as many RSI values as the mean spans; seeded: from the first"),
    ] = "strict"


class PlainBreakout(BarStrategy):
    """One unit in the direction of the trend when a close leaves the day's range."""

    name = "plain_breakout"
    about = About(
        does="trades one unit in the direction of the trend when a close leaves the day's range; the example to read",
        enters="at a close above the day's high in an up trend, below its low in a down trend",
        leaves="at a profit, a loss, or the exit time",
    )
    Config = PlainBreakoutConfig

    config: PlainBreakoutConfig
    five: BarBuilder
    rsi: SimpleRsi
    ema: Ema
    needed: int
    threshold: float
    session: int
    high: float
    low: float

    def __init__(self, config: PlainBreakoutConfig) -> None:
        super().__init__(config)
        self.five = BarBuilder(5)
        self.rsi = SimpleRsi(config.rsi_window)
        self.ema = Ema(config.ema_span)
        self.needed = config.ema_span if config.warmup == "strict" else 1
        self.threshold = config.threshold
        self.session = -1
        self.high = -math.inf
        self.low = math.inf

    @property
    def inputs(self) -> BarInputs:
        """5-minute bars, or shorter ones that make them; with 204 of them the trend is whole."""
        return BarInputs(5, self.config.rsi_window + self.config.ema_span, shorter_too=True)

    def on_bar(self, bar: TapeBar, held: Holding) -> Advice:
        """Close beyond the day's range with the trend."""
        if self.five.ends_by(bar):
            self._fold()
        if bar.session != self.session:
            self.session = bar.session
            self.high = -math.inf
            self.low = math.inf
        self.five.add(bar)
        if self.ema.count < self.needed or self.high < self.low:
            return WAIT
        if bar.close > self.high and self.ema.value > self.threshold:
            return Advice(LONG, False, UNKNOWN, UNKNOWN, 1.0)
        if bar.close < self.low and self.ema.value < self.threshold:
            return Advice(SHORT, False, UNKNOWN, UNKNOWN, 1.0)
        return WAIT

    def _fold(self) -> None:
        """A 5-minute bar is complete: into the indicators and the day's range."""
        five = self.five
        self.high = max(self.high, five.high)
        self.low = min(self.low, five.low)
        rsi = self.rsi.add(five.close)
        if known(rsi):
            self.ema.add(rsi)
