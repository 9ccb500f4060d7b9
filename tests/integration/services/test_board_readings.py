"""The record is read again when something was committed, and not otherwise."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.support import record
from tests.support.opened import opened_elsewhere, opened_trade
from tests.support.people import HOST_NOW, FakeLive, House, chain, clock, furnish

from htbot.domain.sessions import Session
from htbot.persistence.engine import Database
from htbot.persistence.queries.closes import LastClose, last_close
from htbot.persistence.repositories import BarRepository, SessionRepository, TaskRunRepository
from htbot.services.board.board import Topic
from htbot.services.board.picture import picture_of, positions_of_main
from htbot.services.board.readings import LONGEST_UNREAD, UNREADABLE, RecordReading
from htbot.services.desk_view import REDIS_AWAY

EVERYTHING = frozenset(Topic)
OTHER = "DU1000002"
NOTHING: frozenset[Topic] = frozenset()


class HostClock:
    """Host time that a test sets."""

    def __init__(self) -> None:
        self.now = HOST_NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def host() -> HostClock:
    return HostClock()


@pytest.fixture
def house(database: Database, tmp_path: Path, host: HostClock) -> House:
    return furnish(database, tmp_path, FakeLive(seen=chain()), host)


def read(house: House, wanted: frozenset[Topic], last: RecordReading | None = None) -> RecordReading:
    return house.readings.record(house.readings.live(), wanted, last)


def test_nothing_was_committed_and_nothing_is_read(house: House, host: HostClock) -> None:
    opened_trade(house.database)
    first = read(house, EVERYTHING)
    host.now += timedelta(seconds=1)
    again = read(house, EVERYTHING, first)
    assert (again.status, again.rows) == (first.status, first.rows)
    assert again.status is first.status
    assert (first.read_at, again.read_at, again.told_at) == (HOST_NOW, host.now, HOST_NOW)
    with house.database.transaction() as session:
        session.connection()  # reading is no change
    assert read(house, NOTHING, again).status is first.status


def test_any_commit_is_seen(house: House) -> None:
    first = read(house, NOTHING)
    with house.database.transaction() as session:
        TaskRunRepository(session).begin("read_market", "all", record.NOON)
    second = read(house, NOTHING, first)
    assert (len(first.status.tasks), len(second.status.tasks)) == (0, 1)
    opened_trade(house.database)
    third = read(house, NOTHING, second)
    assert (len(third.status.open_trades), len(third.positions)) == (1, 2)


def test_what_ends_by_itself_and_what_is_newly_wanted_is_read(house: House, host: HostClock) -> None:
    first = read(house, NOTHING)
    host.now += LONGEST_UNREAD
    second = read(house, NOTHING, first)
    assert second.status is not first.status
    third = read(house, frozenset({Topic.ORDERS}), second)
    assert third.status is not second.status
    assert set(third.rows) == {Topic.ORDERS}


def test_lists_are_keyed_by_what_names_a_row(house: House) -> None:
    trade = opened_trade(house.database)
    found = read(house, EVERYTHING)
    assert set(found.rows[Topic.FILLS]) == {"e1.01", "e2.01"}
    (order,) = found.rows[Topic.ORDERS].values()
    assert (order["trade_id"], order["limit"]) == (trade.id, "-4.25")
    assert [alert["kind"] for alert in found.rows[Topic.ALERTS].values()] == [record.alert().kind]
    assert len(found.rows[Topic.SIGNALS]) == 1
    assert found.money is not None
    assert found.money.account is not None
    assert found.money.account.account == record.ACCOUNT


def test_what_any_account_of_the_desk_holds_is_read(house: House) -> None:
    """No more than that: what is held in accounts that nobody trades any more is not shown."""
    own, other = opened_trade(house.database), opened_elsewhere(house.database, OTHER)
    opened_elsewhere(house.database, "DU1000003")
    alone = read(house, EVERYTHING)
    assert ({held.account for held in alone.positions}, set(alone.trades)) == ({record.ACCOUNT}, {own.id})
    house.live.said = clock(others=(OTHER,))
    both = read(house, EVERYTHING, alone)
    assert {held.account for held in both.positions} == {record.ACCOUNT, OTHER}
    assert set(both.trades) == {trade.id for trade in both.status.open_trades} == {own.id, other.id}
    assert {alert["account"] for alert in both.rows[Topic.ALERTS].values()} == {record.ACCOUNT, OTHER}
    assert both.money is not None
    assert (both.account, both.money.pnl.account) == (record.ACCOUNT, record.ACCOUNT)
    picture = picture_of(house.readings.live(), both, [], ("paper", HOST_NOW), away=False)
    assert picture.status.accounts == [record.ACCOUNT, OTHER]
    assert {held.account for held in positions_of_main(picture)} == {record.ACCOUNT}
    assert len(picture.open_trades) == 2
    assert {account: day.open.trades for account, day in picture.days.items()} == {None: 2, record.ACCOUNT: 1, OTHER: 1}


def test_redis_away_or_of_another_version_is_part_of_the_answer(house: House) -> None:
    house.live.away = True
    away = house.readings.live()
    assert (away.redis, away.desk.connection, away.tickers) == (False, REDIS_AWAY, {})
    house.live.away = False

    def garbled() -> None:
        raise KeyError("spot")

    house.live.tickers = garbled  # type: ignore[method-assign,assignment]
    other = house.readings.live()
    assert (other.redis, other.desk.connection) == (True, UNREADABLE)


def test_the_last_close_is_that_of_the_session_before(database: Database) -> None:
    friday = Session(record.DAY, *(datetime(2022, 8, 26, hour, 30, tzinfo=UTC) for hour in (13, 19)))
    thursday = Session(
        record.DAY - timedelta(days=1), *(moment - timedelta(days=1) for moment in (friday.opens, friday.closes))
    )
    ends = thursday.closes - timedelta(minutes=5)
    bars = [
        record.bar(0, 4000.0, start=ends - timedelta(minutes=5)),
        record.bar(0, 4001.0, start=ends),
        record.bar(0, 4002.0, start=thursday.closes),  # after hours
        record.bar(0, 4003.0, start=friday.opens),
    ]
    with database.transaction() as session:
        BarRepository(session).upsert(record.WORLD, bars, record.NOON)
        assert last_close(session, record.WORLD, "SPX", record.DAY) is None
        SessionRepository(session).upsert([thursday, friday])
        assert last_close(session, record.WORLD, "SPX", record.DAY) == LastClose(thursday.day, 4001.0)
        assert last_close(session, record.WORLD, "SPX", thursday.day) is None
        assert last_close(session, "another", "SPX", record.DAY) is None
        assert last_close(session, record.WORLD, "SPY", record.DAY) is None
