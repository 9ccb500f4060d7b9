"""Stops, touches and trailing stops: what sets them off, and what they do then."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from htbot.domain.instruments import SecType
from htbot.domain.orders import Action
from htbot.domain.quotes import Quote
from htbot.matching.fills import OrderLeg
from htbot.matching.look import look
from htbot.matching.terms import OrderKind, Outcome, Progress, Terms, TriggerMethod
from htbot.matching.triggers import is_held, trigger_method
from htbot.matching.view import FillRules, Tape, View

AT = datetime(2024, 1, 2, 15, tzinfo=UTC)
CENT = ((Decimal(0), Decimal("0.01")),)
ONE = (OrderLeg(1, 1, Action.BUY),)
SPREAD = (OrderLeg(1, 1, Action.SELL), OrderLeg(2, 1, Action.BUY))
RULES = FillRules()
BUY, SELL = Action.BUY, Action.SELL


def at(
    bid: float | None, ask: float | None, last: float | None = None, size: float = 100.0, tape: Tape | None = None
) -> View:
    return View({1: Quote(1, AT, bid, ask, size, size, last)}, CENT, tape)


def trades(low: str, high: str) -> Tape:
    return Tape(Decimal(low), Decimal(high))


def order(action: Action, kind: OrderKind, **terms: Any) -> Terms:
    given: dict[str, Any] = {name: Decimal(value) if isinstance(value, str) else value for name, value in terms.items()}
    return Terms(action, kind, Decimal(10), **given)


def run(terms: Terms, *views: View, legs: tuple[OrderLeg, ...] = ONE) -> list[Outcome]:
    """The outcomes of one order over several looks."""
    progress, outcomes = Progress(), []
    for view in views:
        outcomes.append(look(terms, progress, legs, view, RULES))
        progress = outcomes[-1].progress
    return outcomes


def prices(outcomes: list[Outcome]) -> list[Decimal | None]:
    return [None if outcome.price is None else outcome.price.net for outcome in outcomes]


# --- what sets an order off -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "kind", "last", "hit"),
    [
        (BUY, OrderKind.STOP, 10.0, True),
        (BUY, OrderKind.STOP, 9.99, False),
        (SELL, OrderKind.STOP, 10.0, True),
        (SELL, OrderKind.STOP, 10.01, False),
        (BUY, OrderKind.MARKET_IF_TOUCHED, 10.0, True),
        (BUY, OrderKind.MARKET_IF_TOUCHED, 10.01, False),
        (SELL, OrderKind.MARKET_IF_TOUCHED, 10.0, True),
        (SELL, OrderKind.MARKET_IF_TOUCHED, 9.99, False),
    ],
)
def test_stops_wait_for_a_price_against_them_touches_for_one_in_their_favour(
    action: Action, kind: OrderKind, last: float, hit: bool
) -> None:
    terms = order(action, kind, aux="10.00")
    done = run(terms, at(last - 0.01, last + 0.01, last))[0]
    assert done.progress.triggered is hit
    assert (done.quantity > 0) is hit
    assert is_held(terms, done.progress) is not hit


@pytest.mark.parametrize(
    ("method", "views", "hits"),
    [
        (TriggerMethod.LAST, [at(10.1, 10.2, 9.9), at(9.0, 9.1, 10.0)], [False, True]),
        (TriggerMethod.BID_ASK, [at(9.9, 10.2, 10.5), at(10.0, 10.2, 9.0)], [False, True]),
        (TriggerMethod.LAST_OR_BID_ASK, [at(9.9, 10.2, 9.9), at(10.0, 10.2, 9.0)], [False, True]),
        (TriggerMethod.LAST_OR_BID_ASK, [at(9.9, 10.2, 10.0)], [True]),
        (TriggerMethod.MIDPOINT, [at(9.8, 10.18), at(9.8, 10.2)], [False, True]),
        (TriggerMethod.DOUBLE_BID_ASK, [at(10.0, 10.2), at(10.0, 10.2), at(10.1, 10.2)], [False, False, True]),
        (TriggerMethod.DOUBLE_BID_ASK, [at(10.0, 10.2), at(10.0, 10.2, size=101.0)], [False, True]),
        (TriggerMethod.DOUBLE_BID_ASK, [at(10.0, 10.2), at(9.9, 10.2), at(10.1, 10.2)], [False, False, False]),
        (TriggerMethod.DOUBLE_LAST, [at(9.0, 9.1, 10.0), at(9.0, 9.1, 10.01)], [False, True]),
        (TriggerMethod.DOUBLE_LAST, [at(9.0, 9.1, 10.0), at(9.0, 9.1, 9.99), at(9.0, 9.1, 10.01)], [False] * 3),
    ],
)
def test_each_trigger_method_goes_by_its_own_price(method: TriggerMethod, views: list[View], hits: list[bool]) -> None:
    outcomes = run(order(BUY, OrderKind.STOP, aux="10.00", trigger=method), *views)
    assert [outcome.progress.triggered for outcome in outcomes] == hits


def test_a_falling_trigger_looks_at_the_ask_so_that_a_wide_spread_alone_sets_nothing_off() -> None:
    terms = order(SELL, OrderKind.STOP, aux="10.00", trigger=TriggerMethod.BID_ASK)
    assert prices(run(terms, at(9.0, 10.5), at(9.0, 10.0))) == [None, Decimal(9)]


def test_the_default_method_depends_on_the_kind_of_contract() -> None:
    chosen = {kind: trigger_method(kind) for kind in (SecType.STOCK, SecType.FUTURE, SecType.OPTION, SecType.FOREX)}
    assert chosen == {
        SecType.STOCK: TriggerMethod.LAST,
        SecType.FUTURE: TriggerMethod.LAST,
        SecType.OPTION: TriggerMethod.DOUBLE_BID_ASK,
        SecType.FOREX: TriggerMethod.BID_ASK,
    }
    assert trigger_method(SecType.OPTION, 2) is TriggerMethod.LAST
    with pytest.raises(ValueError, match="5"):
        trigger_method(SecType.STOCK, 5)


def test_trades_between_two_looks_set_a_stop_off_but_not_those_before_it_came() -> None:
    tape = trades("9.80", "10.20")
    terms = order(BUY, OrderKind.STOP, aux="10.10")
    outcomes = run(terms, at(9.98, 10.0, 9.99, tape=tape), at(9.98, 10.0, 9.99, tape=tape))
    assert prices(outcomes) == [None, Decimal("10.10")]


@pytest.mark.parametrize(("action", "stop"), [(BUY, "10.10"), (SELL, "9.90")])
def test_a_stop_does_no_better_than_its_stop_in_the_look_that_sets_it_off(action: Action, stop: str) -> None:
    terms = order(action, OrderKind.STOP, aux=stop)
    quiet, wild = at(9.99, 10.01, 10.0), at(9.99, 10.01, 10.0, tape=trades("9.80", "10.20"))
    assert prices(run(terms, quiet, wild)) == [None, Decimal(stop)]


def test_a_combination_is_set_off_by_its_natural_prices() -> None:
    def spread(short: float) -> View:
        quotes = {1: Quote(1, AT, short, short + 0.1, 9.0, 9.0), 2: Quote(2, AT, 3.3, 3.4, 9.0, 9.0)}
        return View(quotes, CENT)

    # SELL closes a credit spread; it falls in value as the short leg rises.
    terms = order(SELL, OrderKind.STOP, aux="-5.50", trigger=trigger_method(SecType.BAG))
    outcomes = run(terms, spread(8.1), spread(9.0), legs=SPREAD)
    assert prices(outcomes) == [None, Decimal("-5.8")]


# --- what they do then ------------------------------------------------------------------------------------------


def test_a_stop_limit_becomes_a_limit_order() -> None:
    terms = order(BUY, OrderKind.STOP_LIMIT, aux="10.00", limit="10.05")
    outcomes = run(terms, at(9.98, 10.0, 9.99), at(10.08, 10.10, 10.1), at(10.03, 10.05, 10.04), at(10.0, 10.04, 10.0))
    assert prices(outcomes) == [None, None, None, Decimal("10.05")]
    assert outcomes[-1].added_liquidity


def test_a_stop_limit_that_crosses_when_set_off_pays_the_touch() -> None:
    terms = order(SELL, OrderKind.STOP_LIMIT, aux="10.00", limit="9.90")
    assert prices(run(terms, at(9.95, 9.97, 9.96))) == [Decimal("9.95")]


def test_a_touched_limit_rests_at_its_limit() -> None:
    terms = order(BUY, OrderKind.LIMIT_IF_TOUCHED, aux="10.00", limit="9.95")
    outcomes = run(terms, at(9.98, 10.02, 10.0), at(9.90, 9.94, 9.93))
    assert prices(outcomes) == [None, Decimal("9.95")]


# --- trailing stops ---------------------------------------------------------------------------------------------


def stops(outcomes: list[Outcome]) -> list[str]:
    return [str(outcome.progress.trail_stop) for outcome in outcomes]


def test_a_trailing_stop_follows_the_market_in_its_favour_only() -> None:
    terms = order(SELL, OrderKind.TRAIL, aux="0.50")
    views = [at(last - 0.01, last + 0.01, last) for last in (10.0, 10.2, 9.9, 10.1, 9.7, 11.0)]
    outcomes = run(terms, *views)
    assert stops(outcomes)[:4] == ["9.50", "9.70", "9.70", "9.70"]
    assert prices(outcomes)[:5] == [None, None, None, None, Decimal("9.69")]
    assert outcomes[5].progress.trail_stop == Decimal("9.70"), "a stop that was set off trails no more"


def test_a_buy_trails_downwards_by_percent_on_the_grid() -> None:
    terms = order(BUY, OrderKind.TRAIL, trail_percent="3")
    outcomes = run(terms, *(at(last - 0.01, last + 0.01, last) for last in (10.0, 9.99, 10.1)))
    assert stops(outcomes) == ["10.30", "10.29", "10.29"], "9.99 + 3 % = 10.2897, up to the next cent"


def test_a_given_first_stop_holds_until_the_market_moves_in_favour() -> None:
    terms = order(SELL, OrderKind.TRAIL, aux="0.50", trail_stop="9.00")
    outcomes = run(terms, *(at(last - 0.01, last + 0.01, last) for last in (10.0, 9.9, 10.1)))
    assert stops(outcomes) == ["9.00", "9.00", "9.60"]
    tight = order(SELL, OrderKind.TRAIL, aux="0.50", trail_stop="9.80")
    assert stops(run(tight, *(at(last - 0.01, last + 0.01, last) for last in (10.0, 10.1)))) == ["9.80", "9.80"]


def test_of_the_extremes_between_two_looks_the_favourable_one_came_first() -> None:
    terms = order(SELL, OrderKind.TRAIL, aux="0.50")
    outcomes = run(terms, at(9.99, 10.01, 10.0), at(9.99, 10.01, 10.0, tape=trades("9.90", "10.40")))
    assert prices(outcomes) == [None, Decimal("9.90")]


@pytest.mark.parametrize(
    ("distance", "limits"),
    [({"limit_offset": "0.10"}, ["9.40", "9.60"]), ({"limit": "9.30", "trail_stop": "9.50"}, ["9.30", "9.50"])],
    ids=["an offset", "a first limit"],
)
def test_the_limit_of_a_trailing_stop_limit_moves_with_the_stop(distance: dict[str, Any], limits: list[str]) -> None:
    terms = order(SELL, OrderKind.TRAIL_LIMIT, aux="0.50", **distance)
    outcomes = run(terms, at(9.99, 10.01, 10.0), at(10.19, 10.21, 10.2), at(9.0, 9.5, 9.7), at(9.71, 9.73, 9.72))
    assert [str(outcome.progress.working_limit) for outcome in outcomes[:2]] == limits
    assert prices(outcomes)[2:] == [None, Decimal(limits[1])], "set off below its limit it waits there"


def test_an_option_trails_the_quote_and_not_its_last_price() -> None:
    terms = order(SELL, OrderKind.TRAIL, aux="0.50", trigger=trigger_method(SecType.OPTION))
    outcomes = run(terms, at(2.0, 2.2, 9.0), at(2.4, 2.6, 1.0), at(2.0, 2.1, 9.0), at(1.9, 2.0, 9.0))
    assert stops(outcomes)[:2] == ["1.70", "2.10"]
    assert [outcome.progress.triggered for outcome in outcomes] == [False, False, False, True]


# --- changed orders ---------------------------------------------------------------------------------------------


def test_a_repriced_order_keeps_what_happened_and_loses_its_place() -> None:
    before = Progress(Decimal(3), True, Decimal(9), Decimal(10), Decimal(8), True)
    assert before.repriced() == Progress(Decimal(3), True, working_limit=Decimal(8))
