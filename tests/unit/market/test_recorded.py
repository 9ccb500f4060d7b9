from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from tests.support.shared_data import sessions, shared_file

from htbot.adapters.replay import read_market_data
from htbot.domain.instruments import Right
from htbot.domain.recorded import BarColumns, OptionSeries, QuoteColumns, RecordedData
from htbot.domain.sessions import SessionTable
from htbot.market.con_ids import option_id
from htbot.market.quoting import Quoter
from htbot.market.recorded import Carry, Sides, parity_forward
from htbot.market.replay import ReplayMarket, ReplayWindow

SPY = 756733
DAY = date(2024, 7, 1)
OPENS = datetime(2024, 7, 1, 13, 30, tzinfo=UTC)
Maker = Callable[..., BarColumns]
Quotes = Callable[..., QuoteColumns]
Data = Callable[..., RecordedData]


def after(minutes: float) -> datetime:
    return OPENS + timedelta(minutes=minutes)


def series(strike: int, right: Right, trading_class: str = "SPY", expiry: date = DAY) -> OptionSeries:
    return OptionSeries(trading_class, expiry, Decimal(strike), right)


def con_id(strike: int, right: Right, trading_class: str = "SPY", expiry: date = DAY) -> int:
    found = option_id(series(strike, right, trading_class, expiry))
    assert found is not None
    return found


@pytest.fixture
def market(make_bars: Maker, make_quotes: Quotes, make_data: Data, calendar: SessionTable) -> ReplayMarket:
    """SPY at 545; the 545 call and put are quoted at 09:31 and 09:32, the 550 call without a bid."""
    bars = make_bars({after(minute): (545.0, 545.1, 544.9, 545.0) for minute in range(0, 390, 5)})
    quotes = {
        series(545, Right.CALL): make_quotes(
            {after(1): (2.00, 2.04, 2.02, 2.06), after(2): (2.10, 2.14, 2.20, 2.16), after(395): (9.0, 9.1, 9.0, 9.1)}
        ),
        series(545, Right.PUT): make_quotes({after(1): (1.98, 2.02, 1.96, 2.00)}),
        series(550, Right.CALL): make_quotes({after(1): (None, 0.05, None, 0.04)}),
    }
    return ReplayMarket(make_data({"SPY": bars}, quotes), calendar, ReplayWindow("SPY", DAY))


@pytest.mark.parametrize(
    ("minutes", "bid", "ask", "since"),
    [
        (1, 2.00, 2.04, 1),  # the open of the running minute
        (1.99, 2.00, 2.04, 1),
        (2, 2.10, 2.14, 2),
        (3, 2.20, 2.16, 3),  # the close of the last finished one, crossed as recorded
        (200, 2.20, 2.16, 3),  # a minute without a row is a minute without news
        (389.9, 2.20, 2.16, 3),
    ],
)
def test_recorded_quotes_are_served_as_they_are(
    market: ReplayMarket, minutes: float, bid: float, ask: float, since: int
) -> None:
    quote = market.quote(con_id(545, Right.CALL), after(minutes))
    assert quote is not None
    assert (quote.bid, quote.ask, quote.as_of, quote.modelled) == (bid, ask, after(since), False)
    assert (quote.bid_size, quote.ask_size) == (7.0, 7.0)


def test_a_missing_side_is_none_without_size(market: ReplayMarket) -> None:
    quote = market.quote(con_id(550, Right.CALL), after(2))
    assert quote is not None
    assert (quote.bid, quote.bid_size, quote.ask, quote.modelled) == (None, 0.0, 0.04, False)


def test_before_its_first_row_a_recorded_option_is_modelled(market: ReplayMarket) -> None:
    quote = market.quote(con_id(545, Right.CALL), after(0.5))
    assert quote is not None
    assert quote.modelled


def test_rows_after_the_close_are_not_used_and_the_option_settles(market: ReplayMarket) -> None:
    quote = market.quote(con_id(545, Right.CALL), after(396))
    assert quote is not None
    assert (quote.bid, quote.ask, quote.modelled) == (0.0, 0.0, True)


def test_quotes_of_a_stock_are_served(
    make_bars: Maker, make_quotes: Quotes, make_data: Data, calendar: SessionTable
) -> None:
    bars = make_bars({after(minute): (545.0, 545.1, 544.9, 545.0) for minute in range(0, 390, 5)})
    recorded = make_quotes({after(0): (544.9, 545.2, 544.8, 545.3)})
    data = make_data({"SPY": bars}, None, {"SPY": recorded})
    quote = ReplayMarket(data, calendar, ReplayWindow("SPY", DAY)).quote(SPY, after(0.5))
    assert quote is not None
    assert (quote.bid, quote.ask, quote.last, quote.modelled) == (544.9, 545.2, pytest.approx(544.95, abs=0.06), False)


def test_the_forward_is_that_of_parity(market: ReplayMarket) -> None:
    quote = market.quote(con_id(540, Right.CALL), after(1))
    put = market.quote(con_id(540, Right.PUT), after(1))
    assert quote is not None
    assert put is not None
    assert quote.modelled
    assert quote.mid is not None
    assert put.mid is not None
    # C - P of the recorded pair is 0.02 at 545, so the forward is 545.02
    assert quote.mid - put.mid == pytest.approx(5.02, abs=0.02)


def test_parity_takes_the_tight_pair_and_refuses_a_wild_one() -> None:
    def pair(call: tuple[float, float], put: tuple[float, float]) -> dict[Right, Sides]:
        return {Right.CALL: Sides(*call, 1, 1, 0), Right.PUT: Sides(*put, 1, 1, 0)}

    carry = Carry(545.0, 1.0, 0.01)
    tight, wide = pair((2.0, 2.02), (1.5, 1.52)), pair((6.0, 8.0), (0.5, 2.5))
    assert parity_forward([(545.0, tight), (540.0, wide)], carry) == pytest.approx(545.5, abs=0.01)
    assert parity_forward([(545.0, pair((90.0, 91.0), (1.0, 1.1)))], carry) == 545.0
    assert parity_forward([], carry) == 545.0


# --- SPX, 4 January 2021: strikes 3700 and 3800 are recorded, the rest is modelled ------------------------------------


@pytest.fixture(scope="module")
def january() -> ReplayMarket:
    files = [shared_file(f"market/{name}.parquet") for name in ("spx_1m", "option_spx_spxw_quote_1m")]
    calendar = sessions(shared_file("oracle/us_sessions_2012_2027.csv"))
    return ReplayMarket(read_market_data(files), calendar, ReplayWindow("SPX", date(2021, 1, 4)))


def model_value(market: ReplayMarket, strike: int, right: Right, at: datetime) -> float:
    """The model's value, also where a quote is recorded."""
    quoter: Quoter = market._quoter
    terms = quoter.option(con_id(strike, right, "SPXW", date(2021, 1, 4)))
    assert terms is not None
    smile = quoter.model.slice(terms, int(at.timestamp()))
    assert smile is not None
    return smile.price(right, float(strike))


def test_ruling_24_the_smile_goes_through_the_recorded_mids(january: ReplayMarket) -> None:
    inside = total = 0
    for minute in range(1, 389, 3):
        at = january.start + timedelta(minutes=minute)
        for strike in (3700, 3800):
            for right in Right:
                quote = january.quote(con_id(strike, right, "SPXW", date(2021, 1, 4)), at)
                if quote is None or quote.modelled or quote.crossed or quote.bid is None or quote.ask is None:
                    continue
                total += 1
                value = model_value(january, strike, right, at)
                inside += quote.bid - 0.05 <= value <= quote.ask + 0.05
    assert total > 350
    assert inside / total > 0.97


def test_modelled_strikes_between_recorded_ones_have_no_arbitrage(january: ReplayMarket) -> None:
    for minute in (5, 62, 150, 240, 330, 380):
        at = january.start + timedelta(minutes=minute)
        for right, sign in ((Right.CALL, -1), (Right.PUT, 1)):
            values = [model_value(january, strike, right, at) for strike in range(3500, 3905, 5)]
            steps = [later - earlier for earlier, later in pairwise(values)]
            assert all(-1e-6 <= sign * step <= 5 + 1e-6 for step in steps)
            assert all(later - earlier >= -1e-6 for earlier, later in pairwise(steps))
            quotes = [january.quote(con_id(k, right, "SPXW", date(2021, 1, 4)), at) for k in range(3705, 3800, 5)]
            assert all(quote is not None and quote.modelled and quote.ask is not None for quote in quotes)


def test_ruling_25_the_recorded_vertical_has_its_natural_prices(january: ReplayMarket) -> None:
    at = datetime(2021, 1, 4, 15, 32, tzinfo=UTC)
    short, long = (january.quote(con_id(k, Right.CALL, "SPXW", date(2021, 1, 4)), at) for k in (3700, 3800))
    assert short is not None
    assert long is not None
    assert (short.modelled, long.modelled) == (False, False)
    import pyarrow.parquet as pq

    rows = pq.read_table(shared_file("market/derived_spxw_0dte_vertical_20210104.parquet")).to_pylist()
    row = next(row for row in rows if row["ts"] == at - timedelta(minutes=1))  # the minute that closes at `at`
    assert short.bid is not None
    assert short.ask is not None
    assert (short.bid, short.ask) == pytest.approx((row["bid_C3700"], row["ask_C3700"]), abs=0.31)


def test_the_settlement_of_the_day(january: ReplayMarket) -> None:
    assert january.settlement(con_id(3700, Right.CALL, "SPXW", date(2021, 1, 4))) == Decimal("3700.65")
