"""What the chart and the ladders read, from a record with an open trade."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from tests.support import record
from tests.support.opened import opened_trade
from tests.support.people import House, chain

from htbot.domain.bars import Bar
from htbot.domain.sessions import Session
from htbot.marketdata.snapshot import OpenBar
from htbot.persistence.queries.selection import Selection
from htbot.persistence.repositories import BarRepository, FillRepository, OrderRepository, SessionRepository
from htbot.services.day_picture import BARS_SHOWN, DayPictures

EVERYTHING = Selection()
OPENS = record.NOON.replace(hour=13, minute=30)


def pictures(house: House) -> DayPictures:
    return DayPictures(house.database, house.live, record.SYMBOL, 5, house.now)


def test_the_bars_of_the_day_and_those_before_it_as_far_as_they_are_known(house: House) -> None:
    first = record.NOON - timedelta(minutes=5 * 200)
    bars = [replace(record.bar(0), start=first + timedelta(minutes=5 * number)) for number in range(200)]
    future = replace(record.bar(0, close=1.0, low=0.5), start=record.NOON + timedelta(minutes=5))
    with house.database.transaction() as session:
        SessionRepository(session).upsert([Session(record.DAY, OPENS, OPENS.replace(hour=20, minute=0))])
        BarRepository(session).upsert(record.WORLD, bars, record.NOON)
        BarRepository(session).upsert(record.WORLD, [future], future.end)
    told = pictures(house).bars()
    assert (told.day, told.opens, len(told.bars)) == (record.DAY, OPENS, BARS_SHOWN)
    assert told.bars[-1].start == bars[-1].start
    assert [bar.start >= OPENS for bar in told.today] == [True] * 30
    assert (told.high, told.low) == (bars[-1].high, bars[-1].low)


def test_the_bar_that_is_being_made_is_the_desks(house: House) -> None:
    made = Bar(record.SYMBOL, record.NOON, 5, 4150.0, 4170.0, 4149.0, 4160.0, 0.0)
    assert house.live.seen is None
    with house.database.transaction() as session:
        SessionRepository(session).upsert([Session(record.DAY, OPENS, OPENS.replace(hour=20, minute=0))])
    assert (pictures(house).bars().open_bar, pictures(house).bars().high) == (None, None)
    house.live.seen = replace(chain(), open_bar=OpenBar(made, None, None))
    told = pictures(house).bars()
    assert (told.open_bar, told.high, told.spot) == (made, 4170.0, 4152.0)
    house.live.seen = replace(house.live.seen, open_bar=OpenBar(replace(made, minutes=1), None, None))
    assert pictures(house).bars().open_bar is None
    house.live.seen = replace(house.live.seen, as_of=record.NOON - timedelta(days=1))
    assert pictures(house).bars().spot is None


def test_the_story_has_the_entry_and_the_marks(house: House) -> None:
    trade = opened_trade(house.database)
    assert [point.pnl for point in pictures(house).stories()[None].equity] == [None], "a commission is not told yet"
    with house.database.transaction() as session:
        assert FillRepository(session).set_commissions({"e2.01": Decimal("1.05")}) == 1
    stories = pictures(house).stories()
    told = stories[record.ACCOUNT]
    assert stories[None] == told, "of all accounts that are traded"
    assert [(point.kind, point.trade_id, point.at) for point in told.points] == [("entry", trade.id, trade.opened_at)]
    assert [(point.at, point.pnl) for point in told.equity] == [(record.at(3), Decimal("37.90"))]


def test_without_a_record_the_picture_is_empty(house: House) -> None:
    house.live.said = None
    told = pictures(house).bars()
    assert (told.day, told.bars, told.high, told.as_of) == (None, (), None, None)
    assert pictures(house).stories()[None].points == ()


def test_a_ladder_is_each_limit_that_the_order_had(house: House) -> None:
    trade = opened_trade(house.database)
    (order,) = house.queries.orders(EVERYTHING)
    with house.database.transaction() as session:
        stored = OrderRepository(session).get(order.ref)
        assert stored is not None
        OrderRepository(session).upsert(replace(stored, limit=Decimal("-4.15")), record.at(3))
    with house.database.transaction() as session:
        stored = OrderRepository(session).get(order.ref)
        assert stored is not None
        OrderRepository(session).upsert(replace(stored, filled=1), record.at(4))
    told = house.queries.ladders([order.ref, "none"])
    assert [str(step.limit) for step in told[order.ref]] == ["-4.25", "-4.15"]
    assert set(told) == {order.ref}
    assert house.queries.orders(EVERYTHING)[0].trade_id == trade.id
