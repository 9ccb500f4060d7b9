"""Held orders: what sets off stops and touches, and how a trailing stop follows the market.

Which price counts is IB's trigger method (https://interactivebrokers.github.io/tws-api/trigger_method_limit.html and
"Modify the Stop Trigger Method" in the TWS Users' Guide): an order that waits for a rise looks at the last price or at
the bid, one that waits for a fall at the last price or at the ask, so that a wide spread alone sets nothing off. The
double methods want two prices in a row, the second one different from the first or in greater size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from htbot.domain.instruments import SecType
from htbot.domain.orders import Action
from htbot.matching.fills import price_of
from htbot.matching.terms import OrderKind, Progress, Seen, Terms, TriggerMethod
from htbot.matching.ticks import PriceRule, down_to_grid, up_to_grid
from htbot.matching.view import Scene

TRAILING = frozenset({OrderKind.TRAIL, OrderKind.TRAIL_LIMIT})
_STOPS = TRAILING | {OrderKind.STOP, OrderKind.STOP_LIMIT}
_TOUCHES = frozenset({OrderKind.MARKET_IF_TOUCHED, OrderKind.LIMIT_IF_TOUCHED})
_DOUBLE = frozenset({TriggerMethod.DOUBLE_BID_ASK, TriggerMethod.DOUBLE_LAST})
_DEFAULTS = {
    SecType.OPTION: TriggerMethod.DOUBLE_BID_ASK,
    SecType.FOREX: TriggerMethod.BID_ASK,
    # IB's default for combinations is the last price; here a combination has no trades of its own.
    SecType.BAG: TriggerMethod.BID_ASK,
}


@dataclass(frozen=True, slots=True)
class Signal:
    """The prices since the last look that a trigger method goes by; `size` belongs to the present one."""

    low: Decimal
    high: Decimal
    size: Decimal = Decimal(0)


def trigger_method(sec_type: SecType, asked: int = 0) -> TriggerMethod:
    """The method of an order: the one asked for, or the default of its kind of contract (IB's 0).

    Raises:
        ValueError: a number that is no trigger method.
    """
    return TriggerMethod(asked) if asked else _DEFAULTS.get(sec_type, TriggerMethod.LAST)


def is_held(terms: Terms, progress: Progress) -> bool:
    """Whether the order waits for its trigger or for the opening: IB shows it as PreSubmitted until then."""
    return terms.at_open or (terms.kind in _STOPS | _TOUCHES and not progress.triggered)


def is_stop(terms: Terms) -> bool:
    """Whether the order is a stop: set off by a price that moves against it."""
    return terms.kind in _STOPS


def waits_for_rise(terms: Terms) -> bool:
    """Whether a held order is set off by rising prices."""
    return (terms.action is Action.BUY) == (terms.kind in _STOPS)


def advance(scene: Scene, progress: Progress) -> Progress:
    """Trail the stop, then test the trigger; `triggered` in the answer is final."""
    terms = scene.terms
    if progress.triggered or terms.kind not in _STOPS | _TOUCHES:
        return progress
    signal = _signal(scene, progress)
    if signal is None:
        return progress
    if terms.kind in TRAILING:
        progress = _trailed(terms, progress, signal, scene.view.price_rule)
    level = trigger_level(terms, progress)
    rising = waits_for_rise(terms)
    price = signal.high if rising else signal.low
    hit = level is not None and (price >= level if rising else price <= level)
    if hit and terms.trigger in _DOUBLE:
        return _second_sight(progress, Seen(price, signal.size))
    return replace(progress, triggered=hit, seen=None, resting=not hit)


def trigger_level(terms: Terms, progress: Progress) -> Decimal | None:
    """The price that sets the order off; None before a trailing stop has seen the market."""
    return progress.trail_stop if terms.kind in TRAILING else terms.aux


def _second_sight(progress: Progress, now: Seen) -> Progress:
    first = progress.seen
    again = first is not None and (now.price != first.price or now.size > first.size)
    if again:
        return replace(progress, triggered=True, seen=None, resting=False)
    return replace(progress, seen=first or now, resting=True)


def _trailed(terms: Terms, progress: Progress, signal: Signal, rule: PriceRule) -> Progress:
    """Follow the market in the order's favour; a limit that belongs to the stop moves with it."""
    sell = terms.action is Action.SELL
    seen = signal.high if sell else signal.low
    stop, best, limit = progress.trail_stop, progress.best, progress.working_limit
    if best is None:
        stop = terms.trail_stop
        limit = terms.limit
    if best is None or (seen > best if sell else seen < best):
        best = seen
        if stop is None or progress.best is not None:
            followed = _stop_behind(terms, best, rule)
            stop = followed if stop is None else (max if sell else min)(stop, followed)
    if terms.kind is OrderKind.TRAIL_LIMIT:
        limit = _limit_behind(terms, progress, stop, limit)
    return replace(progress, trail_stop=stop, best=best, working_limit=limit)


def _stop_behind(terms: Terms, best: Decimal, rule: PriceRule) -> Decimal:
    percent = terms.trail_percent
    distance = abs(best) * percent / 100 if percent is not None else terms.aux or Decimal(0)
    return down_to_grid(rule, best - distance) if terms.action is Action.SELL else up_to_grid(rule, best + distance)


def _limit_behind(terms: Terms, progress: Progress, stop: Decimal | None, limit: Decimal | None) -> Decimal | None:
    if stop is None:
        return limit
    if terms.limit_offset is not None:
        return stop - terms.limit_offset if terms.action is Action.SELL else stop + terms.limit_offset
    moved = Decimal(0) if progress.trail_stop is None else stop - progress.trail_stop
    return None if limit is None else limit + moved


def _signal(scene: Scene, progress: Progress) -> Signal | None:
    found = [signal for series in _SERIES[scene.terms.trigger] if (signal := series(scene, progress)) is not None]
    if not found:
        return None
    rising = waits_for_rise(scene.terms)
    return max(found, key=lambda item: item.high) if rising else min(found, key=lambda item: item.low)


def _last(scene: Scene, progress: Progress) -> Signal | None:
    quote = scene.single_quote
    last = None if quote is None or quote.last is None else price_of(quote.last)
    tape = scene.view.tape if progress.resting else None
    if tape is None:
        return None if last is None else Signal(last, last)
    prices = [tape.low, tape.high] if last is None else [tape.low, tape.high, last]
    return Signal(min(prices), max(prices), tape.volume)


def _quoted(scene: Scene, progress: Progress) -> Signal | None:
    del progress
    rising = waits_for_rise(scene.terms)
    side = scene.sides.bid if rising else scene.sides.ask
    if side is None:
        return None
    quote = scene.single_quote
    size = 0.0 if quote is None else quote.bid_size if rising else quote.ask_size
    return Signal(side.net, side.net, price_of(size))


def _middle(scene: Scene, progress: Progress) -> Signal | None:
    del progress
    mid = scene.sides.mid
    return None if mid is None else Signal(mid, mid)


_SERIES: Mapping[TriggerMethod, tuple[Callable[[Scene, Progress], Signal | None], ...]] = {
    TriggerMethod.DOUBLE_BID_ASK: (_quoted,),
    TriggerMethod.LAST: (_last,),
    TriggerMethod.DOUBLE_LAST: (_last,),
    TriggerMethod.BID_ASK: (_quoted,),
    TriggerMethod.LAST_OR_BID_ASK: (_last, _quoted),
    TriggerMethod.MIDPOINT: (_middle,),
}
