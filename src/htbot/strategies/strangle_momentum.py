"""Strategy 2: buy a far call and a far put of the day, and sell each when its price has run and turns.

    entry   once per side and session, inside the entry window: the 15th call and the 22nd put out of the money, when
            its ask is at most `max_premium`
    exit    the first of: the stop or the target, where one is set; the exit time; a closed bar of bids whose high is
            above `momentum_threshold` times the price paid and that has lost its momentum (red, or an upper wick of
            more than `wick_ratio` bodies)
    risk    what was paid

Long single options, no spread. Each side is a trade of its own, which the engine enters and the desk guards as it does
every trade: what is sold is what is held, so two sells of one option cannot be. Spec 01 section 8.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from typing import Annotated

from htbot.domain.bars import Bar
from htbot.domain.instruments import UNDERLYINGS, Underlying
from htbot.domain.signals import Direction, Signal
from htbot.domain.trades import ExitRules, MomentumExit
from htbot.domain.verticals import SingleRequest, bought_right
from htbot.domain.windows import TradingHours, TradingWindow
from htbot.strategies.base import Answer, Fired, Look, Measures, Needs, Quiet
from htbot.strategies.config import About, Meaning, OneOf, Range, StrategyConfig, config_hash, reject
from htbot.strategies.waiting import outside_hours

_FLAT_BY = time(15, 30)


@dataclass(frozen=True, kw_only=True)
class StrangleConfig(StrategyConfig):
    """Settings of strategy 2. Times are New York's, premiums per unit; `quantity` options are bought per side.

    `call_index` and `put_index` count out-of-the-money strikes from 0, nearest first. Bars of `bar_minutes` are the
    underlying's, those of `bid_bar_minutes` are of the bids of what is held. Dollars are per side; None = no such exit.
    """

    symbol: Annotated[str, OneOf(tuple(UNDERLYINGS)), Meaning("the underlying")] = "SPX"
    bar_minutes: Annotated[
        int, OneOf((1, 2, 3, 5, 10, 15)), Meaning("bars of the underlying, as for others on it", "minutes")
    ] = 5
    call_index: Annotated[
        int, Range(0, 200), Meaning("place of the call out of the money, nearest first, counted from 0", "strikes")
    ] = 14
    put_index: Annotated[
        int, Range(0, 200), Meaning("place of the put out of the money, nearest first, counted from 0", "strikes")
    ] = 21
    max_premium: Annotated[Decimal, Range(0.01, 1000), Meaning("the most that one unit may cost", "points")] = Decimal(
        "2.00"
    )
    momentum_threshold: Annotated[
        float, Range(1, 100), Meaning("high of a bar of bids that ends the run, in prices paid", "times")
    ] = 3.0
    wick_ratio: Annotated[float, Range(0, 100), Meaning("upper wick that ends it, in bodies of the bar", "bodies")] = (
        2.0
    )
    bid_bar_minutes: Annotated[int, OneOf((5, 10, 15, 30)), Meaning("length of the bars of bids", "minutes")] = 15
    entry_start: Annotated[time, Meaning("first entry", "New York time")] = time(9, 31)
    entry_end: Annotated[time, Meaning("entries end before it", "New York time")] = time(15)
    exit_time: Annotated[time, Meaning("sold from here on", "New York time")] = time(15)
    quantity: Annotated[int, Range(1, 100), Meaning("options bought per side", "options")] = 1
    profit_target_usd: Annotated[
        Decimal | None, Range(0.01, 100_000), Meaning("gain that closes a side; none: no target", "USD")
    ] = None
    stop_loss_usd: Annotated[
        Decimal | None, Range(0.01, 100_000), Meaning("loss that closes a side; none: what was paid is at risk", "USD")
    ] = None
    pnl_basis: Annotated[
        str, OneOf(("mid", "natural")), Meaning("prices of target and stop: mids, or what closing would really bring")
    ] = "mid"

    def check(self) -> None:
        """The fields agree with each other."""
        if not self.entry_start < self.entry_end:
            raise reject("entry_end", self.entry_end, f"after entry_start={self.entry_start}")
        if not self.entry_start < self.exit_time <= _FLAT_BY:
            raise reject("exit_time", self.exit_time, f"after entry_start={self.entry_start}, at most {_FLAT_BY}")

    @property
    def underlying(self) -> Underlying:
        """Facts of the symbol."""
        return UNDERLYINGS[self.symbol]


class StrangleMomentum:
    """The rules; the only things they keep are the configuration and the name that they are recorded under.

    Of the underlying's bars they look at nothing: they decide on what the two options cost.
    """

    name = "strangle_momentum"
    about = About(
        does="buys a far call and a far put of the day, sells each when its price has run and turns",
        enters="once per side and session, when somebody bids and the ask is at most max_premium",
        leaves="when its bids were above momentum_threshold times the price paid and turn; by stop, target, exit time",
    )

    def __init__(self, config: StrangleConfig, instance: str | None = None) -> None:
        self.config = config
        self.config_hash = config_hash(self.name, config)
        self.name = instance or self.name

    @property
    def needs(self) -> Needs:
        """No bars of before, and the chain as far out as the farther side."""
        config = self.config
        return Needs(config.symbol, config.bar_minutes, 0, max(config.call_index, config.put_index) + 1)

    @property
    def hours(self) -> TradingHours:
        """When it enters and leaves."""
        config = self.config
        return TradingHours(config.entry_start, config.entry_end, config.exit_time, _FLAT_BY)

    def begin(self) -> None:
        """It remembers nothing."""

    def fold(self, state: None, bar: Bar) -> None:
        """Nor of a bar."""

    def measure(self, state: None, closed: tuple[Bar, ...]) -> Measures:
        """The day's range, for whoever looks."""
        high, low = max((bar.high for bar in closed), default=None), min((bar.low for bar in closed), default=None)
        return Measures(trend=0, high=high, low=low)

    def offers(self, day: date) -> tuple[SingleRequest, ...]:
        """A call and a put of the day."""
        return self._request(Direction.BULL, day), self._request(Direction.BEAR, day)

    def decide(self, look: Look, measures: Measures) -> Answer:
        """The call first; one side at an instant, the other at the next."""
        del measures
        late = outside_hours(look)
        if late:
            return Quiet(late)
        waits = []
        for direction in Direction:
            answer = self._side(direction, look)
            if isinstance(answer, Fired):
                return answer
            waits.append(answer)
        return Quiet("; ".join(waits))

    def _side(self, direction: Direction, look: Look) -> Fired | str:
        side, most = bought_right(direction).name.lower(), self.config.max_premium
        if any(int(direction) == spent for spent, _level in look.standing.spent_levels):
            return f"the {side} of this session has had its signal"
        offer = look.offers.get(direction, f"no {side} is quoted")
        if isinstance(offer, str) or look.spot is None:
            return f"{side}: {offer}"
        told = f"{offer.leg.described} costs {offer.natural}"
        if offer.natural > most:
            return f"{side}: {told}, above max_premium={most}"
        return Fired(direction, float(most), look.spot, f"{told}, at most {most}")

    def wanted(self, signal: Signal) -> SingleRequest:
        """The option of the signal's side."""
        return self._request(signal.direction, signal.session)

    def _request(self, direction: Direction, day: date) -> SingleRequest:
        config = self.config
        index = config.call_index if direction is Direction.BULL else config.put_index
        return SingleRequest(direction, day, index, config.quantity)

    def exit_rules(self, window: TradingWindow) -> ExitRules:
        """Momentum and time; stop and target where they are set."""
        config = self.config
        return ExitRules(
            profit_target_usd=config.profit_target_usd,
            stop_loss_usd=config.stop_loss_usd,
            exit_at=window.exit_at,
            flat_deadline=window.flat_deadline,
            pnl_basis=config.pnl_basis,
            momentum=MomentumExit(
                Decimal(str(config.momentum_threshold)), Decimal(str(config.wick_ratio)), config.bid_bar_minutes
            ),
        )
