"""One look of one order at the market: does it fill, at what price, how much of it?

`look` is pure: the same order, view and rules give the same outcome. It is pessimistic on purpose, the rule `book` of
RULINGS 34, stated here once for every book that uses it:

* An order that crosses pays the touch plus `FillRules.slippage_ticks`, never more than its limit; it takes at most the
  size that stands there (`FillRules`), once an instant. What remains goes on crossing at the next look.
* A limit that rests is met only when the market trades through it: a print beyond it, or the opposite touch beyond
  it. A trade at the limit itself went to others. It then gets its limit, nothing better.
* A combination fills at the natural price of its legs, whenever that is within the signed net limit, resting or not.
* No fill inside the spread, on a crossed quote, or while a needed side is missing.
* Stops become market orders and never do better than their stop in the look that sets them off.
* Auctions fill whole at their one price, which must be within the limit; what is left over is cancelled. Combinations
  have no auction of their own: they pay the natural price of that moment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from htbot.domain.orders import Action
from htbot.matching.fills import Natural, OrderLeg, is_marketable, leg_side
from htbot.matching.pegs import PEGGED, pegged_limit
from htbot.matching.terms import OrderKind, Outcome, Progress, Terms
from htbot.matching.ticks import increment_at
from htbot.matching.triggers import advance, is_held, is_stop, trigger_level
from htbot.matching.view import FillRules, Phase, Scene, View

CLOSING = frozenset({OrderKind.MARKET_ON_CLOSE, OrderKind.LIMIT_ON_CLOSE})
_OWN_LIMITS = PEGGED | {OrderKind.TRAIL_LIMIT, OrderKind.MARKET_TO_LIMIT}
_GIVEN_LIMITS = frozenset({OrderKind.LIMIT, OrderKind.STOP_LIMIT, OrderKind.LIMIT_IF_TOUCHED, OrderKind.LIMIT_ON_CLOSE})


@dataclass(frozen=True, slots=True)
class _Chance:
    """A fill that the market offers; `units` None = as many as wanted."""

    price: Natural
    units: Decimal | None
    added: bool = False


def look(terms: Terms, progress: Progress, legs: Sequence[OrderLeg], view: View, rules: FillRules) -> Outcome:
    """What the market does to an order now.

    Call it once for every instant at which the market may have changed, and only while the contract trades. `legs` of
    a single contract is one BUY leg of ratio 1.
    """
    scene = Scene(terms, legs, view)
    if terms.at_open or terms.kind in CLOSING:
        return _auction(scene, progress)
    was_triggered = progress.triggered
    progress = advance(scene, progress)
    if is_held(terms, progress):
        return Outcome(progress)
    chance = _met(scene, progress, rules)
    progress = _repegged(scene, progress)
    if chance is None:
        worst = None
        if is_stop(terms) and not was_triggered:
            worst = trigger_level(terms, progress)
        chance = _crossing(scene, progress, rules, worst)
    return _outcome(terms, progress, chance)


def takes(outcome: Outcome, legs: Sequence[OrderLeg], action: Action) -> Mapping[tuple[int, Action], Decimal]:
    """What a fill took from the touch, to be added to `View.taken` of the orders that look later at this instant."""
    return {(leg.con_id, leg_side(leg, action)): leg.ratio * outcome.quantity for leg in legs if outcome.quantity}


def working_limit(terms: Terms, progress: Progress) -> Decimal | None:
    """The limit at which an order that is not held works; None = a market order, or a peg without a market."""
    if terms.kind in _GIVEN_LIMITS:
        return terms.limit
    return progress.working_limit if terms.kind in _OWN_LIMITS else None


def _met(scene: Scene, progress: Progress, rules: FillRules) -> _Chance | None:
    """Somebody trades through the limit of a single contract's order that rests."""
    limit = working_limit(scene.terms, progress)
    if not progress.resting or limit is None or not scene.is_single:
        return None
    price = Natural(limit, (limit,))
    touch = scene.sides.taking(scene.terms.action)
    if touch is not None and _beyond(scene.terms.action, limit, touch.net):
        return _Chance(price, scene.available(rules), added=True)
    tape = scene.view.tape
    if tape is None or not _beyond(scene.terms.action, limit, tape.low, tape.high):
        return None
    volume = scene.in_lots(tape.volume) if rules.sizes_limit and tape.volume else None
    return _Chance(price, volume, added=True)


def _beyond(action: Action, limit: Decimal, low: Decimal, high: Decimal | None = None) -> bool:
    return low < limit if action is Action.BUY else (low if high is None else high) > limit


def _repegged(scene: Scene, progress: Progress) -> Progress:
    """A peg that moves is a new order at its new price."""
    if scene.terms.kind not in PEGGED:
        return progress
    limit = pegged_limit(scene)
    if limit is None or limit == progress.working_limit:
        return progress
    return replace(progress, working_limit=limit, resting=False)


def _crossing(scene: Scene, progress: Progress, rules: FillRules, worst: Decimal | None) -> _Chance | None:
    """The order takes what stands on the other side; `worst` is a price that it may not beat."""
    terms = scene.terms
    limit = working_limit(terms, progress)
    touch = scene.sides.taking(terms.action)
    if touch is None or (limit is None and terms.kind in PEGGED) or not is_marketable(terms.action, limit, touch.net):
        return None
    if not scene.is_single:
        return _Chance(touch, scene.available(rules))
    if progress.resting and limit is not None:
        return None
    price = _slipped(scene, rules, touch.net)
    if worst is not None:
        price = max(price, worst) if terms.action is Action.BUY else min(price, worst)
    if limit is not None:
        price = min(price, limit) if terms.action is Action.BUY else max(price, limit)
    return _Chance(Natural(price, (price,)), scene.available(rules))


def _slipped(scene: Scene, rules: FillRules, touch: Decimal) -> Decimal:
    increment = increment_at(scene.view.price_rule, touch)
    slippage = rules.slippage_ticks * increment
    if scene.terms.action is Action.BUY:
        return touch + slippage
    return max(touch - slippage, min(touch, increment)) if touch > 0 else touch - slippage


def _outcome(terms: Terms, progress: Progress, chance: _Chance | None) -> Outcome:
    remaining = terms.quantity - progress.filled
    quantity = Decimal(0)
    if chance is not None:
        quantity = remaining if chance.units is None else min(remaining, chance.units)
        if quantity < _least(terms, progress):
            quantity = Decimal(0)
    cancel_rest = terms.immediate and quantity < remaining
    if chance is None or not quantity:
        return Outcome(replace(progress, resting=progress.resting or chance is None), cancel_rest=cancel_rest)
    limit = progress.working_limit
    if terms.kind is OrderKind.MARKET_TO_LIMIT and limit is None:
        limit = chance.price.net
    after = replace(progress, filled=progress.filled + quantity, working_limit=limit)
    return Outcome(after, chance.price, quantity, cancel_rest, chance.added)


def _least(terms: Terms, progress: Progress) -> Decimal:
    """The smallest fill that the order allows now."""
    remaining = terms.quantity - progress.filled
    if terms.all_or_none:
        return remaining
    return Decimal(0) if progress.filled else min(terms.minimum, remaining)


def _auction(scene: Scene, progress: Progress) -> Outcome:
    """Opening and closing auctions: one price for all, the whole quantity, and no second chance."""
    terms, view = scene.terms, scene.view
    if view.phase is not (Phase.OPENING_AUCTION if terms.at_open else Phase.CLOSING_AUCTION):
        return Outcome(progress)
    if scene.is_single:
        price = None if view.auction_price is None else Natural(view.auction_price, (view.auction_price,))
    else:
        price = scene.sides.taking(terms.action)
    if price is None or not is_marketable(terms.action, working_limit(terms, progress), price.net):
        return Outcome(progress, cancel_rest=True)
    return Outcome(replace(progress, filled=terms.quantity), price, terms.quantity - progress.filled)
