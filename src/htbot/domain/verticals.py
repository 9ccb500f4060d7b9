"""What a strategy asks for, before strikes and prices are known: a credit vertical, or one option to buy."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from htbot.domain.instruments import Right
from htbot.domain.signals import Direction


@dataclass(frozen=True, slots=True)
class VerticalRequest:
    """Strikes by their place among the out-of-the-money ones, 0 = nearest to the spot (spec 01 section 6).

    `width` and `strike_range` are points of the underlying: the strikes must be exactly `width` apart, and only
    strikes closer to the spot than `strike_range` count. Premium is sold: a bull put spread for `Direction.BULL`, a
    bear call spread for `Direction.BEAR` (RULINGS 21).
    """

    direction: Direction
    expiry: date
    short_index: int
    long_index: int
    width: Decimal
    strike_range: Decimal
    quantity: int

    @property
    def right(self) -> Right:
        """Puts below a rising market, calls above a falling one."""
        return _sold_right(self.direction)


@dataclass(frozen=True, slots=True)
class DeltaVertical:
    """Strikes by the delta of their options: those nearest to `short_delta` and, further out, to `long_delta`.

    Deltas are absolute and of the out-of-the-money side; one that is off by more than `tolerance` is no such strike.
    What is sold is as in `VerticalRequest`; the width follows from the strikes.
    """

    direction: Direction
    expiry: date
    short_delta: float
    long_delta: float
    tolerance: float
    strike_range: Decimal
    quantity: int

    @property
    def right(self) -> Right:
        """Puts below a rising market, calls above a falling one."""
        return _sold_right(self.direction)


@dataclass(frozen=True, slots=True)
class SingleRequest:
    """One option to buy, by its place among the out-of-the-money ones, 0 = nearest to the spot (spec 01 section 8).

    A call for `Direction.BULL`, a put for `Direction.BEAR`.
    """

    direction: Direction
    expiry: date
    index: int
    quantity: int

    @property
    def right(self) -> Right:
        """What gains when the market moves that way."""
        return bought_right(self.direction)

    @property
    def strike_range(self) -> Decimal:
        """None is too far: the premium is what bounds it."""
        return Decimal("Infinity")


WantedVertical = VerticalRequest | DeltaVertical
WantedOptions = WantedVertical | SingleRequest


def bought_right(direction: Direction) -> Right:
    """The option that is bought on a direction: a call above a rising market, a put below a falling one."""
    return Right.CALL if direction is Direction.BULL else Right.PUT


def _sold_right(direction: Direction) -> Right:
    return Right.PUT if direction is Direction.BULL else Right.CALL
