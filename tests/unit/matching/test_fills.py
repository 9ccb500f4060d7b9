from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htbot.domain.orders import Action
from htbot.domain.quotes import Quote
from htbot.matching.fills import OrderLeg, is_marketable, leg_side, natural

AT = datetime(2024, 1, 2, 15, tzinfo=UTC)
SHORT, LONG = OrderLeg(1, 1, Action.SELL), OrderLeg(2, 1, Action.BUY)


def quote(con_id: int, bid: float | None, ask: float | None) -> Quote:
    return Quote(con_id, AT, bid, ask, 10.0, 10.0)


def test_a_credit_spread_is_bought_at_a_negative_price() -> None:
    quotes = {1: quote(1, 8.1, 8.2), 2: quote(2, 3.3, 3.4)}
    price = natural((SHORT, LONG), Action.BUY, quotes)
    assert price is not None
    assert price.net == Decimal("-4.7")
    assert price.leg_prices == (Decimal("8.1"), Decimal("3.4"))


def test_selling_it_reverses_the_legs() -> None:
    quotes = {1: quote(1, 8.1, 8.2), 2: quote(2, 3.3, 3.4)}
    price = natural((SHORT, LONG), Action.SELL, quotes)
    assert price is not None
    assert (price.net, price.leg_prices) == (Decimal("-4.9"), (Decimal("8.2"), Decimal("3.3")))
    assert [leg_side(leg, Action.SELL) for leg in (SHORT, LONG)] == [Action.BUY, Action.SELL]


@pytest.mark.parametrize(
    ("short", "long"),
    [((None, 8.2), (3.3, None)), ((8.1, 8.2), (3.3, None)), ((8.3, 8.2), (3.3, 3.4))],
    ids=["nothing to hit", "no ask to lift", "crossed"],
)
def test_no_price_while_a_needed_side_is_missing(
    short: tuple[float | None, float | None], long: tuple[float | None, float | None]
) -> None:
    assert natural((SHORT, LONG), Action.BUY, {1: quote(1, *short), 2: quote(2, *long)}) is None


def test_an_unknown_quote_prices_nothing() -> None:
    assert natural((LONG,), Action.BUY, {2: None}) is None


def test_a_worthless_wing_goes_for_nothing_within_a_combination_only() -> None:
    quotes = {1: quote(1, 0.05, 0.1), 2: quote(2, None, 0.05)}
    closing = natural((SHORT, LONG), Action.SELL, quotes)
    assert closing is not None
    assert (closing.net, closing.leg_prices) == (Decimal("-0.1"), (Decimal("0.1"), Decimal(0)))
    assert natural((LONG,), Action.SELL, quotes) is None


@pytest.mark.parametrize(
    ("action", "limit", "net", "trades"),
    [
        (Action.BUY, "-4.70", "-4.70", True),
        (Action.BUY, "-4.75", "-4.70", False),
        (Action.SELL, "-4.90", "-4.90", True),
        (Action.SELL, "-4.85", "-4.90", False),
        (Action.BUY, None, "100", True),
    ],
)
def test_when_an_order_is_marketable(action: Action, limit: str | None, net: str, trades: bool) -> None:
    assert is_marketable(action, None if limit is None else Decimal(limit), Decimal(net)) is trades


PRICES = st.integers(1, 5000).map(lambda ticks: ticks * 0.05)


@given(st.lists(st.tuples(PRICES, PRICES, st.integers(1, 3), st.sampled_from(Action)), min_size=1, max_size=4))
def test_legs_add_up_and_are_never_better_than_the_touch(rows: list[tuple[float, float, int, Action]]) -> None:
    legs = [OrderLeg(index, ratio, side) for index, (_, _, ratio, side) in enumerate(rows)]
    quotes = {index: quote(index, min(a, b), max(a, b)) for index, (a, b, _, _) in enumerate(rows)}
    for action in Action:
        price = natural(legs, action, quotes)
        assert price is not None
        assert (
            sum(leg.signed_ratio * leg_price for leg, leg_price in zip(legs, price.leg_prices, strict=True))
            == price.net
        )
        for leg, leg_price in zip(legs, price.leg_prices, strict=True):
            touch = quotes[leg.con_id].ask if leg_side(leg, action) is Action.BUY else quotes[leg.con_id].bid
            assert float(leg_price) == pytest.approx(touch, abs=1e-6)
