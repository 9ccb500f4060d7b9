from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from tests.support.paper_world import SESSIONS, SPX, SPY, HandMarket

from htbot.market.ports import Show
from htbot.paper.feeds.extended import outside_hours

SESSION = SESSIONS.all()[0]
DAY = (SESSION.at(0, 0), SESSION.at(23, 59))


def starts(market: HandMarket, seconds: int, limits: tuple[datetime, datetime] = DAY) -> list[datetime]:
    return [bar.start for bar in outside_hours(market, SPY, seconds, limits, Show.BID)]


@pytest.mark.parametrize("seconds", [5, 60, 1800, 3600])
def test_bars_tile_the_hours_before_and_after_the_session(market: HandMarket, seconds: int) -> None:
    length = timedelta(seconds=seconds)
    found = starts(market, seconds)
    early, late = (
        [start for start in found if start < SESSION.opens],
        [start for start in found if start >= SESSION.closes],
    )
    assert len(early) + len(late) == len(found)
    assert (early[0], late[0]) == (SESSION.at(4, 0), SESSION.closes)
    assert early[-1] < SESSION.opens <= early[-1] + length
    assert late[-1] + length == SESSION.at(20, 0)
    assert {later - start for part in (early, late) for start, later in pairwise(part)} == {length}


def test_bars_start_within_the_limits(market: HandMarket) -> None:
    whole = starts(market, 60)
    for since in (SESSION.at(3, 59), SESSION.at(4, 0), SESSION.at(4, 0) + timedelta(seconds=1), SESSION.at(9, 29)):
        for until in (since, since + timedelta(seconds=60), SESSION.at(16, 1)):
            assert starts(market, 60, (since, until)) == [start for start in whole if since <= start <= until]


def test_an_index_has_no_extended_hours(market: HandMarket) -> None:
    assert outside_hours(market, SPX, 60, DAY, Show.TRADES) == []
