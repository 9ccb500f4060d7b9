"""The day of one account as the breaker reads it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from tests.support import plain, record

from htbot.domain.orders import Action, ExitReason, OrderState
from htbot.domain.trades import Trade, TradeState
from htbot.execution.intents import exit_intent
from htbot.persistence.day_book import DayBook, read_day
from htbot.persistence.engine import Database
from htbot.persistence.records import PnlSnapshot
from htbot.persistence.repositories import (
    FillRepository,
    IntentRepository,
    OrderRepository,
    PnlRepository,
    RiskDecisionRepository,
    TradeRepository,
)

YESTERDAY = record.DAY - timedelta(days=1)
EARLY = record.NOON - timedelta(hours=4)


def store(database: Database, number: int, **changes: object) -> Trade:
    trade = replace(record.trade(number), strategy=f"s{number}", **changes)
    with database.transaction() as session:
        assert TradeRepository(session).add(trade)
    return trade


def closed(gross: str | None, fees: str | None, **changes: object) -> dict[str, object]:
    return {
        "state": TradeState.CLOSED,
        "credit": Decimal("4.20"),
        "closed_at": record.at(30),
        "gross_pnl_usd": None if gross is None else Decimal(gross),
        "commissions_usd": None if fees is None else Decimal(fees),
        **changes,
    }


def day(database: Database) -> DayBook:
    with database.transaction() as session:
        return read_day(session, record.ACCOUNT, record.DAY, EARLY)


def test_an_empty_day_is_zero_and_known(database: Database) -> None:
    assert day(database) == DayBook(Decimal("0.00"), Decimal("0.00"), ())


def test_what_was_filled_on_the_day_is_summed(database: Database) -> None:
    store(database, 1, **closed("-245", "4.92"))
    store(database, 2, **closed("180", "4.92"))
    store(database, 3, state=TradeState.OPEN, credit=Decimal(4), commissions_usd=Decimal("2.46"))
    store(database, 4, state=TradeState.VOID, closed_at=record.at(5))
    store(database, 5, **closed("-999", "9", account="DU1000002"))
    assert day(database) == DayBook(Decimal("-65.00"), Decimal("12.30"), ())


def test_an_older_trade_counts_on_the_day_that_it_was_closed(database: Database) -> None:
    store(database, 1, **closed("-300", "1", session=YESTERDAY))
    store(
        database,
        2,
        **closed(
            "-70",
            "1",
            session=YESTERDAY,
            opened_at=EARLY - timedelta(days=1),
            closed_at=record.NOON - timedelta(days=1),
        ),
    )
    found = day(database)
    assert (found.realized_usd, found.carried_usd) == (Decimal("-300.00"), None), "it was never marked: not known"


@pytest.mark.parametrize(("sold_s", "carried"), [(0, "65.00"), (20, "55.00")])
def test_of_an_older_trade_only_what_the_day_has_changed_counts(database: Database, sold_s: int, carried: str) -> None:
    """Held since yesterday, a quarter sold then: 25 realised, 40 open at the last mark, of it 30 for what stayed."""
    evening = record.NOON - timedelta(hours=18)
    trade = plain.trade(session=YESTERDAY, state=TradeState.OPEN, credit=Decimal(-400), opened_at=evening)
    trade = replace(trade, gross_pnl_usd=Decimal(125), commissions_usd=Decimal(3))
    part = exit_intent(replace(trade, quantity=100), ExitReason.SIGNAL, None, evening, 25)
    entered = record.fill(plain.entry(trade), plain.LONG, "E.01", "400.00", commission=Decimal(1), executed_at=evening)  # type: ignore[arg-type]
    sold = replace(entered, exec_id="X.01", ref=part.ref, side=Action.SELL, quantity=25, price=Decimal(401))
    sold = replace(sold, executed_at=evening + timedelta(seconds=sold_s))
    mark = PnlSnapshot(trade.id, evening, None, None, Decimal(40), None, None, {})
    with database.transaction() as session:
        RiskDecisionRepository(session).add(record.approval(1))
        assert TradeRepository(session).add(trade)
        for intent in (plain.entry(trade, session=YESTERDAY), part):
            assert IntentRepository(session).add(intent)
        for one in (entered, sold):
            assert FillRepository(session).add(one, evening)
        for at, pnl in ((evening, 40), (record.at(0), 90)):
            PnlRepository(session).add_snapshot(replace(mark, as_of=at, mid_pnl_usd=Decimal(pnl)))
    found = day(database)
    assert (found.realized_usd, found.carried_usd) == (Decimal("125.00"), Decimal(carried))
    assert found.commissions_usd == Decimal("1.00"), "what was paid yesterday is none of today"


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (closed("-300", None), (Decimal("-290.00"), None)),
        (closed(None, "2"), (None, Decimal("3.00"))),
        ({"state": TradeState.OPEN, "credit": Decimal(4)}, (Decimal("10.00"), None)),
    ],
)
def test_a_part_that_is_not_known_makes_its_sum_unknown(
    database: Database, facts: dict[str, object], expected: tuple[Decimal | None, Decimal | None]
) -> None:
    store(database, 1, **closed("10", "1"))
    store(database, 2, **facts)
    found = day(database)
    assert (found.realized_usd, found.commissions_usd) == expected


def test_refused_orders_are_those_since(database: Database, enter: object) -> None:
    for number, (state, at) in enumerate(
        [(OrderState.REJECTED, record.at(1)), (OrderState.REJECTED, EARLY), (OrderState.CANCELLED, record.at(2))], 1
    ):
        _, intent = enter(number, strategy=f"s{number}", id=f"s{number}")  # type: ignore[operator]
        with database.transaction() as session:
            OrderRepository(session).upsert(record.order(intent, state=state), at)
    assert day(database).rejected_at == (record.at(1),)
