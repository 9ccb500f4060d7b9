"""Fill rule `book`: marketable orders fill at the natural price of the quotes in force, never better (RULINGS 34).

The natural price of a combination is what its legs cost one by one at the touch: bought legs at the ask, sold legs at
the bid. It is signed as IB signs it: a BUY at a negative price receives money. The rule is pessimistic on purpose: no
price improvement, no fill inside the spread, none while a needed side is missing or a quote is crossed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from htbot.domain.orders import Action
from htbot.domain.quotes import Quote

_PRICE_STEP = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class OrderLeg:
    """One leg of an order for one unit; a single contract is one BUY leg of ratio 1.

    `share` is its multiplier as a part of the largest one in the combination: a net price is per unit of that leg, so
    100 shares and one option of 100 are quoted as share minus option.
    """

    con_id: int
    ratio: int
    action: Action
    share: Decimal = Decimal(1)

    @property
    def signed_ratio(self) -> int:
        """Positive when a BUY of the order buys the leg."""
        return self.ratio if self.action is Action.BUY else -self.ratio

    @property
    def weight(self) -> Decimal:
        """What a unit of the leg's price adds to the net price of a BUY."""
        return self.signed_ratio * self.share


@dataclass(frozen=True, slots=True)
class Natural:
    """The price of one unit now: `net`, signed, and the price of each leg; the legs add up to the net exactly."""

    net: Decimal
    leg_prices: tuple[Decimal, ...]


def price_of(value: float) -> Decimal:
    """A quoted price as the decimal it stands for."""
    return Decimal(repr(value)).quantize(_PRICE_STEP)


def leg_side(leg: OrderLeg, action: Action) -> Action:
    """What the order does with the leg: an order to SELL reverses its legs."""
    return Action.BUY if (leg.action is Action.BUY) == (action is Action.BUY) else Action.SELL


def touch(quote: Quote | None, side: Action, *, in_combination: bool) -> Decimal | None:
    """The price at which one contract trades at once, or None while it cannot.

    A leg that is sold within a combination and has an ask but no bid goes for 0.00, so that a worthless wing never
    holds up the other leg (RULINGS 5).
    """
    if quote is None or quote.crossed:
        return None
    value = quote.ask if side is Action.BUY else quote.bid
    if value is not None and value > 0:
        return price_of(value)
    worthless = in_combination and side is Action.SELL and quote.ask is not None and quote.ask > 0
    return Decimal(0) if worthless else None


def natural(legs: Sequence[OrderLeg], action: Action, quotes: Mapping[int, Quote | None]) -> Natural | None:
    """The natural price of one unit of an order, or None while a needed side is missing."""
    net = Decimal(0)
    prices = []
    for leg in legs:
        price = touch(quotes.get(leg.con_id), leg_side(leg, action), in_combination=len(legs) > 1)
        if price is None:
            return None
        prices.append(price)
        net += leg.weight * price
    return Natural(net, tuple(prices))


def is_marketable(action: Action, limit: Decimal | None, net: Decimal) -> bool:
    """Whether an order trades at the natural price; `limit` None is a market order."""
    if limit is None:
        return True
    return net <= limit if action is Action.BUY else net >= limit
