"""What is told seldom is told of each account and of each trade."""

from __future__ import annotations

from tests.support.record import ACCOUNT, at

from htbot.alerts.wording import error_alert
from htbot.persistence.engine import Database
from htbot.services.outbox import tell_seldom


def test_a_trouble_of_one_account_does_not_silence_another(database: Database) -> None:
    with database.transaction() as session:
        told = [
            tell_seldom(session, error_alert("P&L mismatch", "40 USD", at(minute), account=account))
            for minute, account in ((0, ACCOUNT), (1, "U2"), (2, ACCOUNT), (15, ACCOUNT))
        ]
    assert told == [True, True, False, True]


def test_each_trade_is_told_of_by_itself(database: Database) -> None:
    with database.transaction() as session:
        told = [
            tell_seldom(session, error_alert("close failed", "why", at(minute), trade_id=trade, account=ACCOUNT))
            for minute, trade in ((0, "spx-1"), (1, "spx-2"), (2, "spx-1"))
        ]
    assert told == [True, True, False]
