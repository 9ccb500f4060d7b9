from __future__ import annotations

import math
from datetime import timedelta
from decimal import Decimal

import pytest
from tests.support.spreads import AS_OF, LEGS, LONG, SHORT, quote, quotes

from htbot.domain.quotes import Quote
from htbot.portfolio.marks import Tolerance, mark_spread


def test_prices_come_from_the_legs() -> None:
    marks = mark_spread(LEGS, quotes((6.00, 6.20), (1.80, 2.00)), AS_OF)
    assert marks.mid_cost == Decimal("4.20")
    assert marks.natural_cost == Decimal("4.40")  # 6.20 - 1.80
    assert marks.natural_credit == Decimal("4.00")  # 6.00 - 2.00
    assert marks.quote_width == Decimal("0.40")
    assert marks.believable
    assert marks.quoted_at == AS_OF


@pytest.mark.ruling(5)
@pytest.mark.parametrize("bid", [None, 0.0, -1.0])
def test_rulings_5_a_worthless_long_leg_closes_at_nothing(bid: float | None) -> None:
    marks = mark_spread(LEGS, quotes((0.30, 0.40), (bid, 0.05)), AS_OF)
    assert marks.natural_cost == Decimal("0.40")
    assert marks.mid_cost == Decimal("0.325")
    assert marks.believable


def test_a_long_leg_without_any_side_is_unknown() -> None:
    marks = mark_spread(LEGS, quotes((0.30, 0.40), (None, None)), AS_OF)
    assert marks.natural_cost is None
    assert marks.doubt == "SPX 4110 P has no bid"


def test_a_missing_bid_with_a_size_is_no_worthless_wing() -> None:
    odd = {SHORT.con_id: quote(SHORT.con_id, 0.3, 0.4), LONG.con_id: Quote(LONG.con_id, AS_OF, -1.0, 0.05, 7.0, 7.0)}
    assert mark_spread(LEGS, odd, AS_OF).natural_cost is None


@pytest.mark.ruling(5)
def test_rulings_5_a_short_leg_without_ask_is_unknown() -> None:
    marks = mark_spread(LEGS, quotes((6.0, None), (1.8, 2.0)), AS_OF)
    assert marks.natural_cost is None
    assert marks.mid_cost is None
    assert marks.natural_credit == Decimal("4.00")
    assert marks.short_without_ask


@pytest.mark.fault(32)
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, -1.0, 0.0, None])
def test_a_number_that_is_no_price_prices_nothing(bad: float | None) -> None:
    marks = mark_spread(LEGS, quotes((6.0, bad), (1.8, 2.0)), AS_OF)
    assert marks.natural_cost is None
    assert not marks.believable


@pytest.mark.ruling(6)
@pytest.mark.parametrize(("age_s", "believable"), [(5.0, True), (5.1, False)])
def test_rulings_6_freshness_in_market_time(age_s: float, believable: bool) -> None:
    stale = quotes((6.0, 6.2), (1.8, 2.0), AS_OF - timedelta(seconds=age_s))
    assert mark_spread(LEGS, stale, AS_OF).believable is believable


@pytest.mark.ruling(6)
def test_rulings_6_the_age_counts_for_each_leg() -> None:
    mixed = quotes((6.0, 6.2), (1.8, 2.0))
    mixed[LONG.con_id] = quote(LONG.con_id, 1.8, 2.0, AS_OF - timedelta(seconds=9))
    assert mark_spread(LEGS, mixed, AS_OF).doubt == "quote of SPX 4110 P is 9.0 s old, limit 5 s"


@pytest.mark.ruling(6)
@pytest.mark.fault(32)
def test_rulings_6_crossed() -> None:
    marks = mark_spread(LEGS, quotes((6.3, 6.2), (1.8, 2.0)), AS_OF)
    assert marks.doubt == "quote of SPX 4150 P is crossed: bid 6.30 above ask 6.20"


@pytest.mark.ruling(6)
@pytest.mark.parametrize(
    ("short", "long", "believable"),
    [
        ((1.00, 1.40), (0.40, 0.60), True),  # 0.60 wide, mid 0.70
        ((1.00, 1.41), (0.40, 0.60), False),  # 0.61
        ((6.00, 7.00), (1.00, 2.00), True),  # 2.00 wide = 40 % of 5.00
        ((6.00, 7.01), (1.00, 2.00), False),
    ],
)
def test_rulings_6_combined_width(short: tuple[float, float], long: tuple[float, float], believable: bool) -> None:
    assert mark_spread(LEGS, quotes(short, long), AS_OF).believable is believable


def test_the_tolerance_can_be_tightened() -> None:
    marks = mark_spread(
        LEGS, quotes((6.0, 6.2), (1.8, 2.0)), AS_OF, Tolerance(width_usd=Decimal("0.30"), width_fraction=Decimal(0))
    )
    assert marks.doubt == "combined quote is 0.40 wide, limit 0.30"


def test_a_leg_without_quote() -> None:
    marks = mark_spread(LEGS, {SHORT.con_id: quote(SHORT.con_id, 6.0, 6.2)}, AS_OF)
    assert marks.doubt == "no quote for SPX 4110 P"
    assert marks.natural_credit is None


def test_float_noise_ends_on_cents() -> None:
    marks = mark_spread(LEGS, quotes((6.1, 0.1 + 0.2 + 5.9), (1.7999999, 2.0)), AS_OF)
    assert marks.natural_cost == Decimal("4.40")


def test_cost_by_basis() -> None:
    marks = mark_spread(LEGS, quotes((6.0, 6.2), (1.8, 2.0)), AS_OF)
    assert (marks.cost("mid"), marks.cost("natural")) == (Decimal("4.20"), Decimal("4.40"))
    with pytest.raises(ValueError, match="use mid or natural"):
        marks.cost("last")
