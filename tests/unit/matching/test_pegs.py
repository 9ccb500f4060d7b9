"""Pegged orders: where they work, and when they are met."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from htbot.domain.orders import Action
from htbot.domain.quotes import Quote
from htbot.matching.fills import OrderLeg
from htbot.matching.look import look
from htbot.matching.terms import OrderKind, Outcome, Progress, Terms
from htbot.matching.view import FillRules, Tape, View

AT = datetime(2024, 1, 2, 15, tzinfo=UTC)
CENT = ((Decimal(0), Decimal("0.01")),)
ONE = (OrderLeg(1, 1, Action.BUY),)
BUY, SELL = Action.BUY, Action.SELL


def at(bid: float | None, ask: float | None, tape: Tape | None = None) -> View:
    return View({1: Quote(1, AT, bid, ask, 100.0, 100.0)}, CENT, tape)


def run(action: Action, kind: OrderKind, *views: View, **terms: str) -> list[Outcome]:
    given: dict[str, Any] = {name: Decimal(value) for name, value in terms.items()}
    progress, outcomes = Progress(), []
    for view in views:
        outcomes.append(look(Terms(action, kind, Decimal(10), **given), progress, ONE, view, FillRules()))
        progress = outcomes[-1].progress
    return outcomes


@pytest.mark.parametrize(
    ("action", "kind", "terms", "limit"),
    [
        (BUY, OrderKind.RELATIVE, {"aux": "0.02"}, "10.02"),
        (SELL, OrderKind.RELATIVE, {"aux": "0.02"}, "10.09"),
        (BUY, OrderKind.RELATIVE, {"offset_fraction": "0.0025"}, "10.02"),
        (BUY, OrderKind.RELATIVE, {}, "10.00"),
        (BUY, OrderKind.RELATIVE, {"aux": "0.02", "limit": "10.01"}, "10.01"),
        (BUY, OrderKind.MIDPRICE, {}, "10.05"),
        (SELL, OrderKind.MIDPRICE, {}, "10.06"),
        (BUY, OrderKind.MIDPRICE, {"limit": "10.03"}, "10.03"),
        (SELL, OrderKind.MIDPRICE, {"limit": "10.08"}, "10.08"),
        (BUY, OrderKind.PEG_MIDPOINT, {"aux": "0.01"}, "10.04"),
        (SELL, OrderKind.PEG_MIDPOINT, {"aux": "0.01"}, "10.07"),
    ],
)
def test_where_a_peg_works(action: Action, kind: OrderKind, terms: dict[str, str], limit: str) -> None:
    done = run(action, kind, at(10.00, 10.11), **terms)[0]
    assert done.progress.working_limit == Decimal(limit)
    assert (done.price, done.progress.resting) == (None, True)


def test_a_peg_follows_the_quote_and_is_met_by_trades_through_its_price() -> None:
    views = [at(10.00, 10.10), at(10.10, 10.20), at(10.10, 10.20, Tape(Decimal("10.14"), Decimal("10.20")))]
    outcomes = run(BUY, OrderKind.MIDPRICE, *views)
    assert [outcome.progress.working_limit for outcome in outcomes] == [Decimal("10.05"), *[Decimal("10.15")] * 2]
    assert outcomes[1].price is None
    assert outcomes[2].price is not None
    assert outcomes[2].price.net == Decimal("10.15")
    assert outcomes[2].added_liquidity


def test_a_peg_is_met_at_its_old_price_when_the_market_falls_through_it() -> None:
    done = run(BUY, OrderKind.MIDPRICE, at(10.00, 10.10), at(9.90, 10.00))[1]
    assert done.price is not None
    assert done.price.net == Decimal("10.05")


def test_a_peg_whose_offset_crosses_takes_the_touch() -> None:
    done = run(SELL, OrderKind.RELATIVE, at(10.00, 10.01), aux="0.05")[0]
    assert done.price is not None
    assert (done.price.net, done.added_liquidity) == (Decimal("10.00"), False)


def test_a_peg_that_moves_to_the_touch_takes_it() -> None:
    outcomes = run(BUY, OrderKind.RELATIVE, at(10.00, 10.10), at(10.05, 10.10), aux="0.05")
    assert [outcome.quantity for outcome in outcomes] == [0, 10]


def test_a_peg_without_a_market_waits_where_it_stood() -> None:
    outcomes = run(BUY, OrderKind.RELATIVE, at(None, 10.0), at(9.9, 10.0), at(None, 10.0))
    assert [outcome.progress.working_limit for outcome in outcomes] == [None, Decimal("9.9"), Decimal("9.9")]
    assert all(outcome.price is None for outcome in outcomes)


def test_market_to_limit_leaves_its_rest_at_the_price_of_its_first_fill() -> None:
    views = [
        View({1: Quote(1, AT, 9.98, 10.02, 4.0, 4.0)}, CENT),
        at(9.98, 10.03),
        at(9.98, 10.01),
    ]
    outcomes = run(BUY, OrderKind.MARKET_TO_LIMIT, *views)
    assert [str(outcome.quantity) for outcome in outcomes] == ["4", "0", "6"]
    assert outcomes[2].price is not None
    assert outcomes[2].price.net == Decimal("10.02")
