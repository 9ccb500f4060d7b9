"""Strategy 1: when the market leaves the day's range in the direction of its trend, sell a 0DTE vertical behind it.

    trend   EMA(144) of the simple-mean RSI(60) of the closes: above `rsi_ema_bull` +1, below `rsi_ema_bear` -1, else 0
    level   the highest high (trend +1) or lowest low (trend -1) of this session's closed bars
    entry   inside the entry window, when flat, once per level: the bar goes strictly beyond the level
    trade   trend +1: bull put spread below the market · trend -1: bear call spread above it, same-day expiry
    exit    profit target, stop loss, exit time, hard deadline

Spec 01 sections 3 to 7, RULINGS 2, 19 to 22.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time
from decimal import Decimal
from typing import Annotated

from htbot.domain.bars import Bar
from htbot.domain.instruments import UNDERLYINGS, Underlying
from htbot.domain.signals import Direction, Signal
from htbot.domain.trades import ExitRules
from htbot.domain.verticals import VerticalRequest
from htbot.domain.windows import TradingHours, TradingWindow
from htbot.indicators.trend import TrendState
from htbot.strategies.base import Answer, Fired, Look, Measures, Needs, Quiet
from htbot.strategies.config import About, Meaning, OneOf, Range, StrategyConfig, config_hash, reject
from htbot.strategies.waiting import clock, not_flat, outside_hours

STRIKES_IN_RANGE = 30
PERCENT = Decimal(100)


@dataclass(frozen=True, kw_only=True)
class BreakoutConfig(StrategyConfig):
    """Settings of strategy 1. Times are New York's; None takes the value that fits the underlying (RULINGS 22).

    `quantity` spreads are sold per signal; dollars are for the whole trade.
    """

    symbol: Annotated[str, OneOf(tuple(UNDERLYINGS)), Meaning("the underlying")] = "SPX"
    bar_minutes: Annotated[int, OneOf((1, 2, 3, 5, 10, 15)), Meaning("length of its bars", "minutes")] = 5
    rsi_window: Annotated[int, Range(2, 500), Meaning("changes in the RSI", "bars")] = 60
    ema_span: Annotated[int, Range(2, 1000), Meaning("span of the mean of the RSI, which is the trend", "bars")] = 144
    rsi_ema_bull: Annotated[float, Range(0, 100), Meaning("trend up above it", "RSI points")] = 45.0
    rsi_ema_bear: Annotated[float, Range(0, 100), Meaning("trend down below it", "RSI points")] = 45.0
    trend_warmup: Annotated[
        str,
        OneOf(("strict", "seeded")),
        Meaning("strict: as many RSI values as the mean spans; seeded: from the first"),
    ] = "strict"
    breakout_confirm: Annotated[
        str,
        OneOf(("wick", "last", "close")),
        Meaning("what must be beyond the level: the bar's wick, the last price, or its close"),
    ] = "wick"
    entry_start: Annotated[time, Meaning("first entry", "New York time")] = time(10)
    entry_end: Annotated[time, Meaning("entries end before it", "New York time")] = time(15)
    exit_time: Annotated[time, Meaning("closed from here on", "New York time")] = time(15)
    flat_deadline: Annotated[
        time | None, Meaning("closed by then; none: 15:45, SPY and QQQ 15:30", "New York time")
    ] = None
    short_index: Annotated[
        int,
        Range(0, 200),
        Meaning("place of the strike that is sold, counted from the first out of the money as 0", "strikes"),
    ] = 1
    long_index: Annotated[int, Range(1, 200), Meaning("place of the strike that is bought", "strikes")] = 9
    spread_width_strikes: Annotated[int, Range(1, 199), Meaning("strikes between the two", "strikes")] = 8
    strike_range: Annotated[
        Decimal | None,
        Range(0.01, 2000),
        Meaning("strikes so near to the price are looked at; none: 30 strikes", "points"),
    ] = None
    quantity: Annotated[int, Range(1, 100), Meaning("spreads of an entry", "spreads")] = 1
    profit_target_usd: Annotated[
        Decimal | None,
        Range(0.01, 100_000),
        Meaning("gain of the trade that closes it; none: SPX 400, SPY and QQQ 40", "USD"),
    ] = None
    stop_loss_usd: Annotated[
        Decimal | None,
        Range(0.01, 100_000),
        Meaning("loss of the trade that closes it; none: SPX 200, SPY and QQQ 20", "USD"),
    ] = None
    pnl_basis: Annotated[
        str, OneOf(("mid", "natural")), Meaning("prices of target and stop: mids, or what closing would really cost")
    ] = "mid"
    take_profit_pct_of_credit: Annotated[
        Decimal | None,
        Range(0.01, 100),
        Meaning("share of the credit that closes the trade, when it is less than the target", "%"),
    ] = None

    def check(self) -> None:
        """The fields agree with each other."""
        if self.rsi_ema_bear > self.rsi_ema_bull:
            raise reject("rsi_ema_bear", self.rsi_ema_bear, f"at most rsi_ema_bull={self.rsi_ema_bull:g}")
        if not self.entry_start < self.entry_end:
            raise reject("entry_end", self.entry_end, f"after entry_start={self.entry_start}")
        if self.deadline > self.underlying.flat_by:
            raise reject("flat_deadline", self.deadline, f"at most {self.underlying.flat_by} for {self.symbol}")
        if not self.entry_start < self.exit_time <= self.deadline:
            expected = f"after entry_start={self.entry_start}, at most {self.deadline}"
            raise reject("exit_time", self.exit_time, expected)
        if self.long_index - self.short_index != self.spread_width_strikes:
            expected = f"short_index + spread_width_strikes = {self.short_index + self.spread_width_strikes}"
            raise reject("long_index", self.long_index, expected)

    @property
    def underlying(self) -> Underlying:
        """Facts of the symbol."""
        return UNDERLYINGS[self.symbol]

    @property
    def deadline(self) -> time:
        """Flat by then: 15:45, and 15:30 for what settles in shares (RULINGS 11, 12)."""
        return self.flat_deadline or self.underlying.flat_by

    def as_fields(self) -> dict[str, object]:
        """The values in force."""
        return super().as_fields() | {
            "flat_deadline": self.deadline,
            "strike_range": self.strike_range or STRIKES_IN_RANGE * self.underlying.strike_step,
            "profit_target_usd": self.profit_target_usd or self.underlying.profit_target_usd,
            "stop_loss_usd": self.stop_loss_usd or self.underlying.stop_loss_usd,
        }


@dataclass(frozen=True, slots=True)
class Level:
    """A price to break, and when the bar that made it closed."""

    price: float
    made_at: datetime

    def __str__(self) -> str:
        return _points(self.price)


class SpxBreakout:
    """The rules. Everything they read comes in as an argument; the only thing they keep is the configuration."""

    name = "spx_breakout"
    about = About(
        does="sells a credit spread of the day when the market leaves the day's range in the direction of its trend",
        enters="once per level: above the day's high in an up trend a bull put, below its low in a down trend a call",
        leaves="at the profit target, the stop loss, the exit time, at the latest the flat deadline",
    )

    def __init__(self, config: BreakoutConfig, instance: str | None = None) -> None:
        self.config = config
        self.config_hash = config_hash(self.name, config)
        self.name = instance or self.name

    @property
    def needs(self) -> Needs:
        """Bars for the trend, strikes for the spread."""
        config = self.config
        warm_up_bars = config.rsi_window + (config.ema_span if config.trend_warmup == "strict" else 1)
        return Needs(config.symbol, config.bar_minutes, warm_up_bars, config.long_index + 1)

    @property
    def hours(self) -> TradingHours:
        """When it enters and leaves."""
        config = self.config
        return TradingHours(config.entry_start, config.entry_end, config.exit_time, config.deadline)

    # --- the trend -------------------------------------------------------------------------------------------------

    def begin(self) -> TrendState:
        """No bars yet."""
        return TrendState.start(self.config.rsi_window, self.config.ema_span)

    def fold(self, state: TrendState, bar: Bar) -> TrendState:
        """One more close."""
        return state.add(bar.close)

    def measure(self, state: TrendState, closed: tuple[Bar, ...]) -> Measures:
        """Trend, day's range and the numbers behind them."""
        rsi, rsi_ema = state.rsi.value, state.ema.value
        known = {"rsi": rsi, "rsi_ema": rsi_ema, "bars": float(state.bars)}
        return Measures(
            trend=self._trend(state),
            high=max((bar.high for bar in closed), default=None),
            low=min((bar.low for bar in closed), default=None),
            indicators={name: value for name, value in known.items() if value is not None},
        )

    def _trend(self, state: TrendState) -> int:
        if state.ema.value is None or not (state.warm or self.config.trend_warmup == "seeded"):
            return 0
        if state.ema.value > self.config.rsi_ema_bull:
            return 1
        return -1 if state.ema.value < self.config.rsi_ema_bear else 0

    # --- the entry -------------------------------------------------------------------------------------------------

    def decide(self, look: Look, measures: Measures) -> Answer:
        """The rules in order; the first that is not met says why there is no entry."""
        waiting = (
            outside_hours(look) or not_flat(look) or self._no_trend(measures) or _no_range(look) or self._not_yet(look)
        )
        if waiting:
            return Quiet(waiting)
        direction = Direction(measures.trend)
        level, price = _level(direction, look.closed), self._price(direction, look)
        if price is None:
            return Quiet("nothing has been watched of this bar yet")
        not_broken = _not_beyond(direction, price, level) or _used_up(direction, level, look)
        if not_broken:
            return Quiet(not_broken)
        return Fired(direction, level.price, price, _reason(direction, price, level, measures))

    def _no_trend(self, measures: Measures) -> str | None:
        if measures.trend:
            return None
        bars, needed = measures.indicators["bars"], self.needs.warm_up_bars
        if bars < needed:
            return f"warming up: {bars:.0f} of {needed} bars"
        config = self.config
        bounds = f"above {config.rsi_ema_bull:g} nor below {config.rsi_ema_bear:g}"
        return f"no trend: the RSI's EMA {measures.indicators['rsi_ema']:.2f} is neither {bounds}"

    def _not_yet(self, look: Look) -> str | None:
        if self.config.breakout_confirm == "close" and not look.closing:
            return "a breakout is confirmed by a close, and this bar is open"
        return None

    def _price(self, direction: Direction, look: Look) -> float | None:
        """What must be beyond the level: the bar's extreme, the last price, or the close."""
        if self.config.breakout_confirm == "last":
            return look.spot
        if self.config.breakout_confirm == "close":
            return look.bar.close
        return look.high if direction is Direction.BULL else look.low

    # --- the trade -------------------------------------------------------------------------------------------------

    def wanted(self, signal: Signal) -> VerticalRequest:
        """Second strike out of the money sold, tenth bought, same-day expiry, never the next day's."""
        config = self.config
        step = config.underlying.strike_step
        return VerticalRequest(
            direction=signal.direction,
            expiry=signal.session,
            short_index=config.short_index,
            long_index=config.long_index,
            width=config.spread_width_strikes * step,
            strike_range=config.strike_range or STRIKES_IN_RANGE * step,
            quantity=config.quantity,
        )

    def exit_rules(self, window: TradingWindow) -> ExitRules:
        """Target, stop, time, and the hard deadline."""
        config = self.config
        percent = config.take_profit_pct_of_credit
        return ExitRules(
            profit_target_usd=config.profit_target_usd or config.underlying.profit_target_usd,
            stop_loss_usd=config.stop_loss_usd or config.underlying.stop_loss_usd,
            exit_at=window.exit_at,
            flat_deadline=window.flat_deadline,
            pnl_basis=config.pnl_basis,
            take_profit_fraction=None if percent is None else percent / PERCENT,
        )


# --- rules that need no configuration --------------------------------------------------------------------------------


def _no_range(look: Look) -> str | None:
    return None if look.closed else "no bar of this session has closed yet"


def _level(direction: Direction, closed: tuple[Bar, ...]) -> Level:
    """The day's extreme and its maker; of bars that share it, the first one made it."""
    if direction is Direction.BULL:
        maker = max(closed, key=lambda bar: bar.high)
        return Level(maker.high, maker.end)
    maker = min(closed, key=lambda bar: bar.low)
    return Level(maker.low, maker.end)


def _not_beyond(direction: Direction, price: float, level: Level) -> str | None:
    if direction is Direction.BULL:
        return None if price > level.price else f"trend up: {_points(price)} is not above the day's high {level}"
    return None if price < level.price else f"trend down: {_points(price)} is not below the day's low {level}"


def _used_up(direction: Direction, level: Level, look: Look) -> str | None:
    """A level serves once, and after an exit only a level made since counts (RULINGS 2)."""
    standing = look.standing
    if (int(direction), level.price) in standing.spent_levels:
        return f"the level {level} has had its entry"
    if standing.last_exit_at is not None and level.made_at <= standing.last_exit_at:
        return f"the level {level} is older than the exit at {clock(standing.last_exit_at)}"
    return None


def _reason(direction: Direction, price: float, level: Level, measures: Measures) -> str:
    side, extreme = ("above", "high") if direction is Direction.BULL else ("below", "low")
    ema = measures.indicators["rsi_ema"]
    return f"{_points(price)} is {side} the day's {extreme} {level} with the trend (RSI's EMA {ema:.2f})"


def _points(price: float) -> str:
    return f"{round(price, 4):.10g}"
