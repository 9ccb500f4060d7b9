from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htbot.domain.instruments import Right, SecType
from htbot.domain.recorded import OptionSeries
from htbot.domain.sessions import SessionTable
from htbot.market.con_ids import CLASSES, CLASSES_OF, RANGES, UNDERLYING_OF, option_id, option_series
from htbot.market.futures import FUTURES_FROM, ROOTS, Future, future_named, future_of, listed_futures
from htbot.market.ladder import LADDER
from htbot.market.ports import ContractDetails, ContractQuery, Show
from htbot.market.security_ids import cusip_check, isin_check, made_up_isin
from htbot.market.synthetic import SyntheticMarket
from htbot.market.universe import FUNDS, LISTED, STOCKS

TODAY = date(2024, 7, 6)
JPM, ESU4, BTC, EURUSD = 1520593, 900000296, 479624278, 12087792
compact = st.sampled_from(sorted(set(UNDERLYING_OF) - {row.name for row in CLASSES}))
fridays = st.integers(0, 834).map(lambda week: date(2016, 1, 1) + timedelta(days=7 * week))


@pytest.fixture(scope="module")
def market(calendar: SessionTable) -> SyntheticMarket:
    return SyntheticMarket(calendar, TODAY)


def ask(market: SyntheticMarket, **query: object) -> list[ContractDetails]:
    return market.details(ContractQuery(**query), market.start)


# --- ids ----------------------------------------------------------------------------------------------------------


def test_ids_of_instruments_are_apart_from_each_other_and_from_options() -> None:
    ids = [row.con_id for row in LISTED.values()]
    assert len(set(ids)) == len(ids)
    assert not any(FUTURES_FROM <= con_id < FUTURES_FROM + 10_000_000 for con_id in ids)
    assert [option_series(con_id) for con_id in ids] == [None] * len(ids)


@given(compact, fridays, st.booleans(), st.sampled_from(LADDER[:545]), st.sampled_from(list(Right)))
def test_compact_ids_are_read_back(name: str, friday: date, thursday: bool, strike: Decimal, right: Right) -> None:
    series = OptionSeries(name, friday - timedelta(days=int(thursday)), strike, right)
    con_id = option_id(series)
    if con_id is not None:  # a handful are the ids of instruments
        assert option_series(con_id) == series
        assert con_id < 500_000_000


def test_ranges_of_compact_ids_do_not_overlap() -> None:
    assert [later.first_id - earlier.end >= 0 for earlier, later in pairwise(RANGES)] == [True, True]
    assert RANGES[-1].end <= 500_000_000


def test_compact_ids_do_not_move() -> None:
    jpm = OptionSeries("JPM", date(2024, 7, 19), Decimal(220), Right.CALL)
    tlt = OptionSeries("TLT", date(2024, 7, 19), Decimal(95), Right.PUT)
    assert (option_id(jpm), option_id(tlt)) == (154463864, 369961645)
    assert option_id(OptionSeries("JPM", date(2024, 7, 17), Decimal(220), Right.CALL)) is None
    assert option_id(OptionSeries("JPM", date(2024, 7, 19), Decimal("220.25"), Right.CALL)) is None
    assert CLASSES_OF["SPX"] == ["SPXW", "SPX"]


def test_security_ids_have_valid_check_digits() -> None:
    for row in (*STOCKS, *FUNDS):
        assert isin_check(row.isin[:11]) == row.isin[11], row.symbol
        assert cusip_check(row.isin[2:10]) == row.isin[10], row.symbol
    assert made_up_isin("XYZ") != made_up_isin("XYY")


# --- futures ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("root", "local", "expiry"),
    [
        ("ES", "ESU4", date(2024, 9, 20)),
        ("CL", "CLQ4", date(2024, 7, 22)),
        ("GC", "GCQ4", date(2024, 8, 28)),
        ("6E", "6EU4", date(2024, 9, 16)),
        ("ZN", "ZN   SEP 24", date(2024, 9, 19)),
        ("VX", "VXN4", date(2024, 7, 17)),
    ],
)
def test_the_nearest_month(root: str, local: str, expiry: date) -> None:
    first = next(listed_futures(ROOTS[root], date(2024, 7, 5)))
    assert (first.local_symbol, first.expiry) == (local, expiry)
    assert future_of(first.con_id) == first == future_named(first.key)


def test_months_follow_each_other() -> None:
    months = [future.contract_month for future in listed_futures(ROOTS["ES"], date(2024, 9, 20))]
    assert months == ["202409", "202412", "202503", "202506", "202509"]
    assert next(listed_futures(ROOTS["ES"], date(2024, 9, 21))).contract_month == "202412"
    older = [future.contract_month for future in listed_futures(ROOTS["ES"], date(2024, 9, 21), expired=True)]
    assert older[0] == "202203"
    assert older[-1] == "202512"
    assert future_of(Future(ROOTS["ES"], 2024, 9).con_id + 1) is None  # ES has no October


# --- queries ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"symbol": "EUR", "sec_type": "CASH", "exchange": "IDEALPRO", "currency": "USD"}, ["EUR.USD"]),
        ({"local_symbol": "USD.JPY", "sec_type": "CASH"}, ["USD.JPY"]),
        ({"symbol": "USD", "sec_type": "CASH", "currency": "EUR"}, []),
        ({"symbol": "EUR", "sec_type": "CASH", "exchange": "SMART", "currency": "USD"}, []),
        ({"symbol": "BTC", "sec_type": "CRYPTO", "exchange": "PAXOS", "currency": "USD"}, ["BTC.USD"]),
        ({"symbol": "ES", "sec_type": "FUT", "exchange": "CME", "expiry": "202409"}, ["ESU4"]),
        ({"symbol": "ES", "sec_type": "FUT", "exchange": "CME", "expiry": "20240920"}, ["ESU4"]),
        ({"symbol": "ES", "sec_type": "FUT", "exchange": "NYMEX"}, []),
        ({"symbol": "ES", "sec_type": "FUT", "multiplier": "5"}, []),
        ({"symbol": "ES", "sec_type": "FUT", "expiry": "202406"}, []),
        ({"symbol": "ES", "sec_type": "FUT", "expiry": "202406", "include_expired": True}, ["ESM4"]),
        ({"symbol": "ES", "sec_type": "CONTFUT", "exchange": "CME"}, ["ESU4"]),
        ({"local_symbol": "CLQ4", "sec_type": "FUT"}, ["CLQ4"]),
        ({"symbol": "EUR", "sec_type": "FUT", "trading_class": "6E", "expiry": "202412"}, ["6EZ4"]),
        ({"sec_id_type": "ISIN", "sec_id": "US46625H1005", "sec_type": "STK"}, ["JPM"]),
        ({"sec_id_type": "CUSIP", "sec_id": "46625H100"}, ["JPM"]),
        ({"sec_id_type": "ISIN", "sec_id": "US0000000000"}, []),
        ({"symbol": "JPM", "sec_type": "STK", "exchange": "SMART", "primary_exchange": "NYSE"}, ["JPM"]),
        ({"symbol": "AAPL", "sec_type": "STK", "exchange": "ISLAND"}, ["AAPL"]),
        ({"symbol": "AAPL", "sec_type": "STK", "exchange": "NOWHERE"}, []),
        ({"symbol": "BRK B", "sec_type": "STK"}, ["BRK B"]),
        ({"symbol": "AAPL", "sec_type": "CFD"}, []),
        ({"symbol": "JPM", "sec_type": "OPT", "expiry": "20240719", "strike": 205.0, "multiplier": "10"}, []),
    ],
)
def test_queries_of_every_kind(market: SyntheticMarket, query: dict[str, object], found: list[str]) -> None:
    assert [row.local_symbol for row in ask(market, **query)] == found


def test_details_of_every_kind(market: SyntheticMarket) -> None:
    future, coin, pair = (market.contract(con_id) for con_id in (ESU4, BTC, EURUSD))
    assert future is not None
    assert coin is not None
    assert pair is not None
    assert (future.contract.multiplier, future.min_tick, future.contract_month) == (50, Decimal("0.25"), "202409")
    assert (coin.contract.currency, coin.size_increment) == ("USD", Decimal("0.0001"))
    assert (pair.contract.symbol, pair.contract.currency, pair.min_tick) == ("EUR", "USD", Decimal("0.00005"))
    [front] = ask(market, symbol="ES", sec_type="CONTFUT")
    assert (front.contract.con_id, front.contract.sec_type) == (ESU4, SecType.CONTINUOUS_FUTURE)


def test_symbols_by_prefix_and_by_a_word_of_the_name(market: SyntheticMarket) -> None:
    found = [row.contract.symbol for row in market.matching("int", market.start)]
    assert found[:2] == ["INTC", "INTU"]
    assert "IBM" in found
    assert [row.contract.symbol for row in market.matching("AAPL", market.start)] == ["AAPL"]
    assert market.matching("", market.start) == []


# --- prices -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("con_id", [ESU4, BTC, EURUSD, 900170296])
def test_prices_lie_on_the_grid_round_the_clock(market: SyntheticMarket, con_id: int) -> None:
    details = market.contract(con_id)
    assert details is not None
    start = market.start - timedelta(hours=10)
    for step in range(40):
        quote = market.quote(con_id, start + timedelta(seconds=step * 1234, milliseconds=250))
        assert quote is not None
        assert quote.bid is not None
        assert quote.ask is not None
        assert quote.bid < quote.ask
        for price in (quote.bid, quote.ask):
            assert Decimal(str(price)) % details.min_tick == 0
    assert market.is_trading(con_id, start, outside_rth=True)


def test_the_future_follows_its_index(market: SyntheticMarket) -> None:
    for minutes in (0, 60, 300):
        at = market.start + timedelta(minutes=minutes)
        index, future = market.quote(416904, at), market.quote(ESU4, at)
        assert index is not None
        assert future is not None
        assert (future.last or 0) - (index.last or 0) == pytest.approx(34.5, abs=1.5)


def test_a_pair_has_no_trades_and_bars_of_its_middle(market: SyntheticMarket) -> None:
    since = market.start - timedelta(hours=5)
    assert market.candles(EURUSD, 3600, since, market.start, Show.TRADES) == []
    assert not market.prints(EURUSD, since, market.start)
    bars = market.candles(EURUSD, 3600, since, market.start, Show.MIDPOINT)
    asks = market.candles(EURUSD, 3600, since, market.start, Show.ASK)
    assert len(bars) == 5
    assert all(ask.close > bar.close for ask, bar in zip(asks, bars, strict=True))


def test_trades_add_up_to_the_volume(market: SyntheticMarket) -> None:
    for con_id in (JPM, ESU4, BTC):
        at = market.start
        [bar] = market.candles(con_id, 60, at, at + timedelta(seconds=59), Show.TRADES)
        trades = market.prints(con_id, at, at + timedelta(seconds=59))
        assert sum(trade.size for trade in trades) == pytest.approx(bar.volume)
        assert {trade.at for trade in trades} <= {at + timedelta(seconds=second) for second in range(1, 60)}


def test_changes_of_quotes_are_the_same_in_parts(market: SyntheticMarket) -> None:
    at = market.start
    middle = at + timedelta(seconds=2.5)
    whole = market.quote_changes(JPM, at, at + timedelta(seconds=5))
    assert whole == [
        *market.quote_changes(JPM, at, middle),
        *market.quote_changes(JPM, middle, at + timedelta(seconds=5)),
    ]
    assert len(whole) > 5


def test_hours_by_kind(market: SyntheticMarket) -> None:
    def inside(con_id: int, hour: int, *, outside_rth: bool) -> bool:
        at = datetime(2024, 7, 5, hour, 30, tzinfo=market.start.tzinfo)
        return market.is_trading(con_id, at, outside_rth=outside_rth)

    assert [inside(JPM, hour, outside_rth=False) for hour in (12, 14, 20)] == [False, True, False]
    assert [inside(JPM, hour, outside_rth=True) for hour in (7, 8, 23)] == [False, True, True]
    assert [inside(ESU4, hour, outside_rth=True) for hour in (3, 20, 21)] == [True, True, False]
    assert inside(BTC, 21, outside_rth=False)
    saturday = date(2024, 7, 6)
    assert market.hours(JPM, saturday).trading == market.hours(ESU4, saturday).trading == ()
    assert market.hours(ESU4, date(2024, 7, 5)).zone == "US/Central"
