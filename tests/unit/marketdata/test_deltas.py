from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from math import sqrt

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from htbot.domain.errors import Refused
from htbot.domain.instruments import Right
from htbot.domain.quotes import Quote
from htbot.domain.signals import Direction
from htbot.domain.verticals import DeltaVertical
from htbot.marketdata.deltas import choose_by_delta, delta_of
from htbot.marketdata.snapshot import ListedOption
from htbot.pricing.black import price, sensitivities

DAY = date(2024, 7, 3)
NOW = datetime(2024, 7, 3, 14, tzinfo=UTC)
SPOT = 5502.0
WANTED = DeltaVertical(Direction.BULL, DAY, 0.30, 0.15, 0.08, Decimal(200), 1)


def option(strike: int, right: Right = Right.PUT) -> ListedOption:
    return ListedOption(strike * 10 + (right is Right.CALL), DAY, Decimal(strike), right, "SPXW")


def chain(right: Right = Right.PUT) -> list[ListedOption]:
    return [option(strike, right) for strike in range(5400, 5605, 5)]


def quotes(options: Iterable[ListedOption], deviation: float = 0.006, half: float = 0.05) -> dict[int, Quote]:
    """Each at its value for one standard deviation of the logarithm until expiry."""
    found = {}
    for one in options:
        value = price(one.right, SPOT, float(one.strike), deviation)
        found[one.con_id] = Quote(one.con_id, NOW, max(value - half, 0.01), value + half, 5, 5)
    return found


@pytest.mark.parametrize("right", list(Right))
def test_a_delta_is_that_of_the_volatility_in_the_price(right: Right) -> None:
    for strike in (5450, 5495, 5510, 5550):
        one = option(strike, right)
        volatility, years = 0.15, (0.008 / 0.15) ** 2
        value = price(right, SPOT, strike, volatility * sqrt(years))
        expected = abs(sensitivities(right, SPOT, strike, volatility, years).delta)
        assert delta_of(one, Quote(one.con_id, NOW, value, value, 1, 1), SPOT) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    "quote",
    [
        None,
        Quote(1, NOW, None, 3.0, 0, 5),
        Quote(1, NOW, 3.0, None, 5, 0),
        Quote(1, NOW, 3.2, 3.0, 5, 5),
        Quote(1, NOW, 0.0, 3.0, 5, 5),
        Quote(1, NOW, 6000.0, 6001.0, 5, 5),
    ],
)
def test_without_a_price_there_is_no_delta(quote: Quote | None) -> None:
    assert delta_of(option(5490), quote, SPOT) is None


@pytest.mark.parametrize("direction", list(Direction))
def test_the_nearest_deltas_are_taken(direction: Direction) -> None:
    wanted = replace(WANTED, direction=direction)
    options = chain(wanted.right)
    found = choose_by_delta(options, quotes(options), wanted, SPOT)
    every = {one.strike: delta_of(one, quotes([one])[one.con_id], SPOT) or 9.0 for one in options}
    out = {strike: delta for strike, delta in every.items() if (strike > SPOT) == (direction is Direction.BEAR)}
    assert found.short.strike == min(out, key=lambda strike: abs(out[strike] - 0.30))
    assert found.long.strike == min(out, key=lambda strike: abs(out[strike] - 0.15))


def test_both_legs_are_never_one_option() -> None:
    """One strike is the nearest to both deltas: the bought one is the next further out, or there is no spread."""
    options = [option(5485), option(5480)]
    wanted = replace(WANTED, short_delta=0.31, long_delta=0.30, tolerance=0.2)
    found = choose_by_delta(options, quotes(options), wanted, SPOT)
    assert (found.short.strike, found.long.strike) == (5485, 5480)
    with pytest.raises(Refused, match="of 0 quoted puts"):
        choose_by_delta(options[:1], quotes(options), wanted, SPOT)


def test_a_chain_that_ends_before_the_delta_is_refused() -> None:
    options = [option(strike) for strike in (5500, 5495, 5490)]
    with pytest.raises(Refused) as caught:
        choose_by_delta(options, quotes(options), WANTED, SPOT)
    assert caught.value.rule == "delta"
    assert caught.value.limit == "0.15 within 0.08"


def test_options_without_quotes_are_passed_over() -> None:
    options = chain()
    told = quotes(options)
    first = choose_by_delta(options, told, WANTED, SPOT)
    del told[first.short.con_id]
    assert choose_by_delta(options, told, WANTED, SPOT).short.strike != first.short.strike
    with pytest.raises(Refused, match="has none"):
        choose_by_delta(options, {}, WANTED, SPOT)


@given(
    deviation=st.floats(0.002, 0.03),
    short=st.floats(0.05, 0.49),
    gap=st.floats(0.001, 0.4),
    holes=st.sets(st.integers(0, 40), max_size=30),
    direction=st.sampled_from(list(Direction)),
)
def test_the_order_of_the_strikes_always_holds(
    deviation: float, short: float, gap: float, holes: set[int], direction: Direction
) -> None:
    wanted = replace(WANTED, direction=direction, short_delta=short, long_delta=max(short - gap, 0.001), tolerance=0.5)
    options = [one for number, one in enumerate(chain(wanted.right)) if number not in holes]
    try:
        found = choose_by_delta(options, quotes(options, deviation), wanted, SPOT)
    except Refused:
        reject()
    strikes = (Decimal(str(SPOT)), found.short.strike, found.long.strike)
    assert strikes == tuple(sorted(set(strikes), reverse=direction is Direction.BULL))
