"""Strategy 1: the breakout of the day's range that sells a 0DTE vertical (spec 01 sections 3 to 7)."""

from __future__ import annotations

from datetime import time
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BeforeValidator, model_validator

from htbot.domain.instruments import UNDERLYINGS
from htbot.settings.section import Section, variable

Symbol = Annotated[Literal["SPX", "SPY", "QQQ"], BeforeValidator(lambda text: str(text).strip().upper())]
Warmup = Literal["strict", "seeded"]
Confirm = Literal["wick", "last", "close"]
PnlBasis = Literal["mid", "natural"]

NO_STRATEGY = "none"
MARKET_OPEN = time(9, 30)
MARKET_CLOSE = time(16, 0)


class StrategySettings(Section):
    """Strategy 1. Clock times are New York's."""

    title: ClassVar[str] = "Strategy 1: breakout, sold as a credit vertical"

    name: Literal["spx_breakout", "none"] = variable(
        "HTBOT_STRATEGY", "the configured strategy: spx_breakout, or none beside instances", default="spx_breakout"
    )
    enabled: bool | None = variable("HTBOT_ENABLED", "trade it; unset: only on the built-in paper gateway")
    symbol: Symbol = variable("HTBOT_SYMBOL", "underlying: SPX, SPY or QQQ", default="SPX")
    entry_start: time = variable("HTBOT_ENTRY_START", "first entry, New York", default=time(10), shown="10:00")
    entry_end: time = variable("HTBOT_ENTRY_END", "entries end before it", default=time(15), shown="15:00")
    exit_time: time = variable("HTBOT_EXIT_TIME", "positions are closed from here on", default=time(15), shown="15:00")
    flat_deadline_override: time | None = variable(
        "HTBOT_FLAT_DEADLINE", "hard deadline to be flat, at most and unset 15:45, for SPY and QQQ 15:30"
    )
    bar_minutes: int = variable(
        "HTBOT_BAR_MINUTES", "bar length that decides: 1, 2, 3, 5, 10, 15", default=5, ge=1, le=15
    )
    rsi_window: int = variable("HTBOT_RSI_WINDOW", "bars in the RSI's simple mean", default=60, ge=2, le=500)
    ema_span: int = variable("HTBOT_EMA_SPAN", "span of the RSI's moving average, in bars", default=144, ge=2, le=1000)
    rsi_ema_bull: float = variable("HTBOT_RSI_EMA_BULL", "trend is up above it", default=45.0, ge=0, le=100, shown="45")
    rsi_ema_bear: float = variable(
        "HTBOT_RSI_EMA_BEAR",
        "trend is down below it; lower than BULL leaves a dead band",
        default=45.0,
        ge=0,
        le=100,
        shown="45",
    )
    trend_warmup: Warmup = variable(
        "HTBOT_TREND_WARMUP", "strict: no trend before a full history; seeded: from the first RSI on", default="strict"
    )
    breakout_confirm: Confirm = variable(
        "HTBOT_BREAKOUT_CONFIRM", "what must be beyond the level: wick, last or close", default="wick"
    )
    short_index: int = variable(
        "HTBOT_SHORT_INDEX", "strike to sell, 0 = nearest out of the money", default=1, ge=0, le=200
    )
    long_index: int = variable("HTBOT_LONG_INDEX", "strike to buy, counted alike", default=9, ge=1, le=200)
    spread_width_strikes: int = variable(
        "HTBOT_SPREAD_WIDTH_STRIKES", "strikes between the legs; a gap in the chain is refused", default=8, ge=1, le=199
    )
    strike_range: Decimal | None = variable(
        "HTBOT_STRIKE_RANGE",
        "strikes considered: distance from spot in points; unset: 30 strikes (SPX 150, SPY and QQQ 30)",
        gt=0,
        le=2000,
    )
    quantity: int = variable("HTBOT_QTY", "combos per trade", default=1, ge=1, le=100)
    min_credit: Decimal | None = variable(
        "HTBOT_MIN_CREDIT",
        "least credit per unit in USD; unset: SPX max(0.50, 5 % of the width), SPY and QQQ 0.20",
        gt=0,
        le=1000,
    )
    profit_target: Decimal | None = variable(
        "HTBOT_PROFIT_TARGET", "profit that closes the trade, USD; unset: SPX 400, SPY and QQQ 40", gt=0, le=100_000
    )
    stop_loss: Decimal | None = variable(
        "HTBOT_STOP_LOSS", "loss that closes the trade, USD; unset: SPX 200, SPY and QQQ 20", gt=0, le=100_000
    )
    pnl_basis: PnlBasis = variable(
        "HTBOT_PNL_BASIS", "price that stop and target look at: mid or natural", default="mid"
    )
    take_profit_pct_of_credit: Decimal | None = variable(
        "HTBOT_TAKE_PROFIT_PCT_OF_CREDIT", "also close at this percent of the credit; unset: off", gt=0, le=100
    )
    max_entries_per_day: int = variable("HTBOT_MAX_ENTRIES_PER_DAY", "entries per session", default=3, ge=1, le=50)
    daily_loss_limit_usd: Decimal = variable(
        "HTBOT_DAILY_LOSS_LIMIT",
        "loss of a day that ends it for the strategy, USD",
        default=Decimal(600),
        gt=0,
        le=1_000_000,
    )

    @property
    def is_index(self) -> bool:
        """SPX: European and cash-settled; the others are American and deliver shares."""
        return self.symbol == "SPX"

    @property
    def flat_deadline(self) -> time:
        """Hard deadline, New York; on half days close - 15 min goes first (RULINGS 11, 12)."""
        return self.flat_deadline_override or UNDERLYINGS[self.symbol].flat_by

    @property
    def profit_target_usd(self) -> Decimal:
        """Profit of the whole trade that closes it (RULINGS 22)."""
        return self.profit_target or Decimal(400 if self.is_index else 40)

    @property
    def stop_loss_usd(self) -> Decimal:
        """Loss of the whole trade, as a positive number, that closes it (RULINGS 22)."""
        return self.stop_loss or Decimal(200 if self.is_index else 20)

    def min_credit_for(self, width_points: Decimal) -> Decimal:
        """Least credit per unit in USD for a spread of this width (RULINGS 22)."""
        if self.min_credit is not None:
            return self.min_credit
        return max(Decimal("0.50"), width_points * Decimal("0.05")) if self.is_index else Decimal("0.20")

    @model_validator(mode="after")
    def _times_in_order(self) -> Self:
        named = (
            ("09:30, the open", MARKET_OPEN),
            ("HTBOT_ENTRY_START", self.entry_start),
            ("HTBOT_ENTRY_END", self.entry_end),
            ("HTBOT_FLAT_DEADLINE", self.flat_deadline),
            ("16:00, the close", MARKET_CLOSE),
        )
        for (earlier, first), (later, second) in pairwise(named):
            if second < first:
                raise ValueError(f"{later} ({second:%H:%M}) is before {earlier} ({first:%H:%M})")
        if self.entry_start == self.entry_end:
            raise ValueError(
                f"HTBOT_ENTRY_END={self.entry_end:%H:%M} leaves no entry window: it must be after HTBOT_ENTRY_START"
            )
        if not self.entry_start <= self.exit_time <= self.flat_deadline:
            raise ValueError(
                f"HTBOT_EXIT_TIME={self.exit_time:%H:%M} is out of range: HTBOT_ENTRY_START ({self.entry_start:%H:%M})"
                f" to HTBOT_FLAT_DEADLINE ({self.flat_deadline:%H:%M})"
            )
        flat_by = UNDERLYINGS[self.symbol].flat_by
        if self.flat_deadline > flat_by:
            raise ValueError(
                f"HTBOT_FLAT_DEADLINE={self.flat_deadline:%H:%M}: {self.symbol} must be flat by {flat_by:%H:%M}"
            )
        return self

    @model_validator(mode="after")
    def _numbers_fit(self) -> Self:
        if self.rsi_ema_bear > self.rsi_ema_bull:
            raise ValueError(
                f"HTBOT_RSI_EMA_BEAR={self.rsi_ema_bear:g} is above HTBOT_RSI_EMA_BULL={self.rsi_ema_bull:g}"
            )
        if self.bar_minutes not in {1, 2, 3, 5, 10, 15}:
            raise ValueError(f"HTBOT_BAR_MINUTES={self.bar_minutes} is out of range: 1, 2, 3, 5, 10 or 15")
        if self.long_index - self.short_index != self.spread_width_strikes:
            raise ValueError(
                f"HTBOT_LONG_INDEX={self.long_index} - HTBOT_SHORT_INDEX={self.short_index} is not"
                f" HTBOT_SPREAD_WIDTH_STRIKES={self.spread_width_strikes}"
            )
        return self
