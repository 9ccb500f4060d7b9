"""What a strategy says: a signal when something fires, an evaluation each time it was asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import IntEnum
from typing import Literal

from htbot.domain.instruments import Right

Action = Literal["enter", "leave"]
OBSERVED = "observe"
"""What a signal is refused by when its strategy is only watched."""
TREND_WORDS: Mapping[int, str] = {1: "up", 0: "flat", -1: "down"}
"""A trend as people read it."""

POSITION_NUMBERS = frozenset({"side", "quantity", "price", "stop", "target"})
"""What a look of a strategy on bars keeps in place of indicators: what it holds."""


class Direction(IntEnum):
    """+1 bullish, -1 bearish."""

    BULL = 1
    BEAR = -1


def broken_level(direction: int, level: float, levels: Mapping[str, float]) -> float | None:
    """The high or low of the day that a signal broke; None for one that broke none, such as one made by hand.

    The `level` of those only tells the signals of a session apart: no price, and nothing to show.
    """
    return level if levels.get("high" if direction > 0 else "low") == level else None


@dataclass(frozen=True, slots=True)
class Signal:
    """One decision to enter, before risk has spoken.

    `as_of` is the decision time, `level` the price that was broken (unique per strategy, account, session and
    direction: RULINGS 2), or a number in its place (`broken_level`); `levels` and `indicators` are what a person needs
    to check it. A signal that was made at a closed bar names its start, and is unique by it; one to `leave` has the
    direction of the order that closes. One that is `observed` was made while its strategy was
    only watched: it spends nothing that trading could want.
    """

    strategy: str
    account: str
    symbol: str
    session: date
    as_of: datetime
    direction: Direction
    level: float
    price: float
    trend: int
    reason: str
    levels: Mapping[str, float] = field(default_factory=dict)
    indicators: Mapping[str, float] = field(default_factory=dict)
    action: Action = "enter"
    bar_start: datetime | None = None
    observed: bool = False


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One look of one strategy at one symbol; `why_not` says why nothing fired, None when a signal did (RULINGS 38)."""

    strategy: str
    account: str
    symbol: str
    as_of: datetime
    trend: int
    high: float | None
    low: float | None
    why_not: str | None
    indicators: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SpreadLeg:
    """One leg of a vertical as planned: `ratio` +1 bought, -1 sold."""

    con_id: int
    symbol: str
    expiry: date
    strike: Decimal
    right: Right
    ratio: int
    multiplier: int = 100

    @property
    def option(self) -> bool:
        """True: a price of its own grid, an expiry."""
        return True

    @property
    def described(self) -> str:
        """As people name it: `SPX 4150 P`."""
        return f"{self.symbol} {self.strike} {self.right.value}"


@dataclass(frozen=True, slots=True)
class PlainLeg:
    """A stock or fund: the only leg of its trade, `ratio` +1 bought, -1 sold short."""

    con_id: int
    symbol: str
    ratio: int
    multiplier: int = 1

    @property
    def option(self) -> bool:
        """False."""
        return False

    @property
    def expiry(self) -> None:
        """None: it does not expire."""
        return

    @property
    def strike(self) -> None:
        """None: it is no option."""
        return

    @property
    def right(self) -> None:
        """None: it is no option."""
        return

    @property
    def described(self) -> str:
        """As people name it: `SPY`."""
        return self.symbol


Leg = SpreadLeg | PlainLeg


@dataclass(frozen=True, slots=True)
class SpreadPlan:
    """A credit vertical that a strategy wants; prices per unit at the decision, positive = receive."""

    underlying: str
    legs: tuple[SpreadLeg, SpreadLeg]
    quantity: int
    width: Decimal
    mid_credit: Decimal
    natural_credit: Decimal
    tick: Decimal

    @property
    def short_leg(self) -> SpreadLeg:
        """The leg that is sold."""
        return next(leg for leg in self.legs if leg.ratio < 0)

    @property
    def long_leg(self) -> SpreadLeg:
        """The leg that is bought."""
        return next(leg for leg in self.legs if leg.ratio > 0)

    @property
    def maximum_loss_usd(self) -> Decimal:
        """Width less the natural (worst) credit, for all units, in dollars."""
        return (self.width - self.natural_credit) * self.short_leg.multiplier * self.quantity


@dataclass(frozen=True, slots=True)
class PlainPlan:
    """A stock or fund that a strategy wants to hold, long or short; prices in dollars per share at the decision.

    `natural` is the touch at which it is had at once, `worst` the limit of its order, which no fill passes. Stop and
    target are those of `ExitRules`, None where the strategy has none; `overnight` says that it may be held over the
    close.
    """

    underlying: str
    leg: PlainLeg
    quantity: int
    natural: Decimal
    worst: Decimal
    tick: Decimal
    stop_price: Decimal | None = None
    stop_loss_usd: Decimal | None = None
    overnight: bool = False

    @property
    def legs(self) -> tuple[PlainLeg]:
        """The one leg."""
        return (self.leg,)

    @property
    def notional_usd(self) -> Decimal:
        """What the order costs, or a short sale brings, at its limit, in dollars."""
        return self.worst * self.leg.multiplier * self.quantity

    @property
    def maximum_loss_usd(self) -> Decimal:
        """From the limit to the nearest stop, for all shares, in dollars; all of the notional without a stop."""
        losses = [self.notional_usd]
        if self.stop_loss_usd is not None:
            losses.append(self.stop_loss_usd)
        if self.stop_price is not None:
            losses.append((self.worst - self.stop_price) * self.leg.ratio * self.leg.multiplier * self.quantity)
        return max(min(losses), Decimal(0))


@dataclass(frozen=True, slots=True)
class SinglePlan:
    """One option that a strategy wants to buy; prices in dollars per unit at the decision, positive = pay.

    Its order begins at `mid` and never passes `natural`, the ask of the decision.
    """

    underlying: str
    leg: SpreadLeg
    quantity: int
    mid: Decimal
    natural: Decimal
    tick: Decimal

    @property
    def legs(self) -> tuple[SpreadLeg]:
        """The one leg."""
        return (self.leg,)

    @property
    def maximum_loss_usd(self) -> Decimal:
        """All that is paid at the limit, for all units, in dollars; commissions apart."""
        return self.natural * self.leg.multiplier * self.quantity


OptionPlan = SpreadPlan | SinglePlan
Plan = SpreadPlan | PlainPlan | SinglePlan
