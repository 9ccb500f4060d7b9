from __future__ import annotations

from array import array
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from tests.support.shared_data import shared_file

from htbot.adapters.replay import read_market_data
from htbot.domain.recorded import BarColumns, QuoteColumns, RecordedData, TickColumns, Words
from htbot.domain.sessions import SessionTable
from htbot.market.ports import Candle, Print, Show
from htbot.market.replay import ReplayMarket, ReplayWindow

SPY = 756733
OPENS = datetime(2024, 7, 1, 13, 30, tzinfo=UTC)
DAY = date(2024, 7, 1)


def at(seconds: float) -> datetime:
    return OPENS + timedelta(seconds=seconds)


def tape(*rows: tuple[float, float, float]) -> TickColumns:
    """Trades at seconds after the open: (when, price, size), on one exchange."""
    times = array("q", [round(at(when).timestamp() * 1000) for when, _, _ in rows])
    prices, sizes = (array("d", [row[part] for row in rows]) for part in (1, 2))
    codes = array("H", [0] * len(rows))
    return TickColumns(times, prices, sizes, Words(codes, ("P",)), Words(codes, ("@",)))


TRADES = tape(
    (-3600, 99.0, 10), (0.2, 100.0, 5), (0.2, 101.0, 6), (0.9, 100.5, 7), (1.0, 102.0, 1), (70, 98.0, 2),
    (390 * 60 + 5, 97.0, 3),
)  # fmt: skip


@pytest.fixture
def market(calendar: SessionTable) -> ReplayMarket:
    data = RecordedData(ticks={"SPY": TRADES}, files=("ticks.csv",), crc=7)
    return ReplayMarket(data, calendar, ReplayWindow("SPY"))


def test_a_day_of_trades_begins_with_the_first_and_ends_with_the_last(market: ReplayMarket) -> None:
    assert (market.start, market.end) == (at(-3600), at(390 * 60 + 5))
    assert market.head(SPY) == at(-3600)
    assert market.has_tape(SPY)


def test_every_trade_is_played_once_in_the_order_of_the_tape(market: ReplayMarket) -> None:
    seen: list[Print] = list(market.prints(SPY, at(-4000), market.start))
    now: datetime | None = market.start
    while now is not None:
        following = market.next_event(now)
        if following is not None:
            seen += market.prints(SPY, now, following)
        now = following
    assert [(row.price, row.size) for row in seen] == [
        (99.0, 10), (100.0, 5), (101.0, 6), (100.5, 7), (102.0, 1), (98.0, 2), (97.0, 3),
    ]  # fmt: skip
    assert seen[1] == Print(at(0.2), 100.0, 5.0, "P", "@")


def test_the_price_is_that_of_the_last_trade_and_never_of_the_next(market: ReplayMarket) -> None:
    quotes = [market.quote(SPY, at(seconds)) for seconds in (0, 1, 1.75, 69, 70)]
    assert [quote.last for quote in quotes if quote] == [99.0, 102.0, 102.0, 102.0, 98.0]
    assert quotes[0] is not None
    assert (quotes[0].bid, quotes[0].ask, quotes[0].modelled) == (98.99, 99.01, True)


def test_bars_and_statistics_count_the_trades(market: ReplayMarket) -> None:
    first, second = market.candles(SPY, 60, at(0), at(119), Show.TRADES)
    assert first == Candle(at(0), 60, 100.0, 102.0, 100.0, 102.0, 19.0, round(1911.5 / 19, 6), 4)
    assert (second.start, second.volume) == (at(60), 2.0)
    day = market.statistics(SPY, at(100))
    assert (day.open, day.high, day.low, day.volume) == (99.0, 102.0, 98.0, 31.0)


def test_the_close_is_the_last_trade_of_the_regular_session(market: ReplayMarket) -> None:
    closes = market.settlement(SPY, DAY)
    assert closes is not None
    assert float(closes) == 98.0


def test_bars_of_one_second_trade_at_all_four_prices(
    make_bars: Callable[..., BarColumns], calendar: SessionTable
) -> None:
    columns = make_bars({at(second): (100.0, 103.0, 99.0, 102.0) for second in range(3)})
    seconds = BarColumns(
        1, columns.start_s, columns.open, columns.high, columns.low, columns.close, columns.volume, "bars.csv"
    )
    market = ReplayMarket(RecordedData(bars={"SPY": seconds}), calendar, ReplayWindow("SPY", DAY, DAY))
    prints = market.prints(SPY, at(0), at(1))
    assert [(row.price, row.size) for row in prints] == [(100.0, 150), (99.0, 150), (103.0, 150), (102.0, 150)]
    assert prints[0].at == at(0.25)
    assert len(market.prints(SPY, at(-1), at(5))) == 12
    assert market.next_event(at(0)) == at(1)


def test_daily_bars_are_played_as_a_session(calendar: SessionTable) -> None:
    midnight = int(datetime(2024, 7, 1, 4, tzinfo=UTC).timestamp())
    rows = [array("d", [value, value]) for value in (100.0, 104.0, 99.0, 103.0, 23_400.0)]
    columns = BarColumns(86_400, array("q", [midnight, midnight + 86_400]), *rows)
    market = ReplayMarket(RecordedData(bars={"SPY": columns}), calendar, ReplayWindow("SPY", DAY))
    prices = [market.quote(SPY, at(part * 7800)) for part in range(3)]
    assert [quote.last for quote in prices if quote] == [100.0, 99.0, 104.0]
    [first, second] = market.candles(SPY, 86_400, at(0), at(86_400 + 23_400), Show.TRADES)
    assert (first.start, first.high, second.start) == (at(0), 104.0, at(86_400))


def test_quotes_alone_make_a_price(calendar: SessionTable) -> None:
    starts = array("q", [int(at(second).timestamp()) for second in (0, 0, 2)])
    bid, ask, size = array("d", [9.0, 9.5, 9.75]), array("d", [11.0, 10.5, 10.25]), array("d", [1.0, 2.0, 3.0])
    ticks = QuoteColumns(0, starts, bid, bid, size, ask, ask, size)
    market = ReplayMarket(RecordedData(quotes={"SPY": ticks}), calendar, ReplayWindow("SPY", DAY))
    quote = market.quote(SPY, at(1))
    assert quote is not None
    assert (quote.bid, quote.ask, quote.bid_size, quote.last, quote.modelled) == (9.5, 10.5, 2.0, 10.0, False)
    changes = market.quote_changes(SPY, at(0), at(5))
    assert [(row.bid, row.ask) for row in changes] == [(9.75, 10.25)]
    assert not market.prints(SPY, at(-1), at(5))


def test_the_real_tape_is_whole() -> None:
    data = read_market_data([shared_file("market/spy_trade_ticks_20131007.parquet")])
    ticks = data.ticks["SPY"]
    assert (len(ticks), sum(ticks.size)) == (250_601, 97_062_721)
    assert (ticks.price[0], ticks.exchange[0], ticks.conditions[0]) == (167.41, "P", "20002000")
