"""What a working order asks of the market, how far it has come, and what one look at the market does to it.

The three nouns that the fill rules speak; every book (the paper gateway's, the backtest's) keeps its own orders.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

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


@dataclass(frozen=True, slots=True)
class Terms:
    """The part of an order that fills depend on; prices signed as IB signs them, quantities in units of the order.

    `aux` is the stop, touch or offset price of the kind; `trail_percent` replaces it for trailing orders;
    `trail_stop` is the trailing stop's first level, `limit_offset` the distance of a TRAIL LIMIT's limit.
    """

    action: Action
    kind: OrderKind
    quantity: Decimal
    limit: Decimal | None = None
    aux: Decimal | None = None
    trail_stop: Decimal | None = None
    trail_percent: Decimal | None = None
    limit_offset: Decimal | None = None
    all_or_none: bool = False
    immediate: bool = False
    at_open: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a working order has come; kept with the order so that a restarted book goes on.

    `triggered`: a stop or touch has been hit. `trail_stop`: where the trailing stop stands. `working_limit`: the limit
    that a pegged or converted order works at. `resting`: the order has stood in the book since an earlier look.
    """

    filled: Decimal = Decimal(0)
    triggered: bool = False
    trail_stop: Decimal | None = None
    working_limit: Decimal | None = None
    resting: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a look at the market does: the new progress, a fill (`quantity` > 0 at `price`), or the end of the rest."""

    progress: Progress
    price: Natural | None = None
    quantity: Decimal = Decimal(0)
    cancel_rest: bool = False
