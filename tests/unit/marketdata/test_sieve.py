from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.support.spreads import AS_OF

from htbot.domain.quotes import Quote
from htbot.marketdata.sieve import QuoteSieve


def quote(bid: float | None, ask: float | None, seconds: float = 0.0, con_id: int = 11) -> Quote:
    return Quote(con_id, AS_OF + timedelta(seconds=seconds), bid, ask, 10, 10)


GOOD = quote(6.90, 7.00)


@pytest.mark.fault(32)
@pytest.mark.parametrize(("bid", "ask"), [(690.0, 700.0), (0.07, 0.08), (6.90, 700.0), (0.05, 7.00)])
def test_a_jump_is_held_back_and_counted_once(bid: float, ask: float) -> None:
    sieve = QuoteSieve()
    assert sieve.admit(GOOD) == GOOD
    for seconds in (1, 2, 3.9):
        assert sieve.admit(quote(bid, ask, seconds)) == GOOD, "with its own age"
    back = quote(6.95, 7.05, 4)
    assert sieve.admit(back) == back
    assert sieve.rejected == 1


@pytest.mark.fault(32)
def test_what_lasts_is_the_market() -> None:
    sieve = QuoteSieve()
    sieve.admit(GOOD)
    assert sieve.admit(quote(690.0, 700.0, 1)) == GOOD
    lasting = quote(650.0, 660.0, 4)
    assert sieve.admit(lasting) == lasting
    assert sieve.admit(quote(640.0, 650.0, 5)).bid == 640.0
    assert sieve.rejected == 1


def test_one_jump_does_not_vouch_for_another() -> None:
    sieve = QuoteSieve()
    sieve.admit(GOOD)
    sieve.admit(quote(690.0, 700.0, 1))
    assert sieve.admit(quote(0.05, 0.10, 5)) == GOOD
    assert sieve.rejected == 2


def test_a_return_ends_the_doubt() -> None:
    sieve = QuoteSieve()
    sieve.admit(GOOD)
    sieve.admit(quote(690.0, 700.0, 1))
    sieve.admit(quote(6.90, 7.00, 2))
    again = quote(690.0, 700.0, 5)
    assert sieve.admit(again).bid == 6.90
    assert sieve.rejected == 2


@pytest.mark.parametrize(
    "after",
    [
        quote(137.0, 139.0, 1),  # below twenty times
        quote(6.90, 7.00, 61),
        quote(None, 7.00, 1),
        quote(float("nan"), float("inf"), 1),
        quote(0.0, 7.00, 1),
        quote(690.0, 700.0, 60.1),  # nobody has looked for a minute
        quote(690.0, 700.0, 1, con_id=12),
    ],
)
def test_what_is_no_jump_passes(after: Quote) -> None:
    sieve = QuoteSieve()
    sieve.admit(GOOD)
    assert sieve.admit(after) is after
    assert sieve.rejected == 0


def test_cents_are_no_jump_and_the_last_price_is_looked_at_too() -> None:
    sieve = QuoteSieve()
    sieve.admit(quote(0.01, 0.05))
    assert sieve.admit(quote(0.90, 1.00, 1)).ask == 1.00, "less than a dollar"
    index = Quote(1, AS_OF, last=5600.0)
    sieve.admit(index)
    assert sieve.admit(replace(index, last=56.0, as_of=AS_OF + timedelta(seconds=1))) == index
