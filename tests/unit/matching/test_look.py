"""Single contracts and combinations: what fills, at what price, how much."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from htbot.domain.orders import Action
from htbot.domain.quotes import Quote
from htbot.matching.fills import OrderLeg
from htbot.matching.look import look, takes
from htbot.matching.terms import OrderKind, Outcome, Progress, Terms
from htbot.matching.view import FillRules, Phase, Tape, View

AT = datetime(2024, 1, 2, 15, tzinfo=UTC)
CENT = ((Decimal(0), Decimal("0.01")),)
ONE = (OrderLeg(1, 1, Action.BUY),)
SPREAD = (OrderLeg(1, 1, Action.SELL), OrderLeg(2, 1, Action.BUY))
RULES = FillRules()


def quote(
    bid: float | None, ask: float | None, size: float = 100.0, *, con_id: int = 1, modelled: bool = False
) -> Quote:
    return Quote(con_id, AT, bid, ask, size, size, None, modelled)


def single(bid: float | None, ask: float | None, size: float = 100.0, tape: Tape | None = None) -> View:
    return View({1: quote(bid, ask, size)}, CENT, tape)


def order(action: Action, kind: OrderKind, quantity: int = 10, **terms: Any) -> Terms:
    prices: dict[str, Any] = {
        name: Decimal(value) if isinstance(value, str) else value for name, value in terms.items()
    }
    return Terms(action, kind, Decimal(quantity), **prices)


def fill(outcome: Outcome) -> tuple[str, str] | None:
    """Price and quantity of an outcome."""
    return None if outcome.price is None else (str(outcome.price.net), str(outcome.quantity))


@pytest.mark.parametrize(("action", "price"), [(Action.BUY, "10.02"), (Action.SELL, "9.98")])
def test_a_market_order_pays_the_touch(action: Action, price: str) -> None:
    done = look(order(action, OrderKind.MARKET), Progress(), ONE, single(9.98, 10.02), RULES)
    assert fill(done) == (f"{price}0000", "10")
    assert not done.added_liquidity


@pytest.mark.parametrize(
    ("action", "limit", "price"),
    [
        (Action.BUY, None, "10.05"),
        (Action.SELL, None, "9.95"),
        (Action.BUY, "10.03", "10.03"),
        (Action.BUY, "10.10", "10.05"),
        (Action.SELL, "9.97", "9.97"),
    ],
)
def test_slippage_is_paid_beyond_the_touch_but_never_beyond_the_limit(
    action: Action, limit: str | None, price: str
) -> None:
    kind = OrderKind.MARKET if limit is None else OrderKind.LIMIT
    done = look(order(action, kind, limit=limit), Progress(), ONE, single(9.98, 10.02), FillRules(slippage_ticks=3))
    assert done.price is not None
    assert done.price.net == Decimal(price)
    assert done.price.leg_prices == (Decimal(price),)


def test_slippage_never_makes_a_price_of_nothing() -> None:
    done = look(order(Action.SELL, OrderKind.MARKET), Progress(), ONE, single(0.02, 0.05), FillRules(slippage_ticks=5))
    assert done.price is not None
    assert done.price.net == Decimal("0.01")


RESTING = Progress(resting=True)


@pytest.mark.parametrize(
    ("action", "limit", "view", "expected"),
    [
        (Action.BUY, "10.00", single(9.98, 10.00), None),
        (Action.BUY, "10.00", single(9.97, 9.99), "10.00"),
        (Action.SELL, "10.00", single(10.00, 10.02), None),
        (Action.SELL, "10.00", single(10.01, 10.03), "10.00"),
        (Action.BUY, "10.00", single(9.98, 10.02, tape=Tape(Decimal("10.00"), Decimal("10.02"))), None),
        (Action.BUY, "10.00", single(9.98, 10.02, tape=Tape(Decimal("9.99"), Decimal("10.02"))), "10.00"),
        (Action.SELL, "10.00", single(9.98, 10.02, tape=Tape(Decimal("9.99"), Decimal("10.01"))), "10.00"),
        (Action.SELL, "10.00", single(9.98, 10.02, tape=Tape(Decimal("9.90"), Decimal("10.00"))), None),
        (Action.BUY, "10.00", single(None, None, tape=Tape(Decimal("9.99"), Decimal("10.02"))), "10.00"),
    ],
)
def test_a_resting_limit_wants_a_trade_through_it_and_gets_its_limit(
    action: Action, limit: str, view: View, expected: str | None
) -> None:
    done = look(order(action, OrderKind.LIMIT, limit=limit), RESTING, ONE, view, RULES)
    assert fill(done) == (None if expected is None else (expected, "10"))
    assert done.added_liquidity is (expected is not None)


def test_trades_before_an_order_came_do_not_meet_it() -> None:
    view = single(9.98, 10.02, tape=Tape(Decimal("9.50"), Decimal("10.02")))
    done = look(order(Action.BUY, OrderKind.LIMIT, limit="10.00"), Progress(), ONE, view, RULES)
    assert fill(done) is None
    assert done.progress.resting


@pytest.mark.parametrize("view", [single(None, 10.02), single(10.03, 10.02), View({}, CENT)])
def test_nothing_fills_on_a_missing_or_crossed_side(view: View) -> None:
    done = look(order(Action.SELL, OrderKind.MARKET), Progress(), ONE, view, RULES)
    assert (fill(done), done.cancel_rest) == (None, False)


def test_the_touch_limits_what_one_look_fills_and_the_rest_goes_on_crossing() -> None:
    terms = order(Action.BUY, OrderKind.LIMIT, 250, limit="10.05")
    first = look(terms, Progress(), ONE, single(9.98, 10.02), RULES)
    assert fill(first) == ("10.020000", "100")
    second = look(terms, first.progress, ONE, single(9.98, 10.04, 200.0), RULES)
    assert fill(second) == ("10.040000", "150")
    assert second.progress.filled == 250


def test_a_share_of_the_touch_is_rounded_down_to_lots_but_never_to_nothing() -> None:
    rules = FillRules(touch_share=Decimal("0.25"))
    assert fill(look(order(Action.BUY, OrderKind.MARKET), Progress(), ONE, single(1.0, 2.0, 31.0), rules)) == (
        "2.000000",
        "7",
    )
    assert look(order(Action.BUY, OrderKind.MARKET), Progress(), ONE, single(1.0, 2.0, 2.0), rules).quantity == 1


@pytest.mark.parametrize(("size", "quantity"), [(3.75, "3"), (0.75, "0.75"), (0.7501, "0.750")])
def test_fractions_trade_only_where_there_is_no_whole_unit(size: float, quantity: str) -> None:
    terms = order(Action.BUY, OrderKind.MARKET, lot="0.001")
    assert look(terms, Progress(), ONE, single(9.98, 10.02, size), RULES).quantity == Decimal(quantity)


def test_what_one_order_took_is_gone_for_the_next_at_the_same_instant() -> None:
    terms = order(Action.BUY, OrderKind.MARKET, 70)
    first = look(terms, Progress(), ONE, single(9.98, 10.02), RULES)
    taken = takes(first, ONE, Action.BUY)
    assert taken == {(1, Action.BUY): Decimal(70)}
    second = look(terms, Progress(), ONE, View({1: quote(9.98, 10.02)}, CENT, taken=taken), RULES)
    assert second.quantity == 30
    assert not second.progress.resting


@pytest.mark.parametrize(
    ("size", "modelled", "rules", "expected"),
    [
        (3.0, False, RULES, 3),
        (3.0, True, RULES, 10),
        (0.0, False, RULES, 12),
        (3.0, False, FillRules(sizes_limit=False), 12),
    ],
)
def test_sizes_that_count(size: float, modelled: bool, rules: FillRules, expected: int) -> None:
    view = View({1: quote(1.0, 1.1, size, modelled=modelled)}, CENT)
    assert look(order(Action.BUY, OrderKind.MARKET, 12), Progress(), ONE, view, rules).quantity == expected


def test_a_print_through_a_resting_limit_fills_no_more_than_was_traded() -> None:
    view = single(9.98, 10.02, tape=Tape(Decimal("9.99"), Decimal("10.02"), Decimal(4)))
    assert look(order(Action.BUY, OrderKind.LIMIT, limit="10.00"), RESTING, ONE, view, RULES).quantity == 4


@pytest.mark.parametrize(
    ("flags", "size", "filled", "cancelled"),
    [
        ({"immediate": True}, 4.0, 4, True),
        ({"immediate": True}, 40.0, 10, False),
        ({"immediate": True, "all_or_none": True}, 4.0, 0, True),
        ({"immediate": True, "all_or_none": True}, 10.0, 10, False),
        ({"all_or_none": True}, 4.0, 0, False),
        ({"minimum": "5"}, 4.0, 0, False),
        ({"minimum": "4"}, 4.0, 4, False),
    ],
    ids=["ioc", "ioc whole", "fok", "fok whole", "aon", "below the minimum", "minimum"],
)
def test_orders_that_want_it_whole_or_at_once(flags: dict[str, Any], size: float, filled: int, cancelled: bool) -> None:
    terms = order(Action.BUY, OrderKind.LIMIT, limit="10.02", **flags)
    done = look(terms, Progress(), ONE, single(9.98, 10.02, size), RULES)
    assert (int(done.quantity), done.cancel_rest) == (filled, cancelled)


def test_the_minimum_is_of_the_first_fill_alone() -> None:
    terms = order(Action.BUY, OrderKind.MARKET, minimum="4")
    first = look(terms, Progress(), ONE, single(9.98, 10.02, 4.0), RULES)
    assert look(terms, first.progress, ONE, single(9.98, 10.02, 1.0), RULES).quantity == 1


def test_an_order_that_came_too_late_for_the_touch_does_not_rest_yet() -> None:
    terms = order(Action.BUY, OrderKind.LIMIT, limit="10.02")
    late = look(
        terms, Progress(), ONE, View({1: quote(9.98, 10.02)}, CENT, taken={(1, Action.BUY): Decimal(100)}), RULES
    )
    assert fill(late) is None
    assert look(terms, late.progress, ONE, single(9.98, 10.02), RULES).quantity == 10


def test_an_immediate_order_that_finds_no_price_is_over() -> None:
    terms = order(Action.BUY, OrderKind.LIMIT, limit="10.00", immediate=True)
    assert look(terms, Progress(), ONE, single(9.98, 10.02), RULES).cancel_rest


def test_a_tape_is_the_range_and_the_volume_of_its_trades() -> None:
    assert Tape.of([(10.01, 5.0), (9.99, 7.0), (10.0, 1.0)]) == Tape(Decimal("9.99"), Decimal("10.01"), Decimal(13))
    assert Tape.of([]) is None


# --- combinations -----------------------------------------------------------------------------------------------


def pair(short: tuple[float, float], long: tuple[float | None, float], size: float = 100.0) -> View:
    return View({1: quote(*short, size), 2: quote(*long, size, con_id=2)}, CENT)


@pytest.mark.parametrize("progress", [Progress(), RESTING], ids=["new", "resting"])
@pytest.mark.parametrize(
    ("action", "limit", "net"),
    [
        (Action.BUY, "-4.70", "-4.7"),
        (Action.BUY, "-4.60", "-4.7"),
        (Action.BUY, "-4.75", None),
        (Action.SELL, "-4.90", "-4.9"),
        (Action.SELL, "-4.85", None),
    ],
)
def test_a_combination_fills_at_the_natural_price_within_its_net_limit(
    action: Action, limit: str, net: str | None, progress: Progress
) -> None:
    terms = order(action, OrderKind.LIMIT, limit=limit)
    done = look(terms, progress, SPREAD, pair((8.1, 8.2), (3.3, 3.4)), FillRules(slippage_ticks=5))
    assert (done.price and done.price.net) == (None if net is None else Decimal(net))
    assert done.quantity == (0 if net is None else 10)


def test_a_worthless_wing_goes_for_nothing_and_its_missing_size_limits_nothing() -> None:
    done = look(order(Action.SELL, OrderKind.MARKET), Progress(), SPREAD, pair((0.05, 0.1), (None, 0.05)), RULES)
    assert done.price is not None
    assert (done.price.leg_prices, int(done.quantity)) == ((Decimal("0.1"), Decimal(0)), 10)


def test_the_scarcest_leg_limits_a_combination() -> None:
    legs = (OrderLeg(1, 1, Action.BUY), OrderLeg(2, 3, Action.SELL))
    view = View({1: quote(5.0, 5.1, 9.0), 2: quote(1.0, 1.1, 10.0, con_id=2)}, CENT)
    done = look(order(Action.BUY, OrderKind.MARKET), Progress(), legs, view, RULES)
    assert done.quantity == 3
    assert takes(done, legs, Action.BUY) == {(1, Action.BUY): 3, (2, Action.SELL): 9}


# --- auctions ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("terms", "phase"),
    [
        (order(Action.BUY, OrderKind.MARKET_ON_CLOSE), Phase.CLOSING_AUCTION),
        (order(Action.BUY, OrderKind.LIMIT_ON_CLOSE, limit="10.00"), Phase.CLOSING_AUCTION),
        (order(Action.BUY, OrderKind.MARKET, at_open=True), Phase.OPENING_AUCTION),
        (order(Action.BUY, OrderKind.LIMIT, limit="10.00", at_open=True), Phase.OPENING_AUCTION),
    ],
    ids=["MOC", "LOC", "MOO", "LOO"],
)
def test_auction_orders_fill_in_their_auction_alone_at_its_price(terms: Terms, phase: Phase) -> None:
    quotes = {1: quote(9.90, 9.92, 1.0)}
    for other in Phase:
        done = look(terms, Progress(), ONE, View(quotes, CENT, phase=other, auction_price=Decimal("10.00")), RULES)
        assert fill(done) == (("10.00", "10") if other is phase else None)
        assert not done.cancel_rest


@pytest.mark.parametrize("price", [None, "10.01"])
def test_a_limit_that_the_auction_does_not_meet_is_cancelled(price: str | None) -> None:
    terms = order(Action.BUY, OrderKind.LIMIT_ON_CLOSE, limit="10.00")
    auction = None if price is None else Decimal(price)
    view = View({}, CENT, phase=Phase.CLOSING_AUCTION, auction_price=auction)
    done = look(terms, Progress(), ONE, view, RULES)
    assert (fill(done), done.cancel_rest) == (None, True)


def test_a_combination_in_an_auction_pays_its_natural_price() -> None:
    quotes = pair((8.1, 8.2), (3.3, 3.4)).quotes
    view = View(quotes, CENT, phase=Phase.CLOSING_AUCTION, auction_price=Decimal(1))
    done = look(order(Action.BUY, OrderKind.MARKET_ON_CLOSE), Progress(), SPREAD, view, RULES)
    assert done.price is not None
    assert done.price.leg_prices == (Decimal("8.1"), Decimal("3.4"))


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (OrderKind.LIMIT, {}),
        (OrderKind.STOP, {"limit": "1"}),
        (OrderKind.STOP_LIMIT, {"aux": "1"}),
        (OrderKind.TRAIL, {"trail_stop": "1"}),
        (OrderKind.TRAIL_LIMIT, {"aux": "1"}),
    ],
)
def test_terms_without_a_needed_price_cannot_be_made(kind: OrderKind, given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="is missing"):
        order(Action.BUY, kind, **given)
