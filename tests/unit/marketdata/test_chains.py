from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htbot.domain.errors import Refused
from htbot.domain.instruments import Right
from htbot.domain.signals import Direction
from htbot.domain.verticals import VerticalRequest
from htbot.marketdata.chains import choose_vertical, out_of_the_money
from htbot.marketdata.snapshot import ListedOption

DAY = date(2022, 8, 26)
GRID = range(4800, 5205, 5)
BULL = VerticalRequest(Direction.BULL, DAY, 1, 9, Decimal(40), Decimal(150), 1)
BEAR = replace(BULL, direction=Direction.BEAR)


def listed(strikes: Iterable[int], expiry: date = DAY) -> list[ListedOption]:
    return [
        ListedOption(int(strike) * 10 + offset, expiry, Decimal(strike), right, "SPXW")
        for strike in strikes
        for offset, right in ((1, Right.CALL), (2, Right.PUT))
    ]


def strikes_of(options: Sequence[ListedOption], request: VerticalRequest, spot: float) -> tuple[int, int]:
    vertical = choose_vertical(options, request, spot)
    assert {vertical.short.right, vertical.long.right} == {request.right}
    return int(vertical.short.strike), int(vertical.long.strike)


def test_puts_below_and_calls_above_the_spot() -> None:
    """Spec 01 section 14: spot 5003 on a grid of 5 sells 4995 and buys 4955."""
    assert strikes_of(listed(GRID), BULL, 5003) == (4995, 4955)
    assert strikes_of(listed(GRID), BEAR, 5003) == (5010, 5050)


def test_a_strike_at_the_spot_is_not_out_of_the_money() -> None:
    assert strikes_of(listed(GRID), BULL, 5000) == (4990, 4950)
    assert strikes_of(listed(GRID), BEAR, 5000) == (5010, 5050)


def test_the_range_is_strict() -> None:
    found = out_of_the_money(listed(GRID), BULL, Decimal(5000))
    assert [int(option.strike) for option in (found[0], found[-1])] == [4995, 4855]


def test_another_expiry_is_never_taken() -> None:
    """Spec 01 section 6: never rolled to tomorrow."""
    with pytest.raises(Refused) as caught:
        choose_vertical(listed(GRID, date(2022, 8, 29)), BULL, 5003)
    assert caught.value.rule == "chain"
    assert "0 puts expiring 2022-08-26 are listed within 150 of 5003, 10 needed" in caught.value.reason


def test_too_few_strikes_are_refused() -> None:
    with pytest.raises(Refused, match="9 puts"):
        choose_vertical(listed(range(4955, 5100, 5)), BULL, 5000)


@pytest.mark.parametrize("missing", [4995, 4980, 4955])
def test_a_gap_that_shifts_the_width_is_refused(missing: int) -> None:
    strikes = [strike for strike in GRID if strike != missing]
    if missing == 4995:  # both legs move: the width stands, the place decides
        assert strikes_of(listed(strikes), BULL, 5003) == (4990, 4950)
        return
    with pytest.raises(Refused) as caught:
        choose_vertical(listed(strikes), BULL, 5003)
    assert (caught.value.rule, caught.value.limit, caught.value.value) == ("width", "40", "45")


def test_a_finer_grid_is_refused() -> None:
    """At money strikes of 1 point the tenth strike is 8 points away, not 40."""
    with pytest.raises(Refused, match="8 apart, 40 wanted"):
        choose_vertical(listed(range(4900, 5100)), BULL, 5000.5)


@given(st.permutations(listed(range(4900, 5100, 5))), st.floats(4960, 5040))
def test_the_order_of_the_listing_does_not_matter(options: list[ListedOption], spot: float) -> None:
    for request in (BULL, BEAR):
        straight = choose_vertical(listed(range(4900, 5100, 5)), request, spot)
        assert choose_vertical(options, request, spot) == straight


@given(st.sets(st.integers(960, 1040).map(lambda number: number * 5)), st.floats(4850, 5150))
def test_what_is_chosen_is_as_asked_or_refused(strikes: set[int], spot: float) -> None:
    for request in (BULL, BEAR):
        try:
            vertical = choose_vertical(listed(strikes), request, spot)
        except Refused:
            continue
        side = -1 if request.right is Right.PUT else 1
        short, long = (side * (float(leg.strike) - spot) for leg in (vertical.short, vertical.long))
        assert 0 < short < long < 150
        assert long - short == pytest.approx(40)
