from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from htbot.execution.bid_bars import BidBar, BidBars

OPENS = datetime(2024, 7, 17, 13, 30, tzinfo=UTC)


def bar(*prices: str) -> BidBar:
    return BidBar(*map(Decimal, prices))


def test_bars_of_bids_close_with_the_first_look_after_them() -> None:
    bars = BidBars()
    for minutes, bid in ((0, "1.0"), (5, "3.0"), (10, "0.5"), (14, "2.0")):
        bars = bars.seen(OPENS + timedelta(minutes=minutes), Decimal(bid), 15)
    assert bars.last is None
    bars = bars.seen(OPENS + timedelta(minutes=15), None, 15)
    assert bars.last == bar("1.0", "3.0", "0.5", "2.0")
    assert bars.made is None
    bars = bars.seen(OPENS + timedelta(minutes=31), Decimal(9), 15)
    assert bars.last == bar("1.0", "3.0", "0.5", "2.0"), "a bar without a bid is none"


def test_the_same_look_twice_is_one() -> None:
    once = BidBars().seen(OPENS, Decimal(1), 5)
    assert once.seen(OPENS, Decimal(1), 5) == once
