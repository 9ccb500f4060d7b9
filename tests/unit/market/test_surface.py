from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import pairwise
from math import exp

import pytest

from htbot.domain.instruments import Right
from htbot.domain.sessions import NEW_YORK, SessionTable
from htbot.market.options import RATE
from htbot.market.ports import ContractDetails, ContractQuery, Show
from htbot.market.scenario import SCENARIOS, Scenario
from htbot.market.synthetic import Manner, SyntheticMarket

TODAY = date(2024, 7, 6)
SPX, SPY, JPM, AAPL = 416904, 756733, 1520593, 265598


@pytest.fixture(scope="module")
def market(calendar: SessionTable) -> SyntheticMarket:
    return SyntheticMarket(calendar, TODAY)


def strip(market: SyntheticMarket, con_id: int, expiry: str, right: Right, at: datetime) -> list[ContractDetails]:
    """One right of one expiry, by strike."""
    under = market.contract(con_id)
    assert under is not None
    name = {"SPX": "SPXW"}.get(under.contract.symbol, "")
    query = ContractQuery(
        symbol=under.contract.symbol, sec_type="OPT", expiry=expiry, right=right.value, trading_class=name
    )
    return market.details(query, at)


def mids(market: SyntheticMarket, rows: list[ContractDetails], at: datetime) -> list[tuple[float, float, float]]:
    """(strike, mid, width) of each option."""
    found = []
    for row in rows:
        quote = market.quote(row.contract.con_id, at)
        assert quote is not None
        assert quote.ask is not None
        assert quote.modelled
        bid = quote.bid or 0.0
        found.append((float(row.contract.strike or 0), (bid + quote.ask) / 2, quote.ask - bid))
    return found


def expiries(market: SyntheticMarket, con_id: int, at: datetime) -> tuple[str, ...]:
    chain = market.chains(con_id, at)[0]
    return chain.expirations[0], chain.expirations[4], chain.expirations[15]


@pytest.mark.parametrize(
    ("scenario", "con_id"), [*((scenario, SPX) for scenario in SCENARIOS), ("walk", SPY), ("walk", AAPL), ("walk", JPM)]
)
def test_prices_are_monotone_and_convex_in_strike_and_keep_parity(
    calendar: SessionTable, con_id: int, scenario: Scenario
) -> None:
    market = SyntheticMarket(calendar, TODAY, manner=Manner(scenario))
    at = market.start + timedelta(minutes=20)
    for expiry in expiries(market, con_id, at):
        calls = mids(market, strip(market, con_id, expiry, Right.CALL, at), at)
        puts = mids(market, strip(market, con_id, expiry, Right.PUT, at), at)
        for rows, sign in ((calls, -1), (puts, 1)):
            assert all(sign * (later[1] - earlier[1]) >= 0 for earlier, later in pairwise(rows))
        for first, middle, last in zip(calls, calls[1:], calls[2:], strict=False):
            part = (middle[0] - first[0]) / (last[0] - first[0])
            chord = first[1] + (last[1] - first[1]) * part
            assert middle[1] <= chord + max(first[2], middle[2], last[2])
        spot = market.quote(con_id, at)
        assert spot is not None
        assert spot.last is not None
        day = datetime.strptime(expiry, "%Y%m%d").replace(tzinfo=NEW_YORK).date()
        discount = exp(-RATE * (day - at.date()).days / 365)
        for call, put in zip(calls, puts, strict=True):
            assert call[1] - put[1] == pytest.approx(spot.last - call[0] * discount, abs=call[2] + put[2])


def test_a_longer_life_is_worth_more(market: SyntheticMarket) -> None:
    at = market.start + timedelta(minutes=20)
    for con_id in (SPX, JPM):
        chain = market.chains(con_id, at)[0]
        values: dict[float, float] = {}
        for expiry in chain.expirations[::3]:
            for strike, mid, width in mids(market, strip(market, con_id, expiry, Right.CALL, at), at):
                assert mid >= values.get(strike, 0.0) - width
                values[strike] = mid


def test_width_grows_with_value_and_time(market: SyntheticMarket) -> None:
    at = market.start
    near, _, far = expiries(market, SPX, at)
    calls = [mids(market, strip(market, SPX, expiry, Right.CALL, at), at) for expiry in (near, far)]
    assert calls[0][0][2] > calls[0][-1][2]  # in the money against far out of it
    assert max(width for *_, width in calls[1]) > max(width for *_, width in calls[0])


def test_options_trade_now_and_then_at_the_touch(market: SyntheticMarket) -> None:
    session = market.sessions.on(market.start.astimezone(NEW_YORK).date())
    assert session is not None
    noon = session.at(12, 0)
    [row] = [row for row in strip(market, SPX, "20240705", Right.CALL, noon) if row.contract.strike == 5350]
    con_id = row.contract.con_id
    trades = market.prints(con_id, session.opens, noon)
    assert trades
    for trade in trades:
        quote = market.quote(con_id, trade.at)
        assert quote is not None
        assert trade.price in {quote.bid, quote.ask}
        assert quote.last == trade.price
    day = market.statistics(con_id, noon)
    assert (day.open, day.volume) == (trades[0].price, sum(trade.size for trade in trades))
    assert day.open_interest
    halves = [*market.prints(con_id, session.opens, session.at(11, 0)), *market.prints(con_id, session.at(11, 0), noon)]
    assert halves == list(trades)


def test_greeks_at_a_price(market: SyntheticMarket) -> None:
    at = market.start
    [row] = [row for row in strip(market, SPX, "20240705", Right.CALL, at) if row.contract.strike == 5350]
    con_id = row.contract.con_id
    quote = market.quote(con_id, at)
    assert quote is not None
    model = market.greeks(con_id, at)
    low, high = market.greeks(con_id, at, quote.bid), market.greeks(con_id, at, quote.ask)
    assert model is not None
    assert low is not None
    assert high is not None
    assert low.implied_volatility < model.implied_volatility < high.implied_volatility
    assert (low.price, high.price) == (quote.bid, quote.ask)
    assert market.greeks(con_id, at, 0.0) is None
    assert market.greeks(SPY, at, 500.0) is None


def test_volatilities_are_a_bar_a_session(market: SyntheticMarket, calendar: SessionTable) -> None:
    since = market.start - timedelta(days=14)
    for show in (Show.HISTORICAL_VOLATILITY, Show.OPTION_IMPLIED_VOLATILITY):
        bars = market.candles(SPY, 86_400, since, market.start, show)
        assert len(bars) == 9
        assert all(0.02 < bar.close < 1.0 for bar in bars)
    assert market.candles(SPY, 300, since, market.start, Show.HISTORICAL_VOLATILITY) == []
    early = SyntheticMarket(calendar, TODAY).candles(
        SPY, 86_400, since, market.start - timedelta(minutes=5), Show.HISTORICAL_VOLATILITY
    )
    assert early == market.candles(SPY, 86_400, since, market.start, Show.HISTORICAL_VOLATILITY)
