"""The generator of verticals: once a day, in the direction of two means of daily closes, strikes by delta.

    trend   mean of 20 daily closes above that of 50: +1, below: -1, equal or history too short: 0
    entry   once a session, the first look at or after `entry_start`, when flat: the options have their quotes then
    trade   trend +1: bull put spread · trend -1: bear call spread; sold at a delta of 0.30, bought at 0.15, same day
    exit    half of the credit (or the target), stop loss, exit time, hard deadline

It trades under the name that spreads by hand have (`POST /trade/signal`): one book for both, and a session in which a
person has proposed a spread has had its signal. Spec 02 sections 1c and 1d.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from statistics import fmean
from typing import Annotated

from htbot.domain.bars import Bar
from htbot.domain.instruments import UNDERLYINGS, Underlying
from htbot.domain.sessions import NEW_YORK, SESSION_MINUTES
from htbot.domain.signals import Direction, Signal
from htbot.domain.trades import ExitRules
from htbot.domain.verticals import DeltaVertical
from htbot.domain.windows import TradingHours, TradingWindow
from htbot.strategies.base import Answer, Fired, Look, Measures, Needs, Quiet
from htbot.strategies.config import About, Meaning, OneOf, Range, StrategyConfig, config_hash, reject
from htbot.strategies.waiting import not_flat, outside_hours

_PERCENT = Decimal(100)
_TARGET_SHARE = Decimal("0.25")
"""Of the underlying's own target: strikes by delta lie closer together, and earn less, than those of strategy 1."""


@dataclass(frozen=True, kw_only=True)
class VerticalSpreadConfig(StrategyConfig):
    """Settings of the generator. Times are New York's; None takes the value that fits the underlying (RULINGS 22).

    `strikes_out` strikes on either side of the price are quoted; `quantity` spreads are sold, dollars are for all.
    """

    symbol: Annotated[str, OneOf(tuple(UNDERLYINGS)), Meaning("the underlying")] = "QQQ"
    bar_minutes: Annotated[int, OneOf((1, 2, 3, 5, 10, 15)), Meaning("length of its bars", "minutes")] = 5
    sma_short: Annotated[int, Range(1, 200), Meaning("daily closes of the short mean", "sessions")] = 20
    sma_long: Annotated[int, Range(2, 400), Meaning("daily closes of the long mean", "sessions")] = 50
    short_delta: Annotated[float, Range(0.02, 0.49), Meaning("delta of the option that is sold", "delta")] = 0.30
    long_delta: Annotated[float, Range(0.01, 0.48), Meaning("delta of the option that is bought", "delta")] = 0.15
    delta_tolerance: Annotated[float, Range(0.005, 0.2), Meaning("how far off a delta may be", "delta")] = 0.08
    strikes_out: Annotated[
        int, Range(2, 60), Meaning("strikes on either side of the price that are quoted", "strikes")
    ] = 20
    entry_start: Annotated[time, Meaning("first entry", "New York time")] = time(9, 45)
    entry_end: Annotated[time, Meaning("entries end before it", "New York time")] = time(10, 30)
    exit_time: Annotated[time, Meaning("closed from here on", "New York time")] = time(15)
    flat_deadline: Annotated[
        time | None, Meaning("closed by then; none: 15:45, SPY and QQQ 15:30", "New York time")
    ] = None
    quantity: Annotated[int, Range(1, 50), Meaning("spreads of an entry", "spreads")] = 1
    profit_target_usd: Annotated[
        Decimal | None,
        Range(0.01, 100_000),
        Meaning("gain that closes the trade, and least credit; none: SPX 100, SPY and QQQ 10", "USD"),
    ] = None
    stop_loss_usd: Annotated[
        Decimal | None,
        Range(0.01, 100_000),
        Meaning("loss of the trade that closes it; none: SPX 200, SPY and QQQ 20", "USD"),
    ] = None
    take_profit_pct_of_credit: Annotated[
        Decimal,
        Range(0.01, 100),
        Meaning("share of the credit that closes the trade, when it is less than the target", "%"),
    ] = Decimal(50)
    pnl_basis: Annotated[
        str, OneOf(("mid", "natural")), Meaning("prices of target and stop: mids, or what closing would really cost")
    ] = "mid"

    def check(self) -> None:
        """The fields agree with each other."""
        if not self.sma_short < self.sma_long:
            raise reject("sma_short", self.sma_short, f"below sma_long={self.sma_long}")
        if not self.long_delta < self.short_delta:
            raise reject("long_delta", self.long_delta, f"below short_delta={self.short_delta:g}")
        if not self.entry_start < self.entry_end:
            raise reject("entry_end", self.entry_end, f"after entry_start={self.entry_start}")
        if self.deadline > self.underlying.flat_by:
            raise reject("flat_deadline", self.deadline, f"at most {self.underlying.flat_by} for {self.symbol}")
        if not self.entry_start < self.exit_time <= self.deadline:
            raise reject("exit_time", self.exit_time, f"after entry_start={self.entry_start}, at most {self.deadline}")

    @property
    def underlying(self) -> Underlying:
        """Facts of the symbol."""
        return UNDERLYINGS[self.symbol]

    @property
    def deadline(self) -> time:
        """When everything is closed: 15:45, for shares delivered 15:30 (RULINGS 12)."""
        return self.flat_deadline or self.underlying.flat_by

    @property
    def target_usd(self) -> Decimal:
        """The profit that closes a trade, and the least credit of one."""
        return self.profit_target_usd or self.underlying.profit_target_usd * _TARGET_SHARE

    def as_fields(self) -> dict[str, object]:
        """The values in force."""
        return {
            **super().as_fields(),
            "flat_deadline": self.deadline,
            "profit_target_usd": self.target_usd,
            "stop_loss_usd": self.stop_loss_usd or self.underlying.stop_loss_usd,
        }


@dataclass(frozen=True, slots=True)
class DailyCloses:
    """Closes of finished sessions, oldest first, and the session that the last bar belongs to with its close so far."""

    finished: tuple[float, ...] = ()
    day: date | None = None
    close: float = 0.0

    def add(self, bar: Bar, most: int) -> DailyCloses:
        """One more bar of regular hours; of finished sessions the last `most` are kept."""
        day = bar.start.astimezone(NEW_YORK).date()
        if self.day is None or day == self.day:
            return DailyCloses(self.finished, day, bar.close)
        return DailyCloses((*self.finished, self.close)[-most:], day, bar.close)

    def before(self, closed: tuple[Bar, ...]) -> tuple[float, ...]:
        """Closes of the sessions before the present one, of which `closed` bars are known."""
        if self.day is None or closed:
            return self.finished
        return (*self.finished, self.close)


class VerticalSpread:
    """The rules. Daily closes are those of each session's last bar: unknown sessions are unknown, not 'Long'."""

    name = "vertical_spread"
    about = About(
        does="sells a credit spread of the day once a session, in the direction of two means of daily closes",
        enters="from entry_start on, when options are quoted: short mean above the long a bull put, below a bear call",
        leaves="at a share of the credit or the profit target, the stop loss, the exit time, the flat deadline",
    )

    def __init__(self, config: VerticalSpreadConfig, instance: str | None = None) -> None:
        self.config = config
        self.config_hash = config_hash(self.name, config)
        self.name = instance or self.name

    @property
    def needs(self) -> Needs:
        """Bars of as many sessions as the long mean has closes, and the chain around the price."""
        config = self.config
        warm_up_bars = config.sma_long * -(-SESSION_MINUTES // config.bar_minutes)
        return Needs(config.symbol, config.bar_minutes, warm_up_bars, config.strikes_out)

    @property
    def hours(self) -> TradingHours:
        """When it enters and leaves."""
        config = self.config
        return TradingHours(config.entry_start, config.entry_end, config.exit_time, config.deadline)

    def begin(self) -> DailyCloses:
        """No bars yet."""
        return DailyCloses()

    def fold(self, state: DailyCloses, bar: Bar) -> DailyCloses:
        """One more bar."""
        return state.add(bar, self.config.sma_long)

    def measure(self, state: DailyCloses, closed: tuple[Bar, ...]) -> Measures:
        """Both means and what they say."""
        closes = state.before(closed)
        short, long = _mean(closes, self.config.sma_short), _mean(closes, self.config.sma_long)
        known = {"sma_short": short, "sma_long": long, "sessions": float(min(len(closes), self.config.sma_long))}
        trend = 0 if short is None or long is None else (short > long) - (short < long)
        return Measures(
            trend=trend,
            high=max((bar.high for bar in closed), default=None),
            low=min((bar.low for bar in closed), default=None),
            indicators={name: value for name, value in known.items() if value is not None},
        )

    def decide(self, look: Look, measures: Measures) -> Answer:
        """The rules in order; the first that is not met says why there is no entry."""
        waiting = _waits(look) or self._no_trend(measures)
        if waiting:
            return Quiet(waiting)
        if look.spot is None:
            return Quiet("the underlying has no price")
        short, long = measures.indicators["sma_short"], measures.indicators["sma_long"]
        config = self.config
        side = "above" if measures.trend > 0 else "below"
        reason = f"the mean of {config.sma_short} closes {short:.2f} is {side} that of {config.sma_long}, {long:.2f}"
        return Fired(Direction(measures.trend), long, look.spot, reason)

    def _no_trend(self, measures: Measures) -> str | None:
        if measures.trend:
            return None
        sessions, needed = measures.indicators["sessions"], self.config.sma_long
        if sessions < needed:
            return f"history is short: {sessions:.0f} of {needed} daily closes"
        return f"no trend: both means are {measures.indicators['sma_long']:.2f}"

    def wanted(self, signal: Signal) -> DeltaVertical:
        """Strikes by delta on the options of the day."""
        config = self.config
        reach = config.strikes_out * config.underlying.strike_step
        return DeltaVertical(
            direction=signal.direction,
            expiry=signal.session,
            short_delta=config.short_delta,
            long_delta=config.long_delta,
            tolerance=config.delta_tolerance,
            strike_range=reach + config.underlying.strike_step,
            quantity=config.quantity,
        )

    def exit_rules(self, window: TradingWindow) -> ExitRules:
        """Share of the credit, stop, time, and the hard deadline."""
        config = self.config
        return ExitRules(
            profit_target_usd=config.target_usd,
            stop_loss_usd=config.stop_loss_usd or config.underlying.stop_loss_usd,
            exit_at=window.exit_at,
            flat_deadline=window.flat_deadline,
            pnl_basis=config.pnl_basis,
            take_profit_fraction=config.take_profit_pct_of_credit / _PERCENT,
        )


def _mean(closes: tuple[float, ...], count: int) -> float | None:
    return fmean(closes[-count:]) if len(closes) >= count else None


def _waits(look: Look) -> str | None:
    spent = "this session has had its signal" if look.standing.spent_levels else None
    return outside_hours(look) or not_flat(look) or spent
