from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.support.shared_data import shared_file

from htbot.adapters.replay import parse_bar_length, read_market_data
from htbot.domain.errors import ConfigurationError
from htbot.domain.instruments import Right
from htbot.domain.recorded import OptionSeries

HEAD = "symbol,ts,open,high,low,close,volume"
OPENS = datetime(2024, 7, 1, 13, 30, tzinfo=UTC)
Write = Callable[..., Path]


def line(minute: int, values: str = "545,546,544,545.5,100", symbol: str = "SPY") -> str:
    return f"{symbol},{(OPENS + timedelta(minutes=minute)).isoformat()},{values}"


def lines(minutes: Iterable[int], symbol: str = "SPY") -> list[str]:
    return [line(minute, symbol=symbol) for minute in minutes]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def make(rows: list[str], head: str = HEAD, name: str = "bars.csv") -> Path:
        path = tmp_path / name
        path.write_text("\n".join([head, *rows]) + "\n")
        return path

    return make


def test_bars_from_csv(write: Write) -> None:
    data = read_market_data([write([*lines([0, 5, 10]), line(15, "1,3,0.5,2,7")])])
    bars = data.bars["SPY"]
    assert (bars.seconds, len(bars)) == (300, 4)
    assert bars.start_s[0] == int(OPENS.timestamp())
    last = (bars.open[3], bars.high[3], bars.low[3], bars.close[3], bars.volume[3])
    assert last == (1.0, 3.0, 0.5, 2.0, 7.0)


def test_parquet_and_csv_of_the_same_rows_are_the_same_world(write: Write, tmp_path: Path) -> None:
    as_csv = write(lines(range(0, 50, 5)))
    starts = [OPENS + timedelta(minutes=minute) for minute in range(0, 50, 5)]
    columns = {"open": 545.0, "high": 546.0, "low": 544.0, "close": 545.5, "volume": 100}
    table = pa.table(
        {
            "symbol": pa.array(["SPY"] * 10).dictionary_encode(),
            "ts": pa.array(starts, pa.timestamp("us", "UTC")),
            **{name: [value] * 10 for name, value in columns.items()},
        }
    )
    as_parquet = tmp_path / "bars.parquet"
    pq.write_table(table, as_parquet)
    one, other = read_market_data([as_csv]), read_market_data([str(as_parquet)])
    assert one.bars["SPY"].start_s == other.bars["SPY"].start_s
    assert one.crc == other.crc


def test_a_changed_number_is_another_world(write: Write) -> None:
    one = read_market_data([write(lines([0, 5, 10]))])
    other = read_market_data([write([*lines([0, 5]), line(10, "545,546.01,544,545.5,100")])])
    assert one.crc != other.crc


def test_times_of_any_zone_and_of_none_are_utc(write: Write) -> None:
    rows = [
        "SPY,2024-07-01T09:30:00-04:00,1,1,1,1,0",
        "SPY,2024-07-01 13:35:00,1,1,1,1,0",
        "SPY,2024-07-01T13:40:00Z,1,1,1,1,0",
    ]
    starts = read_market_data([write(rows)]).bars["SPY"].start_s
    assert [start - int(OPENS.timestamp()) for start in starts] == [0, 300, 600]


@pytest.mark.parametrize(
    ("rows", "rule"),
    [
        ([line(0), line(5, "545,nan,544,545,1")], r"row 2 \(SPY\): high nan is missing or not a number"),
        ([line(0), line(5, "545,,544,545,1")], r"row 2 \(SPY\): high nan is missing or not a number"),
        ([line(0), line(5, "545,inf,544,545,1")], r"row 2 \(SPY\): high inf is infinite"),
        ([line(0, "545,546,-544,545,1")], r"row 1 \(SPY\): low -544 is negative"),
        ([line(0, "545,546,0,545,1")], r"row 1 \(SPY\): low 0 is zero"),
        ([line(0), line(5, "545,544,546,545,1")], r"row 2 \(SPY\): high 544 is below the low"),
        ([line(0), line(5, "547,546,544,545,1")], r"row 2 \(SPY\): open 547 is outside low and high"),
        ([line(0), line(5, "545,546,544,543,1")], r"row 2 \(SPY\): close 543 is outside low and high"),
        ([line(0), line(5, "545,546,544,545,-1")], r"row 2 \(SPY\): volume -1 is negative"),
        ([line(0), line(5, "545,546,544,545,nan")], r"row 2 \(SPY\): volume nan is missing"),
        ([*lines([0, 5, 10]), line(5)], r"row 4 \(SPY\): duplicate row for 2024-07-01 13:35 UTC"),
        ([*lines([0, 10]), line(5)], r"row 3 \(SPY\): not sorted: 2024-07-01 13:35 UTC comes after a later row"),
        ([*lines([0, 5]), *lines([0, 5, 0], "QQQ")], r"row 5 \(QQQ\): duplicate row for 2024-07-01 13:30 UTC"),
        ([line(0), line(5, symbol="sp y")], r"row 2: symbol 'sp y' is no symbol"),
        ([line(0), line(5, symbol="")], r"row 2: symbol '' is no symbol"),
        ([line(0), "SPY,yesterday,1,1,1,1,1"], r"row 2: ts 'yesterday' is no ISO time"),
        ([line(0), "SPY,,1,1,1,1,1"], r"row 2: ts (None|'') is no ISO time"),
        ([line(0), "SPY,2024-07-01T13:35:30.5Z,1,1,1,1,1"], r"row 2: ts .* is not on a whole second"),
        (
            [*lines([0, 5, 10, 15]), *lines([16, 20])],
            r"row 5 \(SPY\): mixed bar length: 1 minute after .* in bars of 5 minutes",
        ),
        (
            lines([*range(30), *range(30, 120, 5)]),
            r"row 43 \(SPY\): mixed bar length: 12 bars of 5 minutes in a file of 1 minute",
        ),
        ([*lines(range(0, 300, 5)), *lines(range(30), "QQQ")], r"row 62 \(QQQ\): mixed bar length: 1 minute after"),
        (lines([0]), "no two bars lie in one session"),
        ([line(2 * 1440 * day) for day in range(4)], "bars of 2 days; 1 second to 390 minutes and 1 day can be played"),
        ([], "the file has no rows"),
    ],
)
def test_bad_rows_are_named(write: Write, rows: list[str], rule: str) -> None:
    path = write(rows)
    with pytest.raises(ConfigurationError, match=rule) as caught:
        read_market_data([path])
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read(write: Write, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nothing\.parquet: no such file"):
        read_market_data([tmp_path / "nothing.parquet"])
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"PAR1 nonsense")
    with pytest.raises(ConfigurationError, match=r"broken\.parquet: not readable as Parquet or CSV") as caught:
        read_market_data([broken])
    assert "\n" not in str(caught.value)
    with pytest.raises(ConfigurationError, match=r"missing columns volume \(underlying bars need"):
        read_market_data([write(["SPY,2024-07-01T13:30:00Z,1,1,1,1"], "symbol,ts,open,high,low,close")])
    with pytest.raises(ConfigurationError, match=r"row 1: open 'a' is no number"):
        read_market_data([write([line(0, "a,b,c,d,e")])])
    with pytest.raises(ConfigurationError, match="no data file given"):
        read_market_data([])


def test_holes_are_not_another_bar_length(write: Write) -> None:
    minutes = [minute for minute in range(390) if minute % 7 and not 100 <= minute < 180]
    assert read_market_data([write(lines(minutes))]).bars["SPY"].seconds == 60


def test_the_length_can_be_given(write: Write) -> None:
    path = write(lines([0, 30, 60]))
    assert read_market_data([path]).bars["SPY"].seconds == 1800
    assert read_market_data([path], bar=1800).bars["SPY"].seconds == 1800
    with pytest.raises(ConfigurationError, match="30 minutes after the row before, in bars of 60 minutes"):
        read_market_data([path], bar="1h")
    with pytest.raises(ConfigurationError, match="no two bars are 15 minutes apart, most are 30 minutes"):
        read_market_data([path], bar="15m")
    assert read_market_data([write(lines([0, 30, 60, 75, 105, 135]))], bar="15m").bars["SPY"].seconds == 900
    assert read_market_data([write([line(0), line(1440)])], bar="390m").bars["SPY"].seconds == 23_400


@pytest.mark.parametrize(
    ("text", "seconds"), [("1s", 1), ("1m", 60), ("5M", 300), (" 1h", 3600), ("390m", 23_400), ("1d", 86_400)]
)
def test_lengths(text: str, seconds: int) -> None:
    assert parse_bar_length(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "0m", "1w", "m", "-5m", "1.5m"])
def test_lengths_that_are_none(text: str) -> None:
    with pytest.raises(ConfigurationError, match="give seconds, minutes, hours"):
        parse_bar_length(text)


def test_several_files_are_told_apart_by_their_columns(write: Write) -> None:
    head = "symbol,expiry,right,strike,ts," + ",".join(
        f"{side}_{part}" for side in ("bid", "ask") for part in ("open", "high", "low", "close", "size")
    )
    quotes = [
        f"SPXW,2024-07-01,{right},5500,{(OPENS + timedelta(minutes=minute)).isoformat()},,,,,0,0.3,0.4,0.2,0.35,8"
        for right in ("C", "P")
        for minute in (0, 1, 17)
    ]
    bars = write(lines([0, 1, 2], "SPX"), name="one.csv")
    options = write(quotes, head, "two.csv")
    data = read_market_data([bars, options])
    assert set(data.bars) == {"SPX"}
    series = OptionSeries("SPXW", date(2024, 7, 1), Decimal(5500), Right.PUT)
    assert set(data.option_quotes) == {series, OptionSeries("SPXW", date(2024, 7, 1), Decimal(5500), Right.CALL)}
    columns = data.option_quotes[series]
    assert columns.bid_open[0] != columns.bid_open[0]  # no bid
    assert (columns.seconds, columns.ask_open[0], columns.ask_close[0], columns.ask_size[0]) == (60, 0.3, 0.35, 8.0)


def test_quotes_may_be_crossed_but_not_negative(write: Write) -> None:
    head = "symbol,ts," + ",".join(
        f"{side}_{part}" for side in ("bid", "ask") for part in ("open", "high", "low", "close", "size")
    )
    crossed = "2,2,2,2,1,1,1,1,1,1"
    data = read_market_data([write([line(0, crossed), line(1, crossed)], head)])
    assert data.quotes["SPY"].bid_open == array("d", [2.0, 2.0])
    with pytest.raises(ConfigurationError, match=r"row 2 \(SPY\): bid_low -2 is negative"):
        read_market_data([write([line(0, crossed), line(1, "2,2,-2,2,1,1,1,1,1,1")], head)])


def test_a_symbol_goes_on_in_another_file(write: Write) -> None:
    first = write(lines([0, 5, 10]), name="first.csv")
    second = write(lines([1440, 1445]), name="second.csv")
    joined = read_market_data([second, first]).bars["SPY"]
    assert [(start - joined.start_s[0]) // 60 for start in joined.start_s] == [0, 5, 10, 1440, 1445]
    with pytest.raises(
        ConfigurationError, match=r"again\.csv: row 1 \(SPY\): bars of the same days are in .*first\.csv"
    ):
        read_market_data([first, write(lines([5, 10]), name="again.csv")])
    with pytest.raises(ConfigurationError, match=r"mixed bar length: 60 seconds here, 300 in .*first\.csv"):
        read_market_data([first, write(lines([1440, 1441]), name="minutes.csv")])


@pytest.mark.parametrize(
    ("name", "symbols", "minutes"),
    [
        ("spx_1m", {"SPX"}, 1),
        ("us_equities_5m_2022", {"SPY", "QQQ", "AAPL", "MSFT", "NVDA", "TSLA"}, 5),
        ("spy_qqq_1m_201902", {"SPY", "QQQ", "AAPL", "MSFT", "TSLA", "GLD"}, 1),
        ("spy_qqq_1m_202505", {"SPY", "QQQ", "AAPL", "NVDA"}, 1),
        ("equity_trades_1m", {"SPY", "AAPL", "AIG", "BAC", "FOXA", "GOOG", "IBM", "NWSA", "SHY", "TWX"}, 1),
    ],
)
def test_real_bars_pass(name: str, symbols: set[str], minutes: int) -> None:
    data = read_market_data([shared_file(f"market/{name}.parquet")])
    assert set(data.bars) == symbols
    assert {columns.seconds for columns in data.bars.values()} == {60 * minutes}


def test_real_quotes_pass() -> None:
    options = read_market_data([shared_file("market/option_spx_spxw_quote_1m.parquet")]).option_quotes
    assert {(series.trading_class, series.expiry) for series in options} >= {("SPXW", date(2021, 1, 4))}
    stocks = read_market_data([shared_file("market/equity_quotes_1m.parquet")]).quotes
    assert len(stocks) == 10
    trades = read_market_data([shared_file("market/option_spx_spxw_trade_1m.parquet")]).option_trades
    assert sum(len(columns) for columns in trades.values()) == 5204


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("derived_spxw_0dte_vertical_20210104", "missing columns symbol"),
    ],
)
def test_what_cannot_be_played_is_refused(name: str, text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        read_market_data([shared_file(f"market/{name}.parquet")])


TICKS = "symbol,ts,seq,price,size,exchange,condition"


def tick(milliseconds: int, seq: int, price: str = "545.1") -> str:
    return f"SPY,{(OPENS + timedelta(milliseconds=milliseconds)).isoformat()},{seq},{price},100,P,@"


def test_trades_keep_their_order(write: Write) -> None:
    rows = [tick(0, 1, "545.1"), tick(5, 2, "545.3"), tick(5, 3, "545.2")]
    ticks = read_market_data([write(rows, TICKS)]).ticks["SPY"]
    opens_ms = int(OPENS.timestamp()) * 1000
    assert (ticks.at_ms.tolist(), ticks.price.tolist()) == (
        [opens_ms, opens_ms + 5, opens_ms + 5],
        [545.1, 545.3, 545.2],
    )
    assert (ticks.exchange[1], ticks.conditions[2]) == ("P", "@")


@pytest.mark.parametrize(
    ("rows", "rule"),
    [
        ([tick(5, 1), tick(0, 2)], r"row 2 \(SPY\): not sorted: its time is before that of the row before"),
        ([tick(0, 2), tick(0, 1)], r"row 2 \(SPY\): not sorted: its seq does not rise"),
        ([tick(0, 1), tick(0, 2, "0")], r"row 2 \(SPY\): price 0 is zero"),
    ],
)
def test_trades_that_cannot_be(write: Write, rows: list[str], rule: str) -> None:
    with pytest.raises(ConfigurationError, match=rule):
        read_market_data([write(rows, TICKS)])


def test_quote_ticks(write: Write) -> None:
    head = "symbol,ts,bid,ask,bid_size,ask_size"
    rows = [f"SPY,{OPENS.isoformat()},545,545.1,3,4", f"SPY,{(OPENS + timedelta(seconds=1)).isoformat()},,545.2,0,5"]
    columns = read_market_data([write(rows, head)]).quotes["SPY"]
    assert (columns.seconds, columns.bid_open[0], columns.ask_close[1], columns.ask_size[1]) == (0, 545.0, 545.2, 5.0)
    assert columns.bid_open[1] != columns.bid_open[1]  # no bid


def test_bars_of_seconds_and_of_days(write: Write) -> None:
    seconds = [f"SPY,{(OPENS + timedelta(seconds=5 * number)).isoformat()},1,1,1,1,0" for number in range(4)]
    assert read_market_data([write(seconds)]).bars["SPY"].seconds == 5
    days = [line(1440 * day) for day in (0, 1, 2, 3, 7)]
    assert read_market_data([write(days, name="days.csv")]).bars["SPY"].seconds == 86_400


def test_real_days_pass() -> None:
    bars = read_market_data([shared_file("market/equity_trades_1d.parquet")]).bars
    assert (len(bars["SPY"]), {columns.seconds for columns in bars.values()}) == (3523, {86_400})
