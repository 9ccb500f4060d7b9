"""Strategy 2 as an instance in the record: a worker's seat enters a call, then a put, and a person is told why."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from tests.support.accounts import AskedBroker
from tests.support.breakout_world import ACCOUNT, World, limits_of, session_on

from htbot.domain.bars import Bar
from htbot.domain.margin import Share
from htbot.domain.orders import OrderIntent
from htbot.domain.trades import Trade
from htbot.persistence.book import BookKey, BookQuery
from htbot.persistence.engine import Database
from htbot.persistence.queries.why import explain
from htbot.persistence.records import OBSERVE, TRADE, StrategyInstance
from htbot.persistence.repositories import (
    DeskStateRepository,
    EvaluationRepository,
    IntentRepository,
    SessionRepository,
    SignalRepository,
    TradeRepository,
)
from htbot.services.market_reader import TRADES, MarketReader, Switches
from htbot.services.option_instances import spread_strategy

SESSION = session_on(2022, 8, 26, opens=(13, 30))
FIRST = SESSION.opens + timedelta(minutes=2)
STEP = timedelta(seconds=30)
SETTINGS = {"call_index": 2, "put_index": 3, "max_premium": "9", "quantity": 2}


class Room:
    """A record, a quiet market, and a worker's reader of one instance."""

    def __init__(self, database: Database, mode: str = TRADE) -> None:
        self.database, self.broker = database, AskedBroker()
        self.market = World(SESSION, [Bar("SPX", SESSION.opens, 5, 4100.0, 4101.0, 4099.0, 4100.0)])
        at = SESSION.opens
        instance = StrategyInstance(
            "sm",
            "strangle_momentum",
            "SPX",
            5,
            0,
            SETTINGS,
            "c0ffee",
            enabled=True,
            mode=mode,
            created_at=at,
            changed_at=at,
        )
        strategy = spread_strategy(instance)
        limits = replace(limits_of("SPX"), hours=strategy.hours)
        switches = TRADES if mode == TRADE else Switches(observed=True)
        self.reader = MarketReader(strategy, limits, self.broker, switches)
        with database.transaction() as session:
            SessionRepository(session).upsert([SESSION])
            desk = DeskStateRepository(session)
            desk.set_reconciled(desk.begin_epoch())

    def look(self, times: int = 1) -> None:
        """So many looks, 30 seconds apart."""
        for number in range(times):
            at = FIRST + number * STEP
            with self.database.transaction() as session:
                self.reader.read(session, self.market.snapshot(at), at)

    def entered(self) -> list[tuple[Trade, OrderIntent]]:
        with self.database.transaction() as session:
            trades = TradeRepository(session).of_session(SESSION.day, ACCOUNT)
            intents = {
                one.intent.trade_id: one.intent for one in IntentRepository(session).of_session(SESSION.day, ACCOUNT)
            }
        return [(trade, intents[trade.id]) for trade in trades]


@pytest.fixture
def room(database: Database) -> Room:
    return Room(database)


def test_a_call_and_then_a_put_are_entered_each_once(room: Room) -> None:
    room.look(times=4)
    (call, buy_call), (put, buy_put) = room.entered()
    assert [(one.legs[0].right, int(one.direction), one.width) for one in (call, put)] == [
        ("C", 1, None),
        ("P", -1, None),
    ]
    assert (call.opened_at, put.opened_at) == (FIRST, FIRST + STEP)
    assert call.rules == put.rules
    assert call.rules.momentum is not None
    assert [intent.ref[-2:] for intent in (buy_call, buy_put)] == ["E1", "E2"]
    assert [question.legs for question in room.broker.asked] == [
        (Share(intent.legs[0].con_id, 1, option=True),) for intent in (buy_call, buy_put)
    ]
    with room.database.transaction() as session:
        told = [one.why_not for one in EvaluationRepository(session).of_day(SESSION.day, ACCOUNT)]
        why = explain(session, call.id)
    assert told[:2] == [None, None]
    assert set(told[2:]) == {"the call of this session has had its signal; the put of this session has had its signal"}
    assert why is not None
    assert "at most 9" in str([step.values for step in why.steps])


def test_the_book_counts_what_is_paid_and_which_side_is_held(room: Room) -> None:
    room.look(times=2)
    paid = [intent.worst_limit * 2 * 100 for _trade, intent in room.entered()]
    with room.database.transaction() as session:
        book = BookQuery(session).peek(BookKey("sm", ACCOUNT, SESSION.day), FIRST + 2 * STEP)
    assert (book.open_trades, book.open_directions) == (2, frozenset({1, -1}))
    assert (
        book.open_maximum_loss_usd == book.value_by_symbol_usd["SPX"] == book.unseen_value_usd == sum(paid, Decimal(0))
    )


def test_one_that_observes_leaves_its_signals_and_sends_nothing(database: Database) -> None:
    room = Room(database, OBSERVE)
    room.look(times=4)
    assert room.entered() == []
    with room.database.transaction() as session:
        signals = SignalRepository(session).of_session(SESSION.day, ACCOUNT)
    assert [(int(one.signal.direction), one.refused_by) for one in signals] == [(1, "observe"), (-1, "observe")]
