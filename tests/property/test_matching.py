"""The fill rules under random orders and markets: what no look may ever do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from htbot.domain.orders import Action
from htbot.domain.quotes import Quote
from htbot.matching.fills import OrderLeg, leg_side, touch
from htbot.matching.look import CLOSING, look, takes, working_limit
from htbot.matching.terms import OrderKind, Outcome, Progress, Terms, TriggerMethod
from htbot.matching.ticks import is_on_grid
from htbot.matching.triggers import TRAILING, is_held, trigger_level, waits_for_rise
from htbot.matching.view import FillRules, Phase, Tape, View

AT = datetime(2024, 1, 2, 15, tzinfo=UTC)
CENT = ((Decimal(0), Decimal("0.01")),)
ONE = (OrderLeg(1, 1, Action.BUY),)


@dataclass(frozen=True)
class Life:
    """One order over many looks."""

    terms: Terms
    legs: tuple[OrderLeg, ...]
    rules: FillRules
    views: list[View]
    befores: list[Progress]
    outcomes: list[Outcome]


CENTS = st.integers(900, 1100)
PRICES = CENTS.map(lambda cents: Decimal(cents) / 100)
SMALL = st.integers(0, 60).map(lambda cents: Decimal(cents) / 100)
SIZES = st.sampled_from([0.0, 1.0, 3.0, 5.0, 40.0, 1000.0])
MAYBE_PRICE = st.one_of(st.none(), CENTS.map(lambda cents: cents / 100))


@st.composite
def quotes(draw: st.DrawFn, con_id: int) -> Quote:
    bid = draw(MAYBE_PRICE)
    width = draw(st.integers(-2, 20)) / 100
    ask = None if draw(st.integers(0, 9)) == 0 else round((bid or 10.0) + width, 2)
    return Quote(con_id, AT, bid, ask, draw(SIZES), draw(SIZES), draw(MAYBE_PRICE), draw(st.booleans()))


@st.composite
def views(draw: st.DrawFn, con_ids: int) -> View:
    tape = None
    if con_ids == 1 and draw(st.booleans()):
        low, high = sorted((draw(PRICES), draw(PRICES)))
        tape = Tape(low, high, Decimal(draw(st.integers(0, 20))))
    phase = draw(st.sampled_from([Phase.CONTINUOUS] * 6 + [Phase.OPENING_AUCTION, Phase.CLOSING_AUCTION]))
    return View(
        {con_id: draw(quotes(con_id)) for con_id in range(1, con_ids + 1)},
        CENT,
        tape,
        phase,
        draw(st.one_of(st.none(), PRICES)),
    )


@st.composite
def orders(draw: st.DrawFn, *, trigger: TriggerMethod | None = None, kinds: tuple[OrderKind, ...] = ()) -> Terms:
    kind = draw(st.sampled_from(kinds or tuple(OrderKind)))
    pegged = kind in {OrderKind.RELATIVE, OrderKind.MIDPRICE, OrderKind.PEG_MIDPOINT}
    distance = kind in TRAILING or pegged
    return Terms(
        action=draw(st.sampled_from(Action)),
        kind=kind,
        quantity=Decimal(draw(st.integers(1, 30))),
        limit=draw(st.one_of(st.none(), PRICES)) if pegged else draw(PRICES),
        aux=draw(SMALL if distance else PRICES),
        trail_stop=draw(st.one_of(st.none(), PRICES)),
        limit_offset=draw(st.one_of(st.none(), SMALL)),
        minimum=Decimal(draw(st.sampled_from([0, 0, 4]))),
        trigger=trigger or draw(st.sampled_from(TriggerMethod)),
        all_or_none=draw(st.booleans()),
        immediate=draw(st.booleans()),
        at_open=kind in {OrderKind.MARKET, OrderKind.LIMIT} and draw(st.integers(0, 4)) == 0,
    )


RULES = st.builds(
    FillRules,
    slippage_ticks=st.integers(0, 3),
    touch_share=st.sampled_from([Decimal(1), Decimal("0.5"), Decimal("0.1")]),
    sizes_limit=st.booleans(),
)


@st.composite
def lives(draw: st.DrawFn) -> Life:
    legs: tuple[OrderLeg, ...] = ONE
    if draw(st.booleans()):
        legs = (OrderLeg(1, 1, Action.SELL), OrderLeg(2, draw(st.integers(1, 2)), Action.BUY))
    terms, rules = draw(orders()), draw(RULES)
    seen = draw(st.lists(views(len(legs)), min_size=1, max_size=8))
    return live(terms, legs, rules, seen)


def live(terms: Terms, legs: tuple[OrderLeg, ...], rules: FillRules, seen: list[View]) -> Life:
    befores, outcomes = [], []
    progress = Progress()
    for view in seen:
        befores.append(progress)
        outcomes.append(look(terms, progress, legs, view, rules))
        progress = outcomes[-1].progress
        if outcomes[-1].cancel_rest or progress.filled == terms.quantity:
            break
    return Life(terms, legs, rules, seen, befores, outcomes)


@given(lives())
def test_quantities_add_up_and_never_exceed_the_order(life: Life) -> None:
    for before, outcome in zip(life.befores, life.outcomes, strict=True):
        assert outcome.quantity >= 0
        assert outcome.progress.filled == before.filled + outcome.quantity <= life.terms.quantity
        assert (outcome.price is not None) is (outcome.quantity > 0)


@given(lives())
def test_no_price_is_beyond_the_limit_or_better_than_the_touch_at_a_crossing(life: Life) -> None:
    sign = 1 if life.terms.action is Action.BUY else -1
    for view, before, outcome in zip(life.views, life.befores, life.outcomes, strict=False):
        if outcome.price is None:
            continue
        limits = {working_limit(life.terms, before), working_limit(life.terms, outcome.progress)} - {None}
        assert not limits or any(limit is not None and sign * outcome.price.net <= sign * limit for limit in limits)
        if life.terms.limit is not None and life.terms.kind not in TRAILING and limits:
            worst = life.terms.limit if life.terms.kind is not OrderKind.MARKET_TO_LIMIT else outcome.price.net
            assert sign * outcome.price.net <= sign * worst
        if outcome.added_liquidity or life.terms.at_open or life.terms.kind in CLOSING:
            continue
        for leg, price in zip(life.legs, outcome.price.leg_prices, strict=True):
            side = leg_side(leg, life.terms.action)
            at_touch = touch(view.quotes[leg.con_id], side, in_combination=len(life.legs) > 1)
            assert at_touch is not None
            assert price >= at_touch if side is Action.BUY else price <= at_touch


@given(lives())
def test_the_legs_of_a_fill_add_up_to_its_net(life: Life) -> None:
    for outcome in life.outcomes:
        if outcome.price is not None:
            legs = zip(life.legs, outcome.price.leg_prices, strict=True)
            assert sum(leg.signed_ratio * price for leg, price in legs) == outcome.price.net


@given(lives())
def test_whole_or_nothing_and_at_once_or_never(life: Life) -> None:
    waited = False
    for before, outcome in zip(life.befores, life.outcomes, strict=True):
        if life.terms.all_or_none:
            assert outcome.quantity in {0, life.terms.quantity}
        if outcome.quantity and not before.filled:
            assert outcome.quantity >= min(life.terms.minimum, life.terms.quantity)
        assert not waited, "an immediate order looks once"
        auction = life.terms.at_open or life.terms.kind in CLOSING
        over = outcome.cancel_rest or outcome.progress.filled == life.terms.quantity
        waited = life.terms.immediate and not auction and not is_held(life.terms, outcome.progress) and not over


@given(lives())
def test_sizes_bound_what_is_taken_from_the_touch(life: Life) -> None:
    for view, outcome in zip(life.views, life.outcomes, strict=False):
        auction = life.terms.at_open or life.terms.kind in CLOSING
        if not life.rules.sizes_limit or auction or outcome.added_liquidity:
            continue
        for (con_id, side), taken in takes(outcome, life.legs, life.terms.action).items():
            quote = view.quotes[con_id]
            assert quote is not None
            size = quote.ask_size if side is Action.BUY else quote.bid_size
            if size:
                least = 10 * max(leg.ratio for leg in life.legs) if quote.modelled else 0
                assert taken <= max(Decimal(size), Decimal(least))


@given(lives())
def test_the_same_inputs_give_the_same_outcome(life: Life) -> None:
    assert live(life.terms, life.legs, life.rules, life.views) == life


@given(lives())
def test_nothing_fills_before_its_trigger_and_a_trigger_wants_its_price(life: Life) -> None:
    for view, before, outcome in zip(life.views, life.befores, life.outcomes, strict=False):
        if is_held(life.terms, outcome.progress) and not life.terms.at_open:
            assert not outcome.quantity
        if not outcome.progress.triggered or before.triggered:
            continue
        level = trigger_level(life.terms, outcome.progress)
        assert level is not None
        tape = (view.tape.low, view.tape.high) if view.tape and before.resting else ()
        quoted = [value for quote in view.quotes.values() if quote for value in (quote.bid, quote.ask, quote.last)]
        seen = [*tape, *(Decimal(repr(value)) for value in quoted if value is not None)]
        if len(life.legs) == 1:
            rising = waits_for_rise(life.terms)
            assert max(seen) >= level if rising else min(seen) <= level


@given(
    orders(trigger=TriggerMethod.LAST, kinds=(OrderKind.TRAIL, OrderKind.TRAIL_LIMIT)),
    st.lists(views(1), min_size=2, max_size=10),
)
def test_a_trailing_stop_only_ever_moves_in_favour(terms: Terms, seen: list[View]) -> None:
    life = live(terms, ONE, FillRules(), seen)
    stops = [outcome.progress.trail_stop for outcome in life.outcomes if outcome.progress.trail_stop is not None]
    sign = 1 if terms.action is Action.SELL else -1
    assert all(sign * later >= sign * earlier for earlier, later in pairwise(stops))
    assert all(is_on_grid(CENT, stop) for stop in stops)


@given(st.data())
def test_two_orders_at_one_instant_never_take_more_than_the_touch(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 20))
    view = View({1: Quote(1, AT, 9.99, 10.01, size, size)}, CENT)
    total, taken = Decimal(0), dict[tuple[int, Action], Decimal]()
    for quantity in data.draw(st.lists(st.integers(1, 15), min_size=2, max_size=5)):
        terms = Terms(Action.BUY, OrderKind.MARKET, Decimal(quantity))
        outcome = look(terms, Progress(), ONE, View(view.quotes, CENT, taken=taken), FillRules())
        for key, amount in takes(outcome, ONE, Action.BUY).items():
            taken[key] = taken.get(key, Decimal(0)) + amount
        total += outcome.quantity
    assert total <= size
