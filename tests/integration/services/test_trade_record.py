"""Several trades are brought up to date by as many statements as one, each as if it were alone."""

from __future__ import annotations

from decimal import Decimal

import pytest
from sqlalchemy import event
from tests.integration.persistence.conftest import Enter
from tests.support.record import LONG, SHORT, at, fill

from htbot.domain.errors import StopTrading
from htbot.domain.orders import IntentState
from htbot.domain.trades import TradeState
from htbot.persistence.engine import Database
from htbot.persistence.repositories import FillRepository, IntentRepository, TradeRepository
from htbot.services.trade_record import settle_trade, settle_trades


def _three(database: Database, enter: Enter, epoch: int) -> list[str]:
    """One that was filled, one that ended unfilled, one that still works."""
    entered = [enter(number, strategy=f"s{number}", id=f"trade-{number}") for number in (1, 2, 3)]
    ends = (IntentState.FILLED, IntentState.EXPIRED, IntentState.SENDING)
    with database.transaction() as session:
        intents = IntentRepository(session)
        assert len(intents.claim_some(epoch, at(1), 3)) == 3
        for (_trade, intent), end in zip(entered, ends, strict=True):
            assert intents.move(intent.ref, IntentState.CLAIMED, end, epoch=epoch, at=at(2))
        for leg, price in ((SHORT, "5.10"), (LONG, "0.90")):
            one = fill(entered[0][1], leg, f"{leg.con_id}.01", price, commission=Decimal("1.10"))
            FillRepository(session).add(one, at(2))
    return [trade.id for trade, _intent in entered]


def test_each_trade_follows_its_own_facts_and_its_own_time(database: Database, enter: Enter, epoch: int) -> None:
    ids = _three(database, enter, epoch)
    with database.transaction() as session:
        settled = settle_trades(session, {trade_id: at(10 + n) for n, trade_id in enumerate(ids)})
        stored = TradeRepository(session).of_ids(ids)
    assert settled == stored
    assert [stored[trade_id].state for trade_id in ids] == [TradeState.OPEN, TradeState.VOID, TradeState.OPENING]
    assert [stored[trade_id].credit for trade_id in ids] == [Decimal("4.20"), None, None]
    assert [stored[trade_id].closed_at for trade_id in ids] == [None, at(11), None]


def test_as_many_statements_as_for_one(database: Database, enter: Enter, epoch: int) -> None:
    _filled, ended, working = _three(database, enter, epoch)
    counted: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda *told: counted.append(told[2]))
    with database.transaction() as session:
        settle_trade(session, ended, at(10))
    alone, counted[:] = len(counted), []
    with database.transaction() as session:
        settle_trades(session, {ended: at(10), working: at(10)})
    assert len(counted) <= alone


def test_one_that_is_not_in_the_record_stops(database: Database, enter: Enter, epoch: int) -> None:
    ids = _three(database, enter, epoch)
    with pytest.raises(StopTrading, match="trade trade-9 is not in the record"), database.transaction() as session:
        settle_trades(session, {ids[0]: at(10), "trade-9": at(10)})
