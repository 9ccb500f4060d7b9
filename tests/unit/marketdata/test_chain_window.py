from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from tests.support.broker import listed
from tests.support.record import DAY, NOON, at

from htbot.domain.instruments import Right
from htbot.marketdata.chain_window import MARGIN_STRIKES, WARM_UP, ChainNeed, window
from htbot.marketdata.snapshot import ListedOption

NEED = ChainNeed(strikes_out=7, opens=NOON, closes=at(300))
CHAIN = listed(DAY, range(4000, 4305, 5))
REACH = 7 + MARGIN_STRIKES


def strikes(options: tuple[ListedOption, ...], right: Right) -> list[Decimal]:
    return [option.strike for option in options if option.right is right]


@pytest.mark.parametrize(
    ("minutes", "active"), [(-5.01, False), (-5, True), (0, True), (299.99, True), (300, False), (301, False)]
)
def test_lines_are_taken_from_shortly_before_entries_until_they_end(minutes: float, active: bool) -> None:
    assert timedelta(minutes=5) == WARM_UP
    assert NEED.active(at(minutes)) is active


def test_the_window_reaches_out_of_the_money_and_a_little_back() -> None:
    found = window(CHAIN, 4152.0, NEED)
    assert strikes(found, Right.PUT) == list(map(Decimal, range(4095, 4180, 5)))
    assert strikes(found, Right.CALL) == list(map(Decimal, range(4130, 4215, 5)))


def test_an_option_at_the_spot_counts_as_above_it() -> None:
    found = window(CHAIN, 4150.0, NEED)
    assert strikes(found, Right.PUT)[0] == 4150 - REACH * 5
    assert strikes(found, Right.CALL)[-1] == 4150 + (REACH - 1) * 5


def test_a_spot_that_moves_within_the_margin_finds_its_strikes_there() -> None:
    """Every strike within reach of a spot that has moved less than the margin was streamed before."""
    before = set(window(CHAIN, 4150.0, NEED))
    moved = 4150.0 + 5 * (MARGIN_STRIKES - 1)
    puts = [option for option in CHAIN if option.right is Right.PUT and option.strike < Decimal(str(moved))][-7:]
    assert set(puts) <= before


def test_it_is_ordered_by_strike_and_ends_where_the_listing_ends() -> None:
    found = window(CHAIN, 4010.0, NEED)
    assert list(found) == sorted(found, key=lambda option: (option.strike, option.right))
    assert strikes(found, Right.PUT)[0] == 4000
    assert window([], 4010.0, NEED) == ()


def test_only_listed_strikes_are_taken_whatever_their_steps() -> None:
    uneven = listed(DAY, [4000, 4001, 4100, 4150, 4300])
    assert strikes(window(uneven, 4120.0, NEED), Right.PUT) == [4000, 4001, 4100, 4150, 4300]
