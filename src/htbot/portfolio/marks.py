"""What a spread, or a stock, costs to close, from the quotes of its legs (RULINGS 5 and 6).

Prices of combinations come from the legs and never from ticks of the BAG, where -1 is a legal price. All prices are
per unit; a closing cost is positive when money is paid.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from htbot.domain.quotes import Quote
from htbot.domain.signals import Leg, PlainLeg

CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What a believable quote may be (RULINGS 6): age of each leg in market time, combined width per unit.

    The width limit is the larger of `width_usd` and `width_fraction` of the mid; `plain_...` are those of stocks and
    funds, which are quoted far closer than options.
    """

    age_s: float = 5.0
    width_usd: Decimal = Decimal("0.60")
    width_fraction: Decimal = Decimal("0.40")
    plain_width_usd: Decimal = Decimal("0.10")
    plain_width_fraction: Decimal = Decimal("0.005")

    def widest(self, legs: Sequence[Leg], mid: Decimal) -> Decimal:
        """The most that the quotes of these legs may be wide."""
        if isinstance(legs[0], PlainLeg):
            return max(self.plain_width_usd, self.plain_width_fraction * abs(mid))
        return max(self.width_usd, self.width_fraction * abs(mid))


DEFAULT_TOLERANCE = Tolerance()


@dataclass(frozen=True, slots=True)
class LegMark:
    """One leg's usable sides in whole cents; None = the side prices nothing. `ratio` +1 bought, -1 sold."""

    con_id: int
    ratio: int
    bid: Decimal | None
    ask: Decimal | None
    as_of: datetime | None

    @property
    def closing_price(self) -> Decimal | None:
        """The side at which this leg closes at once: a bought leg at its bid, a sold one at its ask."""
        return self.bid if self.ratio > 0 else self.ask

    @property
    def opening_price(self) -> Decimal | None:
        """The side at which this leg opens at once: a bought leg at its ask, a sold one at its bid."""
        return self.ask if self.ratio > 0 else self.bid

    @property
    def mid(self) -> Decimal | None:
        """Half-way between the sides, or None while one is unknown."""
        if self.bid is None or self.ask is None:
            return None
        return (self.bid + self.ask) / 2


@dataclass(frozen=True, slots=True)
class Marks:
    """A spread's prices per unit at one market time; None = unknown, never 0.

    `mid_cost` may fall on half a cent. `doubt` says why the prices may not trigger a stop or a target (RULINGS 6),
    None when they are believable. `quoted_at` is the market time of the newest leg quote: two marks with the same
    `quoted_at` are the same quote looked at twice.
    """

    as_of: datetime
    legs: tuple[LegMark, ...]
    mid_cost: Decimal | None
    natural_cost: Decimal | None
    natural_credit: Decimal | None
    quoted_at: datetime | None
    doubt: str | None
    plain: bool = False

    @property
    def believable(self) -> bool:
        """True when a price-based exit or an entry may rest on these prices."""
        return self.doubt is None

    @property
    def mid_credit(self) -> Decimal | None:
        """What opening at mid would receive: the same number as closing at mid would cost."""
        return self.mid_cost

    @property
    def quote_width(self) -> Decimal | None:
        """Combined width of the legs' quotes, or None while one side is unknown."""
        if self.natural_cost is None or self.natural_credit is None:
            return None
        return self.natural_cost - self.natural_credit

    @property
    def short_without_ask(self) -> bool:
        """True while a sold option cannot be priced: closing it has no known cost (RULINGS 5).

        A stock without an ask is not traded at all, and no order of ours would change that.
        """
        return not self.plain and any(leg.ratio < 0 and leg.ask is None for leg in self.legs)

    @property
    def bought_without_bid(self) -> bool:
        """True while a bought option prices nothing: its line is dead or refused, or it has no believable side."""
        return not self.plain and any(leg.ratio > 0 and leg.bid is None for leg in self.legs)

    @property
    def cost_at_most(self) -> Decimal | None:
        """What closing a spread costs at once: natural, with bought legs that price nothing at nothing (RULINGS 5)."""
        if self.natural_cost is not None or all(leg.ratio > 0 for leg in self.legs):
            return self.natural_cost
        return _net([(leg.ratio, leg.closing_price) for leg in self.legs if leg.ratio < 0 or leg.bid is not None])

    def cost(self, basis: str) -> Decimal | None:
        """The closing cost on a P&L basis, `mid` or `natural`.

        Raises:
            ValueError: for any other basis.
        """
        if basis == "mid":
            return self.mid_cost
        if basis == "natural":
            return self.natural_cost
        raise ValueError(f"P&L basis {basis!r} is unknown: use mid or natural")


def mark_spread(
    legs: Sequence[Leg],
    quotes: Mapping[int, Quote],
    as_of: datetime,
    tolerance: Tolerance = DEFAULT_TOLERANCE,
) -> Marks:
    """Price a spread, or a stock or fund, from the quotes of its legs, keyed by contract id.

    Natural closing cost is the asks of the sold legs less the bids of the bought ones; the natural credit of opening
    is the bids of the sold less the asks of the bought. What is bought alone has costs and credits below 0.
    """
    return _priced(legs, tuple(_mark_leg(leg, quotes.get(leg.con_id)) for leg in legs), as_of, tolerance)


def sold_alone(legs: Sequence[Leg], marks: Marks, tolerance: Tolerance = DEFAULT_TOLERANCE) -> Marks | None:
    """The prices of the sold legs of a spread alone: all others are worth nothing; None when nothing is sold."""
    sold = [(leg, mark) for leg, mark in zip(legs, marks.legs, strict=True) if mark.ratio < 0]
    return _priced([leg for leg, _ in sold], tuple(mark for _, mark in sold), marks.as_of, tolerance) if sold else None


def _priced(legs: Sequence[Leg], marked: tuple[LegMark, ...], as_of: datetime, tolerance: Tolerance) -> Marks:
    times = [leg.as_of for leg in marked if leg.as_of is not None]
    mid_cost = _net([(leg.ratio, leg.mid) for leg in marked])
    natural_cost = _net([(leg.ratio, leg.closing_price) for leg in marked])
    opening = _net([(leg.ratio, leg.opening_price) for leg in marked])
    doubt = _doubt_of_legs(legs, marked, as_of, tolerance.age_s)
    if doubt is None:
        doubt = _doubt_of_width(legs, (mid_cost, natural_cost, opening), tolerance)
    plain = isinstance(legs[0], PlainLeg)
    return Marks(as_of, marked, mid_cost, natural_cost, opening, max(times, default=None), doubt, plain)


def _mark_leg(leg: Leg, quote: Quote | None) -> LegMark:
    if quote is None:
        return LegMark(leg.con_id, leg.ratio, None, None, None)
    bid, ask = _side(quote.bid), _side(quote.ask)
    worthless = bid is None and ask is not None and leg.ratio > 0 and _absent(quote.bid) and not quote.bid_size
    if worthless and not isinstance(leg, PlainLeg):
        bid = Decimal(0)  # nobody bids for a worthless wing: it closes at nothing (RULINGS 5)
    return LegMark(leg.con_id, leg.ratio, bid, ask, quote.as_of)


def _side(price: float | None) -> Decimal | None:
    """A quoted side in whole cents, or None when the number is not a price (missing, NaN, infinite, 0, negative)."""
    if price is None or not math.isfinite(price) or price <= 0:
        return None
    return Decimal(repr(price)).quantize(CENT)


def _absent(price: float | None) -> bool:
    return price is None or price in (0, -1)


def _net(sides: Sequence[tuple[int, Decimal | None]]) -> Decimal | None:
    """Sum of -ratio x price: what the sold legs bring less what the bought ones take."""
    total = Decimal(0)
    for ratio, price in sides:
        if price is None:
            return None
        total -= ratio * price
    return total


def _doubt_of_legs(legs: Sequence[Leg], marked: Sequence[LegMark], as_of: datetime, age_limit_s: float) -> str | None:
    for leg, mark in zip(legs, marked, strict=True):
        if mark.as_of is None:
            return f"no quote for {leg.described}"
        age_s = (as_of - mark.as_of).total_seconds()
        if age_s > age_limit_s:
            return f"quote of {leg.described} is {age_s:.1f} s old, limit {age_limit_s:g} s"
        if mark.bid is None or mark.ask is None:
            return f"{leg.described} has no {'bid' if mark.bid is None else 'ask'}"
        if mark.bid > mark.ask:
            return f"quote of {leg.described} is crossed: bid {mark.bid} above ask {mark.ask}"
    return None


def _doubt_of_width(legs: Sequence[Leg], prices: tuple[Decimal | None, ...], tolerance: Tolerance) -> str | None:
    mid, natural, opening = prices
    if mid is None or natural is None or opening is None:
        return "a leg has no price"
    width, widest = natural - opening, tolerance.widest(legs, mid)
    if width > widest:
        return f"combined quote is {width} wide, limit {widest}"
    return None
