from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

from tests.support import record
from tests.support.postgres import PostgresServer
from tests.support.record import ACCOUNT, DAY, LONG, NOON, SHORT, WORLD, at

from htbot.persistence.engine import Database
from htbot.persistence.journal import day_journal
from htbot.persistence.records import Account
from htbot.persistence.repositories import (
    AccountRepository,
    AlertRepository,
    BarRepository,
    EvaluationRepository,
    FillRepository,
    IntentRepository,
    OrderRepository,
    RiskDecisionRepository,
    SignalRepository,
    TradeRepository,
)

Edit = Callable[[Database], None]


def live_through_the_day(database: Database, first_id: int, *, backwards: bool = False) -> None:
    """The same day; serial ids, ids of the broker and the order of writing differ."""
    trade = record.trade()
    intent = record.entry(trade)
    account = Account(ACCOUNT, "main", WORLD, "paper", NOON)
    with database.transaction() as session:
        AccountRepository(session).upsert(account)
        AccountRepository(session).upsert(replace(account, account="DU9", world_id="another"))
        AlertRepository(session).add(record.alert("system", account=""))
        bars = [record.bar(15), record.bar(10, 4151.25)]
        BarRepository(session).upsert(WORLD, reversed(bars) if backwards else bars, NOON)
        EvaluationRepository(session).add(record.evaluation())
        signal_id = SignalRepository(session).add(record.signal(), None)
        RiskDecisionRepository(session).add(record.approval(), signal_id)
        TradeRepository(session).add(trade)
        IntentRepository(session).add(intent)
        OrderRepository(session).upsert(record.order(intent, order_id=first_id, perm_id=first_id), at(2))
        legs = (LONG, SHORT) if backwards else (SHORT, LONG)
        for number, leg in enumerate(legs):
            fill = record.fill(intent, leg, f"{first_id}.0{number}.01", perm_id=first_id, commission=Decimal("0.65"))
            FillRepository(session).add(fill, at(2))
        AlertRepository(session).add(record.alert(text="line one\nline two\tand a tab"))


def journal(database: Database) -> str:
    with database.transaction() as session:
        return day_journal(session, WORLD, DAY)


def test_two_days_that_went_the_same_way_have_the_same_bytes(
    database: Database, postgres_server: PostgresServer, record_template: str
) -> None:
    live_through_the_day(database, 100)
    url = postgres_server.create(record_template)
    other = Database(url)
    with other.transaction() as session:
        SignalRepository(session).add(record.signal(session=at(-3000).date(), as_of=at(-3000)), None)
    live_through_the_day(other, 200, backwards=True)
    assert journal(database) == journal(other)
    other.close()
    postgres_server.drop(url)


def test_a_line_of_each_kind(database: Database) -> None:
    live_through_the_day(database, 100)
    lines = journal(database).splitlines()
    kinds = [line.partition("\t")[0] for line in lines]
    assert kinds == ["bar", "bar", "evaluation", "signal", "intent", "order", "fill", "fill", "trade", "alert"]
    assert lines[4].split("\t")[1:4] == [
        "created_at=2022-08-26T16:01:00+00:00",
        'ref="htbot-spx_breakout-DU1000001-20220826-E1"',
        'trade="spx_breakout-DU1000001-20220826-1"',
    ]
    assert r'text="line one\nline two\tand a tab"' in lines[-1]


def test_a_cent_of_difference_shows(database: Database) -> None:
    live_through_the_day(database, 100)
    before = journal(database)
    with database.transaction() as session:
        FillRepository(session).set_commissions({"100.00.01": Decimal("0.66")})
    assert journal(database) != before


def test_a_day_of_which_nothing_is_known_is_empty(database: Database) -> None:
    assert journal(database) == ""
