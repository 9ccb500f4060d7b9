from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import pairwise

import pytest

from htbot.domain.sessions import Session, SessionTable
from htbot.market.ports import Candle, ContractQuery, Show
from htbot.market.scenario import SCENARIOS, Scenario
from htbot.market.synthetic import Manner, SyntheticMarket

SPX, SPY, EURUSD = 416904, 756733, 12087792
TODAY, DAY = date(2024, 7, 6), date(2024, 7, 5)


def world(calendar: SessionTable, scenario: Scenario, seed: int = 7) -> tuple[SyntheticMarket, Session]:
    market = SyntheticMarket(calendar, TODAY, seed, manner=Manner(scenario))
    session = market.sessions.on(DAY)
    assert session is not None
    return market, session


def minutes(market: SyntheticMarket, session: Session, con_id: int = SPX) -> list[Candle]:
    return market.candles(con_id, 60, session.opens, session.closes - timedelta(seconds=1), Show.TRADES)


def test_each_scenario_is_a_world_of_its_own_with_the_same_history(calendar: SessionTable) -> None:
    worlds = [SyntheticMarket(calendar, TODAY, manner=Manner(scenario)) for scenario in SCENARIOS]
    assert len({market.world_id for market in worlds}) == len(SCENARIOS)
    assert worlds[0].world_id == "synthetic-7-20240705"
    closes = {market.statistics(SPX, market.start).previous_close for market in worlds}
    assert len(closes) == 1


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_seed_gives_the_same_day(calendar: SessionTable, scenario: Scenario) -> None:
    one, session = world(calendar, scenario)
    other, _ = world(calendar, scenario)
    assert minutes(one, session) == minutes(other, session)
    assert minutes(one, session) != minutes(world(calendar, scenario, seed=8)[0], session)


@pytest.mark.parametrize("seed", [1, 7, 42])
def test_a_trend_goes_one_way(calendar: SessionTable, seed: int) -> None:
    bars = minutes(*world(calendar, "trend", seed))
    way = bars[-1].close / bars[0].open - 1
    assert 0.009 < abs(way) < 0.025
    hours = [later.close - earlier.close for earlier, later in pairwise(bars[59::60])]
    assert all(change * way > 0 for change in hours)


@pytest.mark.parametrize("seed", [1, 7, 42])
def test_chop_comes_back(calendar: SessionTable, seed: int) -> None:
    bars = minutes(*world(calendar, "chop", seed))
    assert abs(bars[-1].close / bars[0].open - 1) < 0.003
    crossings = sum((earlier.close > bars[0].open) != (later.close > bars[0].open) for earlier, later in pairwise(bars))
    assert crossings >= 8
    assert max(bar.high for bar in bars) / min(bar.low for bar in bars) < 1.009


@pytest.mark.parametrize("seed", [1, 7, 42])
def test_a_gap_opens_away(calendar: SessionTable, seed: int) -> None:
    market, session = world(calendar, "gap", seed)
    day = market.statistics(SPX, session.opens)
    assert day.open is not None
    assert day.previous_close is not None
    assert 0.014 < abs(day.open / day.previous_close - 1) < 0.031


@pytest.mark.parametrize("seed", [1, 7, 42])
def test_a_spike_is_back_within_minutes(calendar: SessionTable, seed: int) -> None:
    bars = minutes(*world(calendar, "spike", seed))
    away = [abs(later.close / earlier.close - 1) for earlier, later in zip(bars, bars[3:], strict=False)]
    at = away.index(max(away))
    assert max(away) > 0.015
    assert abs(bars[at + 11].close / bars[at].close - 1) < 0.006


def halt_of(market: SyntheticMarket, session: Session) -> tuple[datetime, datetime]:
    at = session.opens
    while not market.halted(SPY, at):
        at += timedelta(seconds=30)
    begins = at
    while market.halted(SPY, at):
        at += timedelta(seconds=30)
    return begins, at


def test_in_a_halt_nothing_moves_and_nothing_trades(calendar: SessionTable) -> None:
    market, session = world(calendar, "halt")
    begins, ends = halt_of(market, session)
    assert ends - begins == timedelta(minutes=15)
    [call] = market.details(
        ContractQuery(symbol="SPX", sec_type="OPT", trading_class="SPXW", expiry="20240705", strike=5300, right="C"),
        begins,
    )
    for con_id in (SPY, call.contract.con_id):
        inside = [market.quote(con_id, begins + timedelta(seconds=second)) for second in range(0, 900, 100)]
        assert all(quote == inside[0] for quote in inside)
        assert market.is_trading(con_id, begins, outside_rth=False)  # its hours; orders look at `halted` too
    assert not market.prints(SPY, begins, ends)
    assert market.prints(SPY, ends, ends + timedelta(seconds=5))
    assert not market.halted(EURUSD, begins)
    assert market.prints(SPY, begins - timedelta(seconds=5), begins)


def test_other_days_have_no_halt(calendar: SessionTable) -> None:
    market, session = world(calendar, "walk")
    assert not any(market.halted(SPY, session.opens + timedelta(minutes=minute)) for minute in range(390))
