"""The market as one look sees it, and how pessimistic the look is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_FLOOR, Decimal
from enum import StrEnum

from htbot.domain.orders import Action
from htbot.domain.quotes import Quote
from htbot.matching.fills import Natural, OrderLeg, leg_side, natural, price_of
from htbot.matching.terms import Terms
from htbot.matching.ticks import PriceRule

TakenSizes = Mapping[tuple[int, Action], Decimal]


class Phase(StrEnum):
    """What kind of trading goes on."""

    CONTINUOUS = "continuous"
    OPENING_AUCTION = "opening auction"
    CLOSING_AUCTION = "closing auction"


@dataclass(frozen=True, slots=True)
class Tape:
    """The trades of one contract since the last look; `volume` 0 = the world does not tell.

    The order of the extremes is not known, so a trailing stop assumes the favourable one first. A caller that wants
    it exact looks once a print.
    """

    low: Decimal
    high: Decimal
    volume: Decimal = Decimal(0)

    @classmethod
    def of(cls, trades: Iterable[tuple[float, float]]) -> Tape | None:
        """The tape of trades as (price, size); None when there are none."""
        seen = list(trades)
        if not seen:
            return None
        prices = [price for price, _ in seen]
        return cls(price_of(min(prices)), price_of(max(prices)), price_of(sum(size for _, size in seen)))


@dataclass(frozen=True, slots=True)
class View:
    """What one look sees: quotes by contract id, the order's tick rule, and for single contracts the tape.

    `auction_price` is that of the running auction, None = none was held. `taken` is what earlier orders took from the
    touch at this instant, by contract id and the side of the taker: nobody takes it twice (`look.takes` adds to it).
    """

    quotes: Mapping[int, Quote | None]
    price_rule: PriceRule
    tape: Tape | None = None
    phase: Phase = Phase.CONTINUOUS
    auction_price: Decimal | None = None
    taken: TakenSizes = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FillRules:
    """The pessimism of fills. The default already pays the whole spread and waits for trades through a limit.

    `slippage_ticks` is paid beyond the touch by single contracts that cross (combinations pay the natural price of
    every leg). `touch_share` is the part of the touch's size that one order gets; `sizes_limit` False lets every fill
    be whole. A modelled size is a guess: it counts as at least `modelled_least` contracts. A price without any size
    (0) does not limit.
    """

    slippage_ticks: int = 0
    touch_share: Decimal = Decimal(1)
    sizes_limit: bool = True
    modelled_least: Decimal = Decimal(10)


@dataclass(frozen=True, slots=True)
class Sides:
    """The market of one unit of the order: what a seller gets and what a buyer pays at once; None = cannot trade."""

    bid: Natural | None
    ask: Natural | None

    def taking(self, action: Action) -> Natural | None:
        """The price of trading at once."""
        return self.ask if action is Action.BUY else self.bid

    def own(self, action: Action) -> Natural | None:
        """The best price of those who wait on the order's own side."""
        return self.bid if action is Action.BUY else self.ask

    @property
    def mid(self) -> Decimal | None:
        """Half-way between the sides."""
        if self.bid is None or self.ask is None:
            return None
        return (self.bid.net + self.ask.net) / 2


class Scene:
    """One order before one view: what the parts of a look ask for."""

    def __init__(self, terms: Terms, legs: Sequence[OrderLeg], view: View) -> None:
        self.terms = terms
        self.legs = legs
        self.view = view
        self.sides = Sides(natural(legs, Action.SELL, view.quotes), natural(legs, Action.BUY, view.quotes))

    @property
    def is_single(self) -> bool:
        """True for one contract, False for a combination."""
        return len(self.legs) == 1

    @property
    def single_quote(self) -> Quote | None:
        """The quote of a single contract; a combination has none of its own."""
        return self.view.quotes.get(self.legs[0].con_id) if self.is_single else None

    def available(self, rules: FillRules) -> Decimal | None:
        """Units that the order may take from the touch; None = sizes do not limit."""
        if not rules.sizes_limit:
            return None
        units = [room for leg in self.legs if (room := self._room(leg, rules)) is not None]
        return self.in_lots(max(Decimal(0), min(units))) if units else None

    def in_lots(self, quantity: Decimal) -> Decimal:
        """The part of a quantity that trades: whole units, and fractions only of what is smaller than one."""
        return whole_lots(quantity, Decimal(1)) or whole_lots(quantity, self.terms.lot)

    def _room(self, leg: OrderLeg, rules: FillRules) -> Decimal | None:
        quote = self.view.quotes.get(leg.con_id)
        side = leg_side(leg, self.terms.action)
        size = None if quote is None else quote.ask_size if side is Action.BUY else quote.bid_size
        if quote is None or not size or size <= 0:
            return None
        whole = price_of(size)
        shown = max(whole * rules.touch_share, min(whole, self.terms.lot))
        if quote.modelled:
            shown = max(shown, rules.modelled_least * leg.ratio)
        return (shown - self.view.taken.get((leg.con_id, side), Decimal(0))) / leg.ratio


def whole_lots(quantity: Decimal, lot: Decimal) -> Decimal:
    """The quantity rounded down to lots."""
    return (quantity / lot).to_integral_value(ROUND_FLOOR) * lot
