"""Where a trade on a plain instrument is closed by its price: the stop and the target that stand at the broker.

A price and an amount of dollars may both be given; the nearer one counts, as in the bar loop of a backtest. Prices lie
on the grid of cents: a stop is rounded towards the entry, so that it loses no more than it may, a target away from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from htbot.domain.orders import PriceStyle
from htbot.domain.trades import Trade
from htbot.execution import ticks
from htbot.execution.repeats import may_repeat
from htbot.portfolio.marks import CENT

CHANGE_EVERY = timedelta(seconds=1)
"""A change that the broker has not taken over is asked for again, never as fast as its messages come."""
_EXACT = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class ProtectivePrices:
    """Dollars per share; None = the trade has no such exit."""

    stop: Decimal | None = None
    target: Decimal | None = None

    def by_style(self) -> dict[PriceStyle, Decimal]:
        """What should stand at the broker."""
        wanted = {PriceStyle.STOP: self.stop, PriceStyle.TARGET: self.target}
        return {style: price for style, price in wanted.items() if price is not None}


def protective_prices(trade: Trade) -> ProtectivePrices:
    """Stop and target of a plain trade, from its average entry; none of a spread, or before it has a fill."""
    leg = trade.plain
    if leg is None or trade.credit is None:
        return ProtectivePrices()
    side, entry, rules = leg.ratio, -trade.credit * leg.ratio, trade.rules
    stops, targets = [], []
    if rules.stop_loss_usd is not None:
        stops.append(entry - side * rules.stop_loss_usd / trade.units)
    if rules.stop_price is not None:
        stops.append(rules.stop_price)
    if rules.profit_target_usd is not None:
        targets.append(entry + side * rules.profit_target_usd / trade.units)
    if rules.target_price is not None:
        targets.append(rules.target_price)
    return ProtectivePrices(
        _above_0(_rounded_up(max(side * price for price in stops), side)) if stops else None,
        _above_0(_rounded_up(min(side * price for price in targets), side)) if targets else None,
    )


@dataclass(slots=True)
class Attempts:
    """How often each kind was placed for a trade, and when one of them was placed or changed last."""

    placed: dict[PriceStyle, int] = field(default_factory=dict)
    placed_at: dict[PriceStyle, datetime] = field(default_factory=dict)
    changed_at: dict[str, datetime] = field(default_factory=dict)

    def may_place(self, style: PriceStyle, now: datetime) -> bool:
        """One that was refused is tried again, but not in a storm."""
        return may_repeat(self.placed.get(style, 0), self.placed_at.get(style), now)

    def may_change(self, ref: str, now: datetime) -> bool:
        """Whether the last change is long enough ago."""
        changed_at = self.changed_at.get(ref)
        return changed_at is None or now - changed_at >= CHANGE_EVERY

    def note_place(self, style: PriceStyle, now: datetime) -> None:
        """One was placed."""
        self.placed[style] = self.placed.get(style, 0) + 1
        self.placed_at[style] = now


@dataclass(frozen=True, slots=True)
class Standing:
    """A protective order that has not ended.

    `limit` and `size` are those at the broker, `most` is what it was promised for at most, `booked` what it has closed;
    `changeable` once the broker works it, until its cancel is asked for.
    """

    ref: str
    limit: Decimal
    size: int
    most: int
    booked: int
    changeable: bool


@dataclass(frozen=True, slots=True)
class Place:
    """Place one for so many units at a price."""

    style: PriceStyle
    price: Decimal
    units: int


@dataclass(frozen=True, slots=True)
class Change:
    """Change one to a limit, signed as in the books, and a whole size."""

    ref: str
    limit: Decimal
    size: int


def protective_steps(
    trade: Trade, units: int, standing: Mapping[PriceStyle, Standing], attempts: Attempts, now: datetime
) -> list[Place | Change]:
    """What brings the orders at the broker up to the `units` that an open plain trade holds, the stop first."""
    steps: list[Place | Change] = []
    for style, price in protective_prices(trade).by_style().items() if units else ():
        known = standing.get(style)
        if known is not None:
            wanted = Change(known.ref, trade.legs[0].ratio * price, known.booked + units)
            fits = (known.limit, known.size) == (wanted.limit, wanted.size)
            may = known.changeable and wanted.size <= known.most and attempts.may_change(known.ref, now)
            steps += [wanted] if may and not fits else []
        elif attempts.may_place(style, now):
            steps.append(Place(style, price, units))
    return steps


def _rounded_up(signed: Decimal, side: int) -> Decimal:
    """The next price on the grid in the direction of a gain; `signed` is side x price.

    An average of several fills is recorded rounded: what that adds to a price on the grid is no cent.
    """
    return side * ticks.up(signed.quantize(_EXACT), CENT)


def _above_0(price: Decimal) -> Decimal | None:
    """A price that cannot be reached is none."""
    return price if price > 0 else None
