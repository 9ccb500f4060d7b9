"""The strikes beside an option in a snapshot: what its price can be held against."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from htbot.domain.instruments import Right
from htbot.domain.quotes import Quote
from htbot.domain.signals import SpreadLeg
from htbot.marketdata.snapshot import ListedOption, Snapshot


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A two-sided, uncrossed quote at another strike; `dearer` when that option is worth at least as much."""

    strike: Decimal
    bid: Decimal
    ask: Decimal
    dearer: bool


def neighbours(snapshot: Snapshot, leg: SpreadLeg) -> tuple[Neighbour, ...]:
    """The nearest quoted strikes below and above a leg, of its expiry, right and class; fewer where there are none."""
    own = next((option for option in snapshot.options if option.con_id == leg.con_id), None)
    if own is None:
        return ()
    alike = [
        option
        for option in snapshot.options
        if (option.expiry, option.right, option.trading_class) == (own.expiry, own.right, own.trading_class)
    ]
    below = sorted((option for option in alike if option.strike < own.strike), key=lambda one: -one.strike)
    above = sorted((option for option in alike if option.strike > own.strike), key=lambda one: one.strike)
    puts = own.right is Right.PUT
    found = (_first_quoted(snapshot, below, dearer=not puts), _first_quoted(snapshot, above, dearer=puts))
    return tuple(neighbour for neighbour in found if neighbour is not None)


def _first_quoted(snapshot: Snapshot, options: Iterable[ListedOption], *, dearer: bool) -> Neighbour | None:
    for option in options:
        sides = _sides(snapshot.quotes.get(option.con_id))
        if sides is not None:
            return Neighbour(option.strike, *sides, dearer=dearer)
    return None


def _sides(quote: Quote | None) -> tuple[Decimal, Decimal] | None:
    if quote is None or quote.bid is None or quote.ask is None:
        return None
    usable = math.isfinite(quote.bid) and math.isfinite(quote.ask) and 0 <= quote.bid <= quote.ask and quote.ask > 0
    return (Decimal(repr(quote.bid)), Decimal(repr(quote.ask))) if usable else None
