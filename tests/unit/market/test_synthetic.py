from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from statistics import fmean

import pytest

from htbot.domain.errors import ConfigurationError
from htbot.domain.instruments import SecType
from htbot.domain.sessions import NEW_YORK, Session, SessionTable
from htbot.market.ports import ContractQuery, Show
from htbot.market.synthetic import SyntheticMarket
from htbot.market.universe import LISTED

SPX, SPY, QQQ = 416904, 756733, 320227571
TODAY = date(2024, 7, 6)  # a Saturday after 3 July, half a day, and 4 July, a holiday
DAY = date(2024, 7, 5)


@pytest.fixture(scope="module")
def market(calendar: SessionTable) -> SyntheticMarket:
    return SyntheticMarket(calendar, TODAY)


@pytest.fixture(scope="module")
def years() -> SessionTable:
    """Weekdays of two years."""
    days = (date(2024, 1, 1) + timedelta(days=number) for number in range(731))
    hours = ((datetime(day.year, day.month, day.day, 14, 30, tzinfo=UTC), day) for day in days if day.weekday() < 5)
    return SessionTable(Session(day, opens, opens + timedelta(minutes=390)) for opens, day in hours)


def test_the_default_world_starts_at_0945_of_the_last_full_session(
    market: SyntheticMarket, calendar: SessionTable
) -> None:
    assert market.start == datetime(2024, 7, 5, 13, 45, tzinfo=UTC)
    assert market.end is None
    assert market.world_id == "synthetic-7-20240705"
    assert SyntheticMarket(calendar, date(2024, 7, 5)).start.date() == date(2024, 7, 2)  # not the half day


def test_a_date_starts_at_0945_and_an_instant_at_itself(calendar: SessionTable) -> None:
    by_date = SyntheticMarket(calendar, TODAY, start=date(2024, 6, 3))
    assert by_date.start == datetime(2024, 6, 3, 13, 45, tzinfo=UTC)
    midnight = datetime(2024, 6, 3, 4, tzinfo=UTC)
    assert SyntheticMarket(calendar, TODAY, start=midnight).start == by_date.start
    noon = datetime(2024, 6, 3, 16, tzinfo=UTC)
    at_noon = SyntheticMarket(calendar, TODAY, start=noon)
    assert at_noon.start == noon
    assert at_noon.world_id == by_date.world_id


@pytest.mark.parametrize(
    ("start", "text"),
    [
        (date(2024, 7, 4), "start 2024-07-04 is no session"),
        (datetime(2024, 7, 5, 20, tzinfo=UTC), "is after the close"),
        (date(2024, 1, 10), r"start 2024-01-10: the calendar has 7 sessions before it, 12 are needed"),
    ],
)
def test_a_start_that_cannot_be(calendar: SessionTable, start: date, text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        SyntheticMarket(calendar, TODAY, start=start)


def test_an_end(calendar: SessionTable) -> None:
    close = datetime(2024, 7, 8, 20, tzinfo=UTC)
    for end in (date(2024, 7, 8), datetime(2024, 7, 8, 4, tzinfo=UTC), close):
        market = SyntheticMarket(calendar, TODAY, end=end)
        assert market.end == close
        assert market.next_event(close) is None
        assert market.next_event(close - timedelta(seconds=1)) == close
    with pytest.raises(ConfigurationError, match="end 2024-07-07 is no session"):
        SyntheticMarket(calendar, TODAY, end=date(2024, 7, 7))


def test_the_same_seed_gives_the_same_world(market: SyntheticMarket, calendar: SessionTable) -> None:
    same, other = SyntheticMarket(calendar, TODAY), SyntheticMarket(calendar, TODAY, seed=8)
    span = (market.start - timedelta(days=3), market.start + timedelta(hours=2))
    for con_id in (SPX, SPY, QQQ):
        assert same.candles(con_id, 60, *span, Show.TRADES) == market.candles(con_id, 60, *span, Show.TRADES)
    assert other.candles(SPX, 60, *span, Show.TRADES) != market.candles(SPX, 60, *span, Show.TRADES)


def test_the_default_world_does_not_move(market: SyntheticMarket) -> None:
    # the same numbers on every machine and Python: a change here is a new world for everybody
    quotes = {con_id: market.quote(con_id, market.start) for con_id in (SPX, SPY, QQQ)}
    assert {con_id: quote.last for con_id, quote in quotes.items() if quote} == {SPX: 5307.61, SPY: 530.73, QQQ: 460.66}
    noon = [market.quote(con_id, market.start + timedelta(days=10, hours=2)) for con_id in (SPX, SPY, QQQ)]
    assert [quote.last for quote in noon if quote] == [5280.14, 527.99, 456.97]


def test_order_of_questions_does_not_matter(market: SyntheticMarket, calendar: SessionTable) -> None:
    later = market.start + timedelta(days=20)
    fresh = SyntheticMarket(calendar, TODAY)
    assert fresh.quote(QQQ, later) == market.quote(QQQ, later)
    assert fresh.quote(SPX, market.start) == market.quote(SPX, market.start)


def test_history_is_enough_for_600_bars(market: SyntheticMarket) -> None:
    bars = market.candles(SPX, 300, market.start - timedelta(days=60), market.start - timedelta(seconds=1), Show.TRADES)
    assert len(bars) > 600
    assert all(bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high for bar in bars)
    assert {session.day for session in market.sessions.all()} >= {bar.start.date() for bar in bars}


def test_older_days_lead_to_the_first_prices(years: SessionTable) -> None:
    market = SyntheticMarket(years, date(2025, 7, 8))
    session = market.sessions.all()[0]
    expected = sum(session.opens <= market.start for session in years.all())
    assert expected > 380
    for con_id in (SPX, SPY, 900000299, 13455763):
        days = market.candles(con_id, 86_400, session.opens, market.start, Show.TRADES)
        assert len(days) == expected
        jumps = [abs(later.open / earlier.close - 1) for earlier, later in pairwise(days)]
        assert max(jumps) < 0.08
        assert all(day.low <= min(day.open, day.close) <= max(day.open, day.close) <= day.high for day in days)
    ranges = [day.high / day.low - 1 for day in market.candles(SPX, 86_400, session.opens, market.start, Show.TRADES)]
    assert fmean(ranges[:-30]) == pytest.approx(fmean(ranges[-30:-4]), rel=0.5)
    assert market.candles(SPX, 86_400, session.opens, market.start, Show.TRADES)[0].close > 1000


def test_a_half_day_is_short(market: SyntheticMarket) -> None:
    opens = datetime(2024, 7, 3, 13, 30, tzinfo=UTC)
    bars = market.candles(SPX, 300, opens, opens + timedelta(hours=8), Show.TRADES)
    assert (len(bars), bars[-1].start) == (42, datetime(2024, 7, 3, 16, 55, tzinfo=UTC))


def test_the_world_goes_on(market: SyntheticMarket) -> None:
    evening = datetime(2024, 7, 5, 20, tzinfo=UTC)
    assert market.next_event(evening) == datetime(2024, 7, 8, 13, 30, tzinfo=UTC)
    last = market.candles(
        SPX, 1800, datetime(2024, 12, 30, 14, 30, tzinfo=UTC), datetime(2024, 12, 30, 20, 59, tzinfo=UTC), Show.TRADES
    )
    assert len(last) == 13
    assert 4000 < last[-1].close < 7500


def test_events_of_a_minute(market: SyntheticMarket) -> None:
    at, offsets = market.start, []
    while at < market.start + timedelta(minutes=1):
        following = market.next_event(at)
        assert following is not None
        at = following
        offsets.append((at - market.start).total_seconds())
    assert offsets == [20, 30, 40, 60]


def test_spy_is_a_tenth_of_the_index(market: SyntheticMarket) -> None:
    for minutes in (0, 40, 200, 374):
        at = market.start + timedelta(minutes=minutes)
        index, fund = market.quote(SPX, at), market.quote(SPY, at)
        assert index is not None
        assert fund is not None
        assert (fund.last or 0) * 10 == pytest.approx(index.last, rel=5e-4)


def test_every_symbol_has_prices(market: SyntheticMarket) -> None:
    for symbol, listed in LISTED.items():
        query = ContractQuery(symbol=listed.base, sec_type=listed.sec_type, currency=listed.currency)
        [row] = market.details(query, market.start)
        assert row.local_symbol == symbol
        quote = market.quote(row.contract.con_id, market.start)
        assert quote is not None
        assert (quote.last is None) == (listed.sec_type is SecType.FOREX)


def averages(closes: list[float]) -> float:
    """EMA(144) of the simple-mean RSI(60) after the last close."""
    value: float | None = None
    changes = [later - earlier for earlier, later in pairwise(closes)]
    for index in range(60, len(changes) + 1):
        window = changes[index - 60 : index]
        gain, loss = fmean(max(change, 0.0) for change in window), fmean(max(-change, 0.0) for change in window)
        rsi = 100 * gain / (gain + loss)
        value = rsi if value is None else value + (rsi - value) * 2 / 145
    assert value is not None
    return value


@pytest.mark.parametrize("seed", [7, 1, 2, 3, 11, 42, 2024])
def test_day_one_breaks_its_high_after_ten_and_goes_on(calendar: SessionTable, seed: int) -> None:
    market = SyntheticMarket(calendar, TODAY, seed)
    session = market.sessions.on(DAY)
    assert session is not None
    ten = session.at(10, 0)
    history = market.candles(SPX, 300, ten - timedelta(days=30), ten - timedelta(seconds=1), Show.TRADES)[-600:]
    assert averages([bar.close for bar in history]) > 47
    morning = max(bar.high for bar in history if bar.start >= session.opens)
    bars = market.candles(SPX, 60, ten, ten + timedelta(minutes=45), Show.TRADES)
    broken = next(bar for bar in bars if bar.high > morning)
    assert broken.start < ten + timedelta(minutes=6)
    assert max(bar.high for bar in bars) > morning + 12


def gain_of_a_bull_put_spread(market: SyntheticMarket, at: datetime, minutes: int) -> list[float]:
    """Gain in dollars, minute by minute on mids, of 40 points sold two strikes below the spot."""
    spot = market.quote(SPX, at)
    assert spot is not None
    assert spot.last is not None
    short = (spot.last // 5) * 5 - 5
    day = at.astimezone(NEW_YORK).date()
    legs = []
    for strike in (short, short - 40):
        query = ContractQuery(
            symbol="SPX", sec_type="OPT", trading_class="SPXW", expiry=f"{day:%Y%m%d}", strike=strike, right="P"
        )
        [row] = market.details(query, at)
        legs.append(row.contract.con_id)

    def value(when: datetime) -> float:
        quotes = [market.quote(leg, when) for leg in legs]
        mids = [((quote.bid or 0.0) + (quote.ask or 0.0)) / 2 for quote in quotes if quote]
        return mids[0] - mids[1]

    credit = value(at)
    assert credit * 100 >= 400
    return [100 * (credit - value(at + timedelta(minutes=minute))) for minute in range(1, minutes + 1)]


@pytest.mark.parametrize("seed", [7, 1, 2, 3, 11, 42, 2024])
def test_a_spread_sold_at_the_break_reaches_its_target_first(calendar: SessionTable, seed: int) -> None:
    market = SyntheticMarket(calendar, TODAY, seed)
    session = market.sessions.on(DAY)
    assert session is not None
    gains = gain_of_a_bull_put_spread(market, session.at(10, 4), 45)
    target = next(minute for minute, gain in enumerate(gains, 1) if gain >= 400)
    assert 10 <= target <= 40
    assert min(gains[:target]) > -200


def test_no_numeric_library_is_loaded() -> None:
    script = "import sys, htbot.market.synthetic, htbot.market.replay; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert not {"numpy", "pandas", "pyarrow", "exchange_calendars"} & set(done.stdout.split())


def test_a_scanner_sees_the_front_months_of_futures(market: SyntheticMarket) -> None:
    found = market.underlyings(market.start)
    front = {row.contract.symbol: row.local_symbol for row in found if row.contract.sec_type is SecType.FUTURE}
    assert (front["ES"], front["NQ"]) == ("ESU4", "NQU4")
