"""Pegged orders: the limit at which they work follows the quote, never beyond their cap.

REL stands at the best price of its own side plus an offset towards the market, MIDPRICE at the midpoint, PEG MID at the
midpoint less an offset (positive offsets make it less aggressive: "IBUSOPT Pegged-to-Midpoint", IBKR Campus). A price
between two ticks goes to the one further from the market.
"""

from __future__ import annotations

from decimal import Decimal

from htbot.domain.orders import Action
from htbot.matching.terms import OrderKind
from htbot.matching.ticks import down_to_grid, up_to_grid
from htbot.matching.view import Scene

PEGGED = frozenset({OrderKind.RELATIVE, OrderKind.MIDPRICE, OrderKind.PEG_MIDPOINT})


def pegged_limit(scene: Scene) -> Decimal | None:
    """Where a pegged order works now; None while the quote that it follows is not there."""
    terms = scene.terms
    towards = 1 if terms.action is Action.BUY else -1
    if terms.kind is OrderKind.RELATIVE:
        own = scene.sides.own(terms.action)
        reference = None if own is None else own.net
        step = _relative_step(scene, reference) if reference is not None else Decimal(0)
    else:
        reference = scene.sides.mid
        step = -(terms.aux or Decimal(0)) if terms.kind is OrderKind.PEG_MIDPOINT else Decimal(0)
    if reference is None:
        return None
    price = reference + towards * step
    if terms.action is Action.BUY:
        price = down_to_grid(scene.view.price_rule, price)
        return price if terms.limit is None else min(price, terms.limit)
    price = up_to_grid(scene.view.price_rule, price)
    return price if terms.limit is None else max(price, terms.limit)


def _relative_step(scene: Scene, reference: Decimal) -> Decimal:
    fraction = scene.terms.offset_fraction
    return abs(reference) * fraction if fraction else scene.terms.aux or Decimal(0)
