from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from htbot.domain.errors import CallerMistake, ConfigurationError
from htbot.domain.recorded import BarColumns, RecordedData
from htbot.domain.sessions import SessionTable
from htbot.market.ports import Candle, ContractQuery, Show
from htbot.market.replay import ReplayMarket, ReplayWindow

SPX, SPY, AAPL = 416904, 756733, 265598
FRIDAY, MONDAY = date(2024, 6, 28), date(2024, 7, 1)
OPENS = datetime(2024, 7, 1, 13, 30, tzinfo=UTC)
CLOSES = OPENS + timedelta(minutes=390)
Maker = Callable[..., BarColumns]
Data = Callable[..., RecordedData]


def after(minutes: float) -> datetime:
    return OPENS + timedelta(minutes=minutes)


@pytest.fixture
def bars(make_bars: Maker) -> BarColumns:
    """Two bars of the session before; a row before the open, then three bars, a hole, two bars, a late row."""
    return make_bars(
        {
            OPENS - timedelta(days=3): (540.0, 541.0, 539.0, 540.5),
            OPENS - timedelta(days=3) + timedelta(minutes=5): (540.5, 544.0, 540.0, 543.0),
            after(-5): (1.0, 1.0, 1.0, 1.0),
            after(0): (545.0, 546.0, 544.5, 545.5),
            after(5): (545.5, 548.0, 545.0, 547.0),
            after(10): (547.0, 547.5, 543.0, 544.0),
            after(60): (544.0, 544.5, 542.0, 542.5),
            after(385): (542.5, 543.0, 541.0, 541.5),
            after(390): (2.0, 2.0, 2.0, 2.0),
        }
    )


@pytest.fixture
def market(bars: BarColumns, make_data: Data, calendar: SessionTable) -> ReplayMarket:
    return ReplayMarket(make_data({"SPY": bars}), calendar, ReplayWindow("SPY", MONDAY, MONDAY))


def price(market: ReplayMarket, at: datetime) -> float | None:
    quote = market.quote(SPY, at)
    return quote.last if quote else None


def test_start_end_and_name(market: ReplayMarket) -> None:
    assert (market.start, market.end) == (OPENS, CLOSES)
    assert [session.day for session in market.sessions.all()] == [FRIDAY, MONDAY]
    assert market.world_id.startswith("replay-")
    assert market.world_id.endswith("-20240701")


def test_midnight_is_the_date(bars: BarColumns, make_data: Data, calendar: SessionTable) -> None:
    midnight = datetime(2024, 7, 1, 4, tzinfo=UTC)
    market = ReplayMarket(make_data({"SPY": bars}), calendar, ReplayWindow("SPY", midnight, midnight))
    assert (market.start, market.end) == (OPENS, CLOSES)
    later = ReplayMarket(make_data({"SPY": bars}), calendar, ReplayWindow("SPY", after(20), after(40)))
    assert (later.start, later.end) == (after(20), after(40))


def bar(start: datetime, *values: float) -> Candle:
    """A five-minute bar of trades as a chart shows it: a modelled trade a second where there is volume."""
    passed = values[4] / 2
    return Candle(start, 300, *values, round(sum(values[1:4]) / 3, 6), int(passed))


def test_regular_hours_only(market: ReplayMarket) -> None:
    assert price(market, after(-1)) == 543.0  # the close before, not the row before the open
    assert price(market, CLOSES) == 541.5
    assert price(market, after(400)) == 541.5


def test_extremes_are_hit_at_the_vertices(market: ReplayMarket) -> None:
    times = (300, 400, 500, 599)  # 545.5, low 545.0, high 548.0 of the second bar
    assert [price(market, OPENS + timedelta(seconds=second)) for second in times[:3]] == [545.5, 545.0, 548.0]
    assert price(market, after(10)) == 547.0


def test_a_hole_keeps_the_last_price_and_its_time(market: ReplayMarket) -> None:
    quote = market.quote(SPY, after(40))
    assert quote is not None
    assert (quote.last, quote.as_of) == (544.0, after(15))


def test_bars_of_the_file_are_given_back_exactly(market: ReplayMarket) -> None:
    found = market.candles(SPY, 300, OPENS, CLOSES, Show.TRADES)
    assert found == [
        bar(after(0), 545.0, 546.0, 544.5, 545.5, 600.0),
        bar(after(5), 545.5, 548.0, 545.0, 547.0, 600.0),
        bar(after(10), 547.0, 547.5, 543.0, 544.0, 600.0),
        bar(after(60), 544.0, 544.5, 542.0, 542.5, 600.0),
        bar(after(385), 542.5, 543.0, 541.0, 541.5, 600.0),
    ]


def test_history_of_earlier_sessions(market: ReplayMarket) -> None:
    found = market.candles(SPY, 300, OPENS - timedelta(days=10), OPENS - timedelta(seconds=1), Show.TRADES)
    assert [bar.close for bar in found] == [540.5, 543.0]


def test_the_open_bar_shows_what_was_seen_of_it(market: ReplayMarket) -> None:
    assert market.candles(SPY, 300, after(5), after(7.5), Show.TRADES) == [
        bar(after(5), 545.5, 546.5, 545.0, 546.5, 300.0)
    ]
    closed, begun = market.candles(SPY, 300, after(5), after(10), Show.TRADES)
    assert closed.close == 547.0
    assert begun == bar(after(10), 547.0, 547.0, 547.0, 547.0, 0.0)


def test_longer_bars_count_from_the_open(market: ReplayMarket) -> None:
    found = market.candles(SPY, 1800, OPENS, CLOSES, Show.TRADES)
    assert [(bar.start, bar.open, bar.high, bar.low, bar.close, bar.volume) for bar in found] == [
        (after(0), 545.0, 548.0, 543.0, 544.0, 1800.0),
        (after(60), 544.0, 544.5, 542.0, 542.5, 600.0),
        (after(360), 542.5, 543.0, 541.0, 541.5, 600.0),
    ]


def test_shorter_bars_follow_the_path(market: ReplayMarket) -> None:
    found = market.candles(SPY, 60, after(5), after(9.99), Show.TRADES)
    assert len(found) == 5
    assert max(bar.high for bar in found) == 548.0
    assert min(bar.low for bar in found) == 545.0
    assert [round(bar.open, 9) for bar in found[1:]] == [round(bar.close, 9) for bar in found[:-1]]


def test_events(market: ReplayMarket) -> None:
    seen = [OPENS]
    while (following := market.next_event(seen[-1])) is not None:
        seen.append(following)
    offsets = [(at - OPENS).total_seconds() for at in seen]
    assert offsets[:8] == [0, 30, 60, 90, 100, 120, 150, 180]
    assert offsets[-1] == 390 * 60
    assert {at for at in offsets if at % 30} == {
        start + turn for start in (0, 300, 600, 3600, 23100) for turn in (100, 200)
    }
    assert market.next_event(OPENS - timedelta(days=2)) == OPENS


def test_statistics(market: ReplayMarket) -> None:
    seen = market.statistics(SPY, after(7.5))
    assert (seen.open, seen.high, seen.low, seen.previous_close, seen.volume) == (545.0, 546.5, 544.5, 543.0, 900.0)


def test_a_stock_has_two_sides_around_its_price(market: ReplayMarket) -> None:
    quote = market.quote(SPY, after(0))
    assert quote is not None
    assert (quote.bid, quote.ask, quote.last, quote.modelled) == (544.99, 545.01, 545.0, True)


def test_an_option_expires_into_its_settlement(market: ReplayMarket) -> None:
    [row] = market.details(ContractQuery(symbol="SPY", sec_type="OPT", expiry="20240701", strike=545, right="P"), OPENS)
    con_id = row.contract.con_id
    before, over = market.quote(con_id, after(389)), market.quote(con_id, CLOSES)
    assert before is not None
    assert before.mid == pytest.approx(3.5, abs=0.3)
    assert over is not None
    assert (over.bid, over.ask, over.modelled) == (3.5, 3.5, True)
    assert market.settlement(con_id) == market.settlement(SPY, MONDAY) == Decimal("541.5")
    assert market.greeks(con_id, CLOSES) is None
    with pytest.raises(CallerMistake, match="settlement of SPY: give the option's con_id"):
        market.settlement(SPY)


def test_bars_of_an_option_are_those_of_its_mid(market: ReplayMarket) -> None:
    [row] = market.details(ContractQuery(symbol="SPY", sec_type="OPT", expiry="20240701", strike=545, right="C"), OPENS)
    first, second = market.candles(row.contract.con_id, 300, OPENS, after(7.5), Show.TRADES)
    quote = market.quote(row.contract.con_id, OPENS)
    assert quote is not None
    assert (first.start, first.open) == (OPENS, quote.mid)
    assert second.start == after(5)
    assert first.low <= min(first.open, first.close)
    assert first.high >= max(first.open, first.close)


def test_an_index_settles_to_its_last_print(make_bars: Maker, make_data: Data, calendar: SessionTable) -> None:
    rows = {after(385): (5500.0, 5501.0, 5499.0, 5500.5), after(390): (5500.5, 5500.5, 5499.8, 5499.8)}
    market = ReplayMarket(make_data({"SPX": make_bars(rows)}), calendar, ReplayWindow("SPX", MONDAY))
    quote = market.quote(SPX, CLOSES)
    assert quote is not None
    assert (quote.last, quote.bid, quote.ask) == (5500.5, None, None)
    assert market.settlement(SPX, MONDAY) == Decimal("5499.8")
    assert market.settlement(SPX, FRIDAY) is None


def test_a_half_day_is_short(make_bars: Maker, make_data: Data, calendar: SessionTable) -> None:
    opens = datetime(2024, 7, 3, 13, 30, tzinfo=UTC)
    rows = {opens + timedelta(minutes=minute): (540.0, 541.0, 539.0, 540.0) for minute in range(0, 300, 5)}
    market = ReplayMarket(make_data({"SPY": make_bars(rows)}), calendar, ReplayWindow("SPY", date(2024, 7, 3)))
    assert market.end == opens + timedelta(minutes=210)
    assert len(market.candles(SPY, 300, opens, opens + timedelta(days=1), Show.TRADES)) == 42


def test_the_default_start_is_0945_of_the_last_full_session(
    flat_days: Callable[..., BarColumns], make_data: Data, calendar: SessionTable
) -> None:
    days = [day for day in calendar.all() if date(2024, 6, 24) <= day.day <= date(2024, 7, 3)]
    market = ReplayMarket(make_data({"SPY": flat_days(days, 540.0)}), calendar)
    assert market.start == datetime(2024, 7, 2, 13, 45, tzinfo=UTC)


def test_world_names_follow_data_and_day(bars: BarColumns, make_data: Data, calendar: SessionTable) -> None:
    one = ReplayMarket(make_data({"SPY": bars}), calendar, ReplayWindow("SPY", MONDAY))
    same = ReplayMarket(make_data({"SPY": bars}), calendar, ReplayWindow("SPY", MONDAY, MONDAY))
    other_day = ReplayMarket(make_data({"SPY": bars}), calendar, ReplayWindow("SPY", FRIDAY))
    other_data = ReplayMarket(make_data({"SPY": bars, "QQQ": bars}), calendar, ReplayWindow("SPY", MONDAY))
    assert one.world_id == same.world_id
    assert len({one.world_id, other_day.world_id, other_data.world_id}) == 3


@pytest.mark.parametrize(
    ("window", "text"),
    [
        (ReplayWindow("SPX"), r"^bars\.csv: no symbol SPX; there is SPY$"),
        (
            ReplayWindow("SPY", date(2024, 6, 30)),
            r"^bars\.csv: 2024-06-30 is no session \(weekend or holiday\); the data have SPY from 2024-06-28 to 2024-",
        ),
        (
            ReplayWindow("SPY", date(2024, 7, 4)),
            r"no SPY on 2024-07-04; the data have SPY from 2024-06-28 to 2024-07-01",
        ),
        (ReplayWindow("SPY", date(2024, 7, 2)), r"no SPY on 2024-07-02"),
        (ReplayWindow("SPY", CLOSES), r"start 2024-07-01 20:00 UTC is after the close"),
        (ReplayWindow("SPY", MONDAY, FRIDAY), r"end 2024-06-28 20:00 is not after start 2024-07-01 13:30"),
    ],
)
def test_what_the_data_do_not_have(
    bars: BarColumns, make_data: Data, calendar: SessionTable, window: ReplayWindow, text: str
) -> None:
    with pytest.raises(ConfigurationError, match=text) as caught:
        ReplayMarket(make_data({"SPY": bars}), calendar, window)
    assert "\n" not in str(caught.value)


def test_data_outside_every_session(make_bars: Maker, make_data: Data, calendar: SessionTable) -> None:
    night = make_data({"SPY": make_bars({after(-120): (1.0, 1.0, 1.0, 1.0)})})
    with pytest.raises(ConfigurationError, match="no bar of SPY lies in a regular session"):
        ReplayMarket(night, calendar)
    with pytest.raises(ConfigurationError, match="no prices of an underlying"):
        ReplayMarket(make_data({}), calendar)
