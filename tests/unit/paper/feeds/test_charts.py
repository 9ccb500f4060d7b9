from __future__ import annotations

import pytest
from tests.support.paper_desk import PaperDesk, of_kind
from tests.support.paper_world import SESSIONS, SPY, HandMarket
from tests.support.tws_client import RawClient, contract12

from htbot.market.ports import Candle, Print
from htbot.paper.feeds.charts import merged
from htbot.paper.feeds.durations import BarSize


def bars(
    client: RawClient, size: str, duration: str, show: str = "TRADES", end: str = "", rth: int = 1
) -> list[list[str]]:
    request = [20, 9, *contract12(SPY, exchange="SMART"), 0, end, size, duration, rth, show, 1, 0, ""]
    [message] = of_kind(client.ask(*request), 17)
    return [message[index : index + 8] for index in range(5, len(message), 8)]


@pytest.fixture
def late(desk: PaperDesk) -> RawClient:
    desk.gateway.play(SESSIONS.all()[1].at(12, 15))
    return desk.client()


@pytest.mark.parametrize(
    ("size", "first", "second"),
    [
        ("1 hour", "09:30:00", "10:00:00"),
        ("2 hours", "09:30:00", "10:00:00"),
        ("4 hours", "09:30:00", "12:00:00"),
        ("30 mins", "09:30:00", "10:00:00"),
        ("20 mins", "09:30:00", "09:50:00"),
        ("15 secs", "09:30:00", "09:30:15"),
    ],
)
def test_bars_of_every_length_begin_where_ibs_do(late: RawClient, size: str, first: str, second: str) -> None:
    rows = bars(late, size, "1 D")
    assert [row[0].split()[1] for row in rows[:2]] == [first, second]


def test_a_range_that_ended_has_as_many_bars_as_fit(late: RawClient) -> None:
    rows = bars(late, "1 secs", "30 S", end="20240103-15:00:00")
    assert len(rows) == 30
    assert (rows[0][0], rows[-1][0]) == ("20240103 09:59:30 US/Eastern", "20240103 09:59:59 US/Eastern")


def test_a_range_shorter_than_its_bars_shows_the_bar_it_lies_in(late: RawClient) -> None:
    assert [row[0].split()[1] for row in bars(late, "1 hour", "60 S")] == ["12:00:00"]
    assert [row[0] for row in bars(late, "1 day", "60 S")] == ["20240103"]


def test_days_weeks_and_months_are_dated_by_their_last_session(late: RawClient) -> None:
    assert [row[0] for row in bars(late, "1 day", "5 D")] == ["20240102", "20240103"]
    assert [row[0] for row in bars(late, "1 week", "1 M")] == ["20240103"]
    [month] = bars(late, "1 month", "1 Y")
    assert (month[0], month[5]) == ("20240103", str(23_400 + 9_900))


def test_both_sides_are_average_bid_highest_ask_lowest_bid_and_average_ask(late: RawClient) -> None:
    bid, ask = (bars(late, "5 mins", "300 S", show)[0] for show in ("BID", "ASK"))
    both = bars(late, "5 mins", "300 S", "BID_ASK")[0]
    assert (both[2], both[3]) == (ask[2], bid[3])
    assert float(bid[3]) < float(both[1]) < float(bid[2])
    assert float(ask[3]) < float(both[4]) < float(ask[2])
    assert both[5:] == ["-1", "-1", "-1"]


def test_a_volatility_is_told_for_each_session(late: RawClient) -> None:
    [_, today] = bars(late, "1 day", "2 D", "OPTION_IMPLIED_VOLATILITY")
    assert today[0] == "20240103"
    assert today[5:] == ["-1", "-1", "-1"]


def test_all_hours_have_standing_bars_outside_the_session(late: RawClient) -> None:
    rows = bars(late, "30 mins", "1 D", rth=0)
    assert rows[0] == ["20240103 04:00:00 US/Eastern", "470", "470", "470", "470", "0", "470", "0"]
    assert [row[0].split()[1] for row in rows[10:12]] == ["09:00:00", "09:30:00"]
    hours = bars(late, "1 hour", "1 D", rth=0)
    assert [row[0].split()[1] for row in hours[4:7]] == ["08:00:00", "09:00:00", "10:00:00"]
    assert [row[0].split()[1] for row in bars(late, "30 mins", "1 D", "BID", rth=0)[:1]] == ["04:00:00"]


def test_recorded_trades_outside_the_session_make_bars(late: RawClient, market: HandMarket) -> None:
    early = SESSIONS.all()[1].at(5, 0)
    market.tape[SPY] = [Print(early, 469.0, 10.0), Print(early, 471.0, 30.0)]
    rows = bars(late, "30 mins", "1 D", rth=0)
    assert rows[0] == ["20240103 05:00:00 US/Eastern", "469", "471", "469", "471", "40", "470.5", "2"]
    assert rows[1][0] == "20240103 09:30:00 US/Eastern"


def test_joined_bars_weigh_their_averages() -> None:
    start = SESSIONS.all()[0].at(10, 0)
    pieces = [
        Candle(start, 1800, 1, 4, 1, 2, 10, 2.0, 3),
        Candle(SESSIONS.all()[0].at(10, 30), 1800, 2, 9, 2, 5, 30, 6.0, 4),
    ]
    assert merged(pieces, BarSize(3600)) == [Candle(start, 3600, 1, 9, 1, 5, 40, 5.0, 7)]
