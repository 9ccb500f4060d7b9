"""Lists of the dashboard: of each account its own newest rows, and nothing of accounts that are traded no more."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.support import record
from tests.support.people import House

from htbot.dashboard.application import looks_of_each, of_each
from htbot.persistence.queries.selection import Selection
from htbot.persistence.repositories import EvaluationRepository, TradeRepository
from htbot.services.listings import Listings

BUSY, SELDOM, GONE = record.ACCOUNT, "DU1000002", "DU1000009"
BOTH = Selection(BUSY, more=(SELDOM,))


@pytest.fixture
def listings(house: House) -> Listings:
    """Three looks and trades of the busy account after one each of the others."""
    whose = [GONE, SELDOM, BUSY, BUSY, BUSY]
    with house.database.transaction() as session:
        for number, account in enumerate(whose, start=1):
            trade = replace(record.trade(number), id=f"t-{number}", account=account, strategy=f"s-{number}")
            TradeRepository(session).add(trade)
            EvaluationRepository(session).add(record.evaluation(account=account, as_of=record.at(number), why_not=None))
    return Listings(house.served, house.live, house.now)


def test_a_chosen_account_has_rows_of_its_own_however_many_the_others_have(house: House, listings: Listings) -> None:
    trades = of_each(house.queries.trades, BOTH, 2)
    assert {account: [trade.id for trade in rows] for account, rows in trades.items()} == {
        BUSY: ["t-4", "t-5"],
        SELDOM: ["t-2"],
        None: ["t-4", "t-5"],
    }
    for fired in (None, True):
        looks = looks_of_each(listings, BOTH, 2, fired)
        assert {account: [look.as_of for look in rows] for account, rows in looks.items()} == {
            BUSY: [record.at(5), record.at(4)],
            SELDOM: [record.at(2)],
            None: [record.at(5), record.at(4)],
        }


def test_looks_of_an_account_that_is_traded_no_more_are_not_shown_as_those_of_another(listings: Listings) -> None:
    alone = looks_of_each(listings, Selection(SELDOM), 10)
    assert {account: [look.account for look in rows] for account, rows in alone.items()} == {SELDOM: [SELDOM]}
    assert {look.account for look in looks_of_each(listings, BOTH, 10)[None]} == {BUSY, SELDOM}
