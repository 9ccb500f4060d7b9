from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from tests.support.shared_data import sessions, shared_file

from htbot.domain.sessions import SessionTable
from htbot.market.listing import ExpiryRules, strike_grid, strike_step
from htbot.market.timeline import Timeline


@pytest.fixture
def years() -> Timeline:
    return Timeline(sessions(shared_file("oracle/us_sessions_2012_2027.csv")))


def test_modelled_lists_every_session(calendar: SessionTable) -> None:
    rules = ExpiryRules(Timeline(calendar))
    ahead = rules.ahead("SPXW", date(2024, 7, 1))
    assert [day.day for day in ahead[:11]] == [1, 2, 3, 5, 8, 9, 10, 11, 12, 15, 16]
    assert [f"{day:%m%d}" for day in ahead[11:]] == [
        "0719", "0726", "0802", "0809", "0816", "0823", "0830", "0920", "1018", "1115", "1220",
        "0117", "0221", "0321", "0418", "0516", "0620", "0718", "0116", "0115",
    ]  # fmt: skip
    assert rules.ahead("SPXW", date(2024, 7, 4))[0] == date(2024, 7, 5)
    assert not rules.lists("SPXW", date(2024, 7, 4))


def test_classes_that_settle_at_the_open_have_the_third_fridays_only(calendar: SessionTable) -> None:
    ahead = ExpiryRules(Timeline(calendar)).ahead("SPX", date(2024, 7, 15))
    assert [f"{day:%m%d}" for day in ahead[:4]] == ["0719", "0816", "0920", "1018"]
    assert all(day.weekday() == 4 and 15 <= day.day <= 21 for day in ahead)


def test_they_trade_for_the_last_time_in_the_session_before(calendar: SessionTable) -> None:
    rules = ExpiryRules(Timeline(calendar))
    assert rules.last_trade("SPX", date(2024, 7, 19)) == date(2024, 7, 18)
    assert rules.last_trade("SPXW", date(2024, 7, 19)) == date(2024, 7, 19)
    assert rules.ahead("SPX", date(2024, 7, 18))[0] == date(2024, 7, 19)
    assert rules.ahead("SPX", date(2024, 7, 19))[0] == date(2024, 8, 16)


def test_weeklies_of_the_volatility_index_leave_the_month_to_its_own_class(calendar: SessionTable) -> None:
    rules = ExpiryRules(Timeline(calendar))
    assert not set(rules.ahead("VIX", date(2024, 7, 1))) & set(rules.ahead("VIXW", date(2024, 7, 1)))


def test_stocks_have_fridays(calendar: SessionTable) -> None:
    rules = ExpiryRules(Timeline(calendar))
    ahead = rules.ahead("JPM", date(2024, 7, 1))
    assert [f"{day:%m%d}" for day in ahead[:4]] == ["0705", "0712", "0719", "0726"]
    assert not rules.lists("JPM", date(2024, 7, 2))
    assert rules.ahead("AAPL", date(2024, 7, 1))[1] == date(2024, 7, 2)


def test_strikes_of_compact_classes_are_rungs_of_the_ladder() -> None:
    strikes = strike_grid("JPM", 220.0)
    assert (strikes[0], strikes[-1]) == (Decimal(154), Decimal("285.0"))
    assert {later - earlier for earlier, later in pairwise(strikes)} == {Decimal(1), Decimal("2.5")}


@pytest.mark.parametrize(
    ("trading_class", "day", "listed"),
    [
        ("SPXW", date(2021, 1, 4), True),  # a Monday
        ("SPXW", date(2021, 1, 5), False),
        ("SPXW", date(2021, 1, 6), True),
        ("SPXW", date(2022, 5, 10), True),  # Tuesdays since April 2022
        ("SPXW", date(2022, 5, 5), False),
        ("SPXW", date(2022, 5, 12), True),
        ("SPXW", date(2015, 12, 23), False),  # a Wednesday before they came
        ("SPY", date(2022, 8, 25), False),
        ("SPY", date(2022, 8, 26), True),
        ("SPY", date(2022, 11, 17), True),
        ("QQQ", date(2022, 11, 10), False),
        ("QQQ", date(2023, 3, 9), True),
        ("AAPL", date(2022, 8, 24), False),
        ("AAPL", date(2022, 8, 26), True),
        ("SPY", date(2022, 4, 14), True),  # Good Friday: its expiry is on the Thursday
        ("SPXW", date(2021, 1, 19), True),  # a Monday holiday: on the Tuesday
    ],
)
def test_ruling_23_dated_weekdays(years: Timeline, trading_class: str, day: date, listed: bool) -> None:
    assert ExpiryRules(years, "historical").lists(trading_class, day) is listed


def test_historical_goes_daily_in_2023(years: Timeline) -> None:
    rules = ExpiryRules(years, "historical")
    for trading_class in ("SPXW", "SPY", "QQQ"):
        ahead = [day for day in rules.ahead(trading_class, date(2023, 3, 6)) if day <= date(2023, 3, 17)]
        assert ahead == [session.day for session in years.ahead(date(2023, 3, 6), len(ahead))]


def test_strikes_reach_15_percent_on_their_step() -> None:
    for name, spot, step in (("SPXW", 5487.3, 5), ("SPY", 548.1, 1), ("QQQ", 480.0, 1)):
        strikes = strike_grid(name, spot)
        assert {later - earlier for earlier, later in pairwise(strikes)} == {Decimal(step)}
        assert float(strikes[0]) <= 0.85 * spot
        assert float(strikes[-1]) >= 1.15 * spot
        assert strikes[0] % step == 0


def test_steps_of_stocks() -> None:
    assert [strike_step("AAPL", price) for price in (80.0, 230.0, 700.0)] == [Decimal(1), Decimal("2.5"), Decimal(5)]


def test_stand_ins_are_one_session(years: Timeline) -> None:
    friday = date(2022, 4, 15)
    rules = ExpiryRules(years, "historical")
    around = [friday + timedelta(days=offset) for offset in (-3, -2, -1, 0)]
    assert [rules.lists("AAPL", day) for day in around] == [False, False, True, False]
