"""Strategy 2: buy a far call and a far put of the day, and sell each when its price has run and turns.

    entry   once per side and session, inside the entry window: the 15th call and the 22nd put out of the money, at the
            ask, when that is at most `max_premium`
    exit    the first of: the exit time; a closed bar of bids whose high is above `momentum_threshold` times the price
            paid and that has lost its momentum (red, or an upper wick of more than `wick_ratio` bodies)
    risk    what was paid

Long single options, no spread: the rules here are pure, `backtest/strangle_run.py` plays them. A side is in one phase
at a time, and only a side that is held can be asked to sell: two sells of one option cannot be. Spec 01 section 8.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, time
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from htbot.domain.errors import CallerMistake, StopTrading
from htbot.domain.instruments import UNDERLYINGS, Right, Underlying
from htbot.domain.orders import ExitReason
from htbot.domain.windows import TradingHours, TradingWindow
from htbot.strategies.config import About, Meaning, OneOf, Range, StrategyConfig, config_hash, reject


@dataclass(frozen=True, kw_only=True)
class StrangleConfig(StrategyConfig):
    """Settings of strategy 2. Times are New York's, premiums per unit; `quantity` options are bought per side.

    `call_index` and `put_index` count out-of-the-money strikes from 0, nearest first.
    """

    symbol: Annotated[str, OneOf(tuple(UNDERLYINGS)), Meaning("the underlying")] = "SPX"
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

    def check(self) -> None:
        """The fields agree with each other."""
        if not self.entry_start < self.entry_end:
            raise reject("entry_end", self.entry_end, f"after entry_start={self.entry_start}")
        if not self.entry_start < self.exit_time <= time(15, 30):
            raise reject("exit_time", self.exit_time, f"after entry_start={self.entry_start}, at most 15:30:00")

    @property
    def underlying(self) -> Underlying:
        """Facts of the symbol."""
        return UNDERLYINGS[self.symbol]

    def index_of(self, right: Right) -> int:
        """Which strike out of the money a side buys."""
        return self.call_index if right is Right.CALL else self.put_index


@dataclass(frozen=True, slots=True)
class BidBar:
    """Bids of one option over some minutes."""

    open: float
    high: float
    low: float
    close: float


class Phase(StrEnum):
    """Where one side of a session stands; the order is that of its life, and `HELD` may come back from `LEAVING`."""

    WAITING = "waiting"
    ENTERING = "entering"
    HELD = "held"
    LEAVING = "leaving"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Side:
    """One side of one session: its phase, and how many were bought and sold at what price."""

    right: Right
    phase: Phase = Phase.WAITING
    bought: int = 0
    sold: int = 0
    paid: float | None = None

    @property
    def held(self) -> int:
        """Options that are held, never below 0."""
        return self.bought - self.sold

    @property
    def sellable(self) -> int:
        """How many an exit may ask for now: none before the entry is over, none while another exit works."""
        return self.held if self.phase is Phase.HELD else 0

    def enter(self) -> Side:
        """An entry is sent; a session has one per side.

        Raises:
            CallerMistake: the side has had its entry.
        """
        self._require(Phase.WAITING)
        return replace(self, phase=Phase.ENTERING)

    def entry_ended(self, bought: int, paid: float | None) -> Side:
        """The entry can fill no further.

        Raises:
            CallerMistake: no entry is under way.
        """
        self._require(Phase.ENTERING)
        return replace(self, phase=Phase.HELD if bought else Phase.DONE, bought=bought, paid=paid)

    def leave(self) -> Side:
        """An exit over everything that is held is sent.

        Raises:
            CallerMistake: nothing is held, or an exit works already.
        """
        self._require(Phase.HELD)
        return replace(self, phase=Phase.LEAVING)

    def exit_ended(self, sold: int) -> Side:
        """The exit can fill no further; what it left is held again.

        Raises:
            CallerMistake: no exit is under way.
            StopTrading: more was sold than was held.
        """
        self._require(Phase.LEAVING)
        if not 0 <= sold <= self.held:
            raise StopTrading(f"{sold} sold of {self.held} {self.right.value} that were held")
        after = replace(self, sold=self.sold + sold)
        return replace(after, phase=Phase.HELD if after.held else Phase.DONE)

    def _require(self, phase: Phase) -> None:
        if self.phase is not phase:
            raise CallerMistake(f"the {self.right.value} side is {self.phase}, not {phase}")


class StrangleMomentum:
    """The rules; the only thing they keep is the configuration."""

    name = "strangle_momentum"
    about = About(
        does="buys a far call and a far put of the day, sells each when its price has run and turns; backtests only",
        enters="once per side and session, at the ask, when that is at most max_premium",
        leaves="once its bids were above momentum_threshold times the price paid and turn, or at the exit time",
    )

    def __init__(self, config: StrangleConfig) -> None:
        self.config = config
        self.config_hash = config_hash(self.name, config)

    @property
    def hours(self) -> TradingHours:
        """When it enters and leaves."""
        config = self.config
        return TradingHours(config.entry_start, config.entry_end, config.exit_time, max(config.exit_time, time(15, 30)))

    def waits(self, side: Side, ask: Decimal | None, at: datetime, window: TradingWindow) -> str | None:
        """The rule that keeps a side from being bought now, None when it may be: phase, hours, quote or premium."""
        if side.phase is not Phase.WAITING:
            return "entered"
        if not window.admits_entry(at):
            return "hours"
        if ask is None:
            return "quotes"
        return "premium" if ask > self.config.max_premium else None

    def exit_of(self, side: Side, last: BidBar | None, at: datetime, window: TradingWindow) -> ExitReason | None:
        """Why a side is to be sold now: one reason or none, and none unless it is held."""
        if not side.sellable or side.paid is None:
            return None
        if at >= window.exit_at:
            return ExitReason.TIME
        if last is not None and last.high > self.config.momentum_threshold * side.paid and self.lost_momentum(last):
            return ExitReason.PROFIT_TARGET
        return None

    def lost_momentum(self, bar: BidBar) -> bool:
        """A red bar, or an upper wick of more than `wick_ratio` bodies."""
        return bar.close < bar.open or bar.high - bar.close > self.config.wick_ratio * abs(bar.close - bar.open)
