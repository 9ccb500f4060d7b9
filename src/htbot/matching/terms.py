"""What a working order asks of the market, how far it has come, and what one look at the market does to it.

The nouns that the fill rules speak; every book (the paper gateway's, a backtest's) keeps its own orders. The verb is
`htbot.matching.look.look(terms, progress, legs, view, rules) -> Outcome`, the market it looks at `matching.view.View`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum, StrEnum

from htbot.domain.orders import Action
from htbot.matching.fills import Natural


class OrderKind(StrEnum):
    """Order types as IB writes them."""

    MARKET = "MKT"
    LIMIT = "LMT"
    STOP = "STP"
    STOP_LIMIT = "STP LMT"
    TRAIL = "TRAIL"
    TRAIL_LIMIT = "TRAIL LIMIT"
    MARKET_IF_TOUCHED = "MIT"
    LIMIT_IF_TOUCHED = "LIT"
    MARKET_ON_CLOSE = "MOC"
    LIMIT_ON_CLOSE = "LOC"
    RELATIVE = "REL"
    MIDPRICE = "MIDPRICE"
    PEG_MIDPOINT = "PEG MID"
    MARKET_TO_LIMIT = "MTL"


class TriggerMethod(IntEnum):
    """Which price sets off a stop or touch order; the numbers are those of IB's `triggerMethod`.

    https://interactivebrokers.github.io/tws-api/trigger_method_limit.html
    """

    DOUBLE_BID_ASK = 1
    LAST = 2
    DOUBLE_LAST = 3
    BID_ASK = 4
    LAST_OR_BID_ASK = 7
    MIDPOINT = 8


_LIMIT, _TRAIL = ("limit",), ("aux", "trail_percent")
_NEEDED: Mapping[OrderKind, tuple[tuple[str, ...], ...]] = {
    OrderKind.LIMIT: (_LIMIT,),
    OrderKind.LIMIT_ON_CLOSE: (_LIMIT,),
    OrderKind.STOP: (("aux",),),
    OrderKind.STOP_LIMIT: (("aux",), _LIMIT),
    OrderKind.MARKET_IF_TOUCHED: (("aux",),),
    OrderKind.LIMIT_IF_TOUCHED: (("aux",), _LIMIT),
    OrderKind.TRAIL: (_TRAIL,),
    OrderKind.TRAIL_LIMIT: (_TRAIL, ("limit", "limit_offset")),
}


@dataclass(frozen=True, slots=True)
class Terms:
    """The part of an order that fills depend on; prices signed as IB signs them, quantities in units of the order.

    `limit` is the limit price, of pegged kinds their cap. `aux` is the stop, touch or offset price of the kind;
    `trail_percent` (5 = 5 %) replaces it for trailing orders, `offset_fraction` (0.01 = 1 %) for REL. `trail_stop` is
    the trailing stop's first level, `limit_offset` the distance of a TRAIL LIMIT's limit from its stop (without it the
    limit keeps its first distance). `minimum` is the least first fill, `lot` the smallest quantity that trades.
    `immediate` = the rest is cancelled after the first look (IOC; with `all_or_none` FOK); `at_open` = opening auction
    only (tif OPG).

    Raises:
        ValueError: a price that the kind needs is missing.
    """

    action: Action
    kind: OrderKind
    quantity: Decimal
    limit: Decimal | None = None
    aux: Decimal | None = None
    trail_stop: Decimal | None = None
    trail_percent: Decimal | None = None
    limit_offset: Decimal | None = None
    offset_fraction: Decimal | None = None
    minimum: Decimal = Decimal(0)
    lot: Decimal = Decimal(1)
    trigger: TriggerMethod = TriggerMethod.LAST
    all_or_none: bool = False
    immediate: bool = False
    at_open: bool = False

    def __post_init__(self) -> None:
        for names in _NEEDED.get(self.kind, ()):
            if all(getattr(self, name) is None for name in names):
                raise ValueError(f"order type {self.kind}: {' or '.join(names)} is missing; give the price")


@dataclass(frozen=True, slots=True)
class Seen:
    """A price that would set off the order, seen once; `size` is what stood or traded at it."""

    price: Decimal
    size: Decimal


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a working order has come; kept with the order so that a restarted book goes on.

    A new order starts with the defaults; an order whose price was changed goes on with `repriced()`.
    `triggered`: a stop or touch has been hit. `trail_stop`: where the trailing stop stands, `best` the most favourable
    price since it trails. `working_limit`: the limit that a pegged, trailing or converted order works at. `resting`:
    an earlier look left the order in the book, so that trades since then may have met it. `seen`: the first of the
    two prices that the double trigger methods want.
    """

    filled: Decimal = Decimal(0)
    triggered: bool = False
    trail_stop: Decimal | None = None
    best: Decimal | None = None
    working_limit: Decimal | None = None
    resting: bool = False
    seen: Seen | None = None

    def repriced(self) -> Progress:
        """After a change of prices: what is filled or set off stays so, the place in the book is lost."""
        return Progress(self.filled, self.triggered, working_limit=self.working_limit)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a look at the market does: the new progress, a fill (`quantity` > 0 at `price`), or the end of the rest.

    `progress` already counts the fill. `added_liquidity`: the order stood in the book and was met (IB's lastLiquidity
    1), else it took what stood there (2).
    """

    progress: Progress
    price: Natural | None = None
    quantity: Decimal = Decimal(0)
    cancel_rest: bool = False
    added_liquidity: bool = False
