"""A trade that expired at the broker ends in our books, once, or is handed to a person."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy.orm import Session
from tests.integration.persistence.conftest import Enter
from tests.support.record import ACCOUNT, LONG, SHORT, at, exit_of, fill

from htbot.domain.fills import Fill
from htbot.domain.orders import ExitReason, IntentState
from htbot.domain.trades import Trade, TradeState
from htbot.execution.disagreement import Standing, judge
from htbot.execution.expiry import Expired, NeedsPerson, NotExpired, Settlement
from htbot.execution.reconciliation import Books, BrokerView, Holding, reconcile
from htbot.persistence.engine import Database
from htbot.persistence.records import PnlSnapshot
from htbot.persistence.repositories import (
    AlertRepository,
    FillRepository,
    IntentRepository,
    PnlRepository,
    PositionRepository,
    TradeRepository,
)
from htbot.portfolio.positions import fold
from htbot.services.expiry import BrokerSide, book_expiry
from htbot.services.reconciliation import record_look
from htbot.services.trade_record import settle_trade

CLOSES = datetime(2022, 8, 26, 20, 0, tzinfo=UTC)
NEXT_DAY = datetime(2022, 8, 27, 13, 0, tzinfo=UTC)
GONE = BrokerSide({})
Compared = tuple[datetime, int]
"""When books and broker were compared, and what the broker held then."""
COMPARED: Compared = (CLOSES + timedelta(seconds=10), 1)


@pytest.fixture
def held(database: Database, enter: Enter, epoch: int) -> Trade:
    """One spread is open: sold at 5.10, its wing bought at 0.90."""
    trade, intent = enter()
    with database.transaction() as session:
        intents = IntentRepository(session)
        intents.claim_some(epoch, at(1), 1)
        intents.move(intent.ref, IntentState.CLAIMED, IntentState.FILLED, epoch=epoch, at=at(2))
        for leg, price in ((SHORT, "5.10"), (LONG, "0.90")):
            one = fill(intent, leg, f"{leg.con_id}.01", price, commission=Decimal("1.10"))
            FillRepository(session).add(one, at(2))
        return settle_trade(session, trade.id, at(2))


def compare(session: Session, ours: Fill, compared: Compared) -> None:
    as_of, holds = compared
    holding = [Holding(ACCOUNT, ours.con_id, ours.symbol, holds)] if holds else []
    found = reconcile(Books(fold([ours]), frozenset(), frozenset()), BrokerView(holding))
    judgement, _after = judge(Standing(), found, as_of)
    record_look(session, ACCOUNT, judgement, "interval")


@pytest.mark.fault(39)
def test_it_is_closed_by_expiry_with_its_result(database: Database, held: Trade, epoch: int) -> None:
    for _ in range(2):
        with database.transaction() as session:
            ended = book_expiry(session, held.id, GONE, Settlement(CLOSES, Decimal("4148.50")), NEXT_DAY, epoch)
    assert isinstance(ended, NotExpired), "the second time there is nothing left to close"
    with database.transaction() as session:
        trade = TradeRepository(session).get(held.id)
        (exit_,) = [one for one in IntentRepository(session).of_trade(held.id) if one.intent.exit_reason]
        assert PositionRepository(session).of_account(ACCOUNT) == []
        day = PnlRepository(session).day(ACCOUNT, held.session)
        mails = [stored.alert.kind for stored in AlertRepository(session).recent()]
    assert trade is not None
    assert (trade.state, trade.exit_reason, trade.closed_at) == (TradeState.CLOSED, ExitReason.EXPIRY, CLOSES)
    assert (trade.credit, trade.debit, trade.net_pnl_usd) == (Decimal("4.20"), Decimal("1.50"), Decimal("267.80"))
    assert day is not None
    assert day.net_usd == Decimal("267.80")
    assert (exit_.state, exit_.order_id, exit_.evidence["settlement"]) == (IntentState.FILLED, None, "4148.50")
    assert "trade_exit" in mails


@pytest.mark.fault(39)
def test_without_a_price_a_person_is_told_and_nothing_is_booked(database: Database, held: Trade, epoch: int) -> None:
    for _ in range(2):
        with database.transaction() as session:
            ended = book_expiry(session, held.id, GONE, Settlement(CLOSES, None), NEXT_DAY, epoch)
            assert isinstance(ended, NeedsPerson)
    with database.transaction() as session:
        trade = TradeRepository(session).get(held.id)
        told = [stored.alert for stored in AlertRepository(session).recent() if stored.alert.kind == "error.expiry"]
    assert trade == held
    assert len(told) == 1
    assert "SPX has no known settlement price" in told[0].text


def test_while_an_exit_is_under_way_it_has_not_expired(database: Database, held: Trade, epoch: int) -> None:
    with database.transaction() as session:
        IntentRepository(session).add(exit_of(held))
    with database.transaction() as session:
        ended = book_expiry(session, held.id, GONE, Settlement(CLOSES, Decimal(4200)), NEXT_DAY, epoch)
    assert ended == NotExpired(f"{held.id} has an order that has not ended")


def test_what_the_broker_still_shows_has_not_expired(database: Database, held: Trade, epoch: int) -> None:
    with database.transaction() as session:
        ended = book_expiry(
            session, held.id, BrokerSide({SHORT.con_id: -1}), Settlement(CLOSES, Decimal(4200)), NEXT_DAY, epoch
        )
    assert ended == NotExpired("the broker still shows 4150 P")


@pytest.mark.parametrize(
    ("seen", "ends"),
    [
        ((CLOSES, "0", None, COMPARED), True),
        ((CLOSES, "-0.05", None, COMPARED), False),
        ((CLOSES, "0", "no quote for SPX 4260 C", COMPARED), False),
        ((CLOSES - timedelta(minutes=5), "0", None, COMPARED), False),
        ((CLOSES, "0", None, (CLOSES - timedelta(minutes=1), 1)), False),
        ((CLOSES, "0", None, (CLOSES, 0)), False),
    ],
)
def test_a_bought_option_that_nobody_bid_for_at_the_close_is_booked_at_nothing(
    database: Database, enter: Enter, epoch: int, seen: tuple[datetime, str, str | None, Compared], ends: bool
) -> None:
    """Without it the side could never be entered again; with a bid, or without a look at both, a person has to say."""
    leg = replace(LONG, con_id=21)
    trade, intent = enter(legs=(leg,), width=None)
    at_close, natural, doubt, compared = seen
    with database.transaction() as session:
        intents = IntentRepository(session)
        intents.claim_some(epoch, at(1), 1)
        intents.move(intent.ref, IntentState.CLAIMED, IntentState.FILLED, epoch=epoch, at=at(2))
        bought = fill(intent, leg, "21.01", "0.90", commission=Decimal("1.10"))
        FillRepository(session).add(bought, at(2))
        held = settle_trade(session, trade.id, at(2))
        mark = PnlSnapshot(trade.id, at_close, natural_debit=Decimal(natural), details={"doubt": doubt})
        PnlRepository(session).add_snapshot(mark)
        compare(session, bought, compared)
    with database.transaction() as session:
        ended = book_expiry(session, held.id, GONE, Settlement(CLOSES, None), NEXT_DAY, epoch)
        after = TradeRepository(session).get(held.id)
    assert after is not None
    assert isinstance(ended, Expired if ends else NeedsPerson)
    assert (after.state is TradeState.CLOSED, after.net_pnl_usd) == (ends, Decimal("-91.10") if ends else None)
