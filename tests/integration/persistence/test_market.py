from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy.exc import IntegrityError
from tests.support.record import NOON, SYMBOL, WORLD, at, bar

from htbot.domain.quotes import Quote
from htbot.domain.sessions import Session
from htbot.persistence.engine import Database
from htbot.persistence.repositories import BarRepository, Series, SessionRepository, TickRepository

SERIES = Series(WORLD, SYMBOL, 5)


def test_bars_come_back_as_they_were_oldest_first(database: Database) -> None:
    bars = [bar(5, 4151.3), bar(15, 4149.1), bar(10, 0.1 + 0.2 + 4150)]
    with database.transaction() as session:
        assert BarRepository(session).upsert(WORLD, bars, NOON) == 3
    with database.transaction() as session:
        assert BarRepository(session).closed(SERIES, NOON) == sorted(bars, key=lambda one: one.start)


def test_bars_that_were_not_known_yet_are_not_seen(database: Database) -> None:
    with database.transaction() as session:
        repository = BarRepository(session)
        repository.upsert(WORLD, [bar(15)], at(-10))
        repository.upsert(WORLD, [bar(10)], at(-5))
        assert repository.closed(SERIES, at(-6)) == [bar(15)]
        assert repository.closed(SERIES, at(-5)) == [bar(15), bar(10)]


def test_loading_the_same_bars_again_keeps_the_time_they_were_known(database: Database) -> None:
    with database.transaction() as session:
        repository = BarRepository(session)
        repository.upsert(WORLD, [bar(15)], at(-10))
        assert repository.upsert(WORLD, [bar(15), bar(10)], NOON) == 1
        assert repository.closed(SERIES, at(-10)) == [bar(15)]


def test_a_corrected_bar_is_known_from_its_correction_on(database: Database) -> None:
    with database.transaction() as session:
        repository = BarRepository(session)
        repository.upsert(WORLD, [bar(15)], at(-10))
        assert repository.upsert(WORLD, [bar(15, 4155.0)], NOON) == 1
        assert repository.closed(SERIES, at(-1)) == []
        assert repository.closed(SERIES, NOON) == [bar(15, 4155.0)]


def test_of_two_bars_with_one_start_the_last_is_stored(database: Database) -> None:
    with database.transaction() as session:
        assert BarRepository(session).upsert(WORLD, [bar(15), bar(15, 4155.0)], NOON) == 1
        assert BarRepository(session).closed(SERIES, NOON) == [bar(15, 4155.0)]


def test_many_bars_go_in_batches(database: Database) -> None:
    bars = [bar(5 * number) for number in range(1, 2502)]
    with database.transaction() as session:
        repository = BarRepository(session)
        assert repository.upsert(WORLD, bars, NOON) == 2501
        assert repository.latest(SERIES, NOON, 600) == repository.closed(SERIES, NOON, since=bars[599].start)
        assert len(repository.latest(SERIES, NOON, 600)) == 600
        assert repository.first(SERIES) == bars[-1].start
        assert repository.first(replace(SERIES, symbol="NONE")) is None


def test_worlds_symbols_and_lengths_are_apart(database: Database) -> None:
    with database.transaction() as session:
        repository = BarRepository(session)
        repository.upsert("other", [bar(15)], NOON)
        repository.upsert(WORLD, [bar(15, symbol="SPY"), bar(15, minutes=1)], NOON)
        assert repository.closed(SERIES, NOON) == []


def test_an_open_bar_is_refused(database: Database) -> None:
    with database.transaction() as session, pytest.raises(ValueError, match="is open at 16:00:00"):
        BarRepository(session).upsert(WORLD, [bar(4)], NOON)


@pytest.mark.parametrize(
    "broken",
    [
        {"high": float("nan")},
        {"close": float("nan")},
        {"high": float("inf")},
        {"low": -1.0},
        {"low": 4151.0},
        {"high": 4149.0},
        {"volume": float("nan")},
        {"volume": -1.0},
    ],
)
def test_a_bar_that_cannot_be_is_refused_by_the_record(database: Database, broken: dict[str, float]) -> None:
    with pytest.raises(Exception, match="violates check constraint"), database.transaction() as session:
        BarRepository(session).upsert(WORLD, [replace(bar(15), **broken)], NOON)


def test_bars_of_a_new_york_day(database: Database) -> None:
    late = replace(bar(5), start=datetime(2022, 8, 27, 3, 30, tzinfo=UTC))  # 23:30 in New York
    next_day = replace(bar(5), start=datetime(2022, 8, 27, 4, 0, tzinfo=UTC))
    known_at = datetime(2022, 8, 28, tzinfo=UTC)
    with database.transaction() as session:
        BarRepository(session).upsert(WORLD, [late, next_day, bar(5)], known_at)
        found = BarRepository(session).of_day(WORLD, date(2022, 8, 26))
    assert found == [(bar(5), known_at), (late, known_at)]


def test_ticks_are_stored_once(database: Database) -> None:
    quotes = [Quote(11, NOON, 1.0, 1.1), Quote(11, NOON + timedelta(seconds=1), None, 1.2)]
    with database.transaction() as session:
        assert TickRepository(session).add(WORLD, SYMBOL, quotes) == 2
        assert TickRepository(session).add(WORLD, SYMBOL, quotes) == 0


def test_sessions_are_replaced_by_what_the_calendar_says_now(database: Database) -> None:
    opens = datetime(2022, 11, 25, 14, 30, tzinfo=UTC)
    full = Session(opens.date(), opens, opens + timedelta(hours=6.5))
    half = Session(opens.date(), opens, opens + timedelta(hours=3.5), early_close=True)
    with database.transaction() as session:
        repository = SessionRepository(session)
        repository.upsert([full])
        repository.upsert([half])
        assert repository.get(opens.date()) == half
        assert repository.between(date(2022, 11, 1), date(2022, 11, 30)) == [half]
        assert repository.get(date(2022, 11, 24)) is None


def test_a_session_that_closes_before_it_opens_is_refused(database: Database) -> None:
    with pytest.raises(IntegrityError), database.transaction() as session:
        SessionRepository(session).upsert([Session(NOON.date(), NOON, at(-1))])
