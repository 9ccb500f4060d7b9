"""The books made again from fills: a wrong value in any stored table is named to the cent."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.integration.services.test_expiry import CLOSES, GONE, NEXT_DAY, held  # noqa: F401 - fixture
from tests.support.record import ACCOUNT, NOON

from htbot.domain.errors import Retryable
from htbot.domain.trades import Trade
from htbot.execution.expiry import Settlement
from htbot.persistence.engine import Database
from htbot.portfolio.rebuild import Difference
from htbot.services.anchors import Anchor, AnchorFile
from htbot.services.audit import SECOND_LOOK_S, Audit, AuditParts
from htbot.services.bookings import PositionFolds
from htbot.services.expiry import book_expiry


@pytest.fixture
def closed(database: Database, held: Trade, epoch: int) -> Trade:  # noqa: F811
    with database.transaction() as session:
        book_expiry(session, held.id, GONE, Settlement(CLOSES, Decimal("4148.50")), NEXT_DAY, epoch)
    return held


class Pauses:
    """Counts the pauses between two looks, and lets something happen in them."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.taken: list[float] = []
        self.meanwhile: list[str] = []

    def __call__(self, seconds: float) -> None:
        self.taken.append(seconds)
        for statement in self.meanwhile:
            change(self.database, statement)


@pytest.fixture
def pauses(database: Database) -> Pauses:
    return Pauses(database)


@pytest.fixture
def audit(database: Database, tmp_path: Path, pauses: Pauses) -> Audit:
    return Audit(AuditParts(database, AnchorFile(tmp_path / "audit.head"), lambda: NOON, pauses))


def change(database: Database, statement: str) -> None:
    with database.transaction() as session:
        assert session.execute(text(statement)).rowcount > 0  # type: ignore[attr-defined]


def test_books_that_are_right_are_read_once(audit: Audit, closed: Trade, pauses: Pauses) -> None:
    report = audit.rebuild()
    assert (report.ok, report.fills, report.positions, report.trades, report.days) == (True, 4, 2, 1, 1)
    assert pauses.taken == []


def test_the_whole_record_is_read_for_one_at_a_time(audit: Audit, closed: Trade, tmp_path: Path) -> None:
    class Asking(AnchorFile):
        """Somebody else asks while the first one is being answered."""

        def read(self) -> list[Anchor]:
            for ask in (audit.verify, audit.rebuild):
                with pytest.raises(Retryable, match="one at a time"):
                    ask()
            return []

    audit.verify(Asking(tmp_path / "none"))
    assert audit.rebuild().ok


TRADE = "spx_breakout-DU1000001-20220826-1"
DAY = f"{ACCOUNT} 2022-08-26"


@pytest.mark.parametrize(
    ("statement", "wrong"),
    [
        (
            "UPDATE positions SET quantity = 1 WHERE con_id = 12",
            Difference("positions", f"{ACCOUNT} 12", "quantity", "1", "0"),
        ),
        (
            "UPDATE positions SET realized_usd = realized_usd + 0.01 WHERE con_id = 11",
            Difference("positions", f"{ACCOUNT} 11", "realized_usd", "360.01", "360.00"),
        ),
        ("DELETE FROM positions WHERE con_id = 11", Difference("positions", f"{ACCOUNT} 11", "row", None, "there")),
        ("UPDATE trades SET credit = 4.25", Difference("trades", TRADE, "credit", "4.25", "4.20")),
        ("UPDATE trades SET debit = NULL", Difference("trades", TRADE, "debit", None, "1.50")),
        (
            "UPDATE trades SET gross_pnl_usd = 270.005",
            Difference("trades", TRADE, "gross_pnl_usd", "270.005", "270.00"),
        ),
        ("UPDATE trades SET commissions_usd = 2", Difference("trades", TRADE, "commissions_usd", "2.00", "2.20")),
        (
            "UPDATE trades SET closed_at = closed_at - interval '1 second'",
            Difference("trades", TRADE, "closed_at", "2022-08-26T19:59:59+00:00", "2022-08-26T20:00:00+00:00"),
        ),
        ("UPDATE pnl_daily SET gross_usd = 270.01", Difference("pnl_daily", DAY, "gross_usd", "270.01", "270.00")),
        ("UPDATE pnl_daily SET net_usd = 267.79", Difference("pnl_daily", DAY, "net_usd", "267.79", "267.80")),
        ("UPDATE pnl_daily SET trades = 2", Difference("pnl_daily", DAY, "trades", "2", "1")),
        ("DELETE FROM pnl_daily", Difference("pnl_daily", DAY, "row", None, "there")),
    ],
)  # fmt: skip
def test_a_wrong_value_is_named(
    audit: Audit, database: Database, closed: Trade, pauses: Pauses, statement: str, wrong: Difference
) -> None:
    change(database, statement)
    report = audit.rebuild()
    assert (report.ok, report.differences) == (False, [wrong])
    assert pauses.taken == [SECOND_LOOK_S]


def test_a_changed_fill_shows_in_everything_made_of_it(audit: Audit, database: Database, closed: Trade) -> None:
    change(database, "UPDATE fills SET price = price + 0.10 WHERE exec_id = '11.01'")
    tables = [one.table for one in audit.rebuild().differences]
    assert set(tables) == {"positions", "trades", "pnl_daily"}


def test_what_was_only_under_way_is_no_difference(
    audit: Audit, database: Database, closed: Trade, pauses: Pauses
) -> None:
    change(database, "UPDATE trades SET commissions_usd = NULL")
    pauses.meanwhile = ["UPDATE trades SET commissions_usd = 2.20", "UPDATE pnl_daily SET trades = 2"]
    assert audit.rebuild().ok, "neither difference was there at both looks"
    assert not audit.rebuild().ok


def test_the_fold_of_the_positions_heals_them(audit: Audit, database: Database, closed: Trade) -> None:
    change(database, "UPDATE positions SET average_price = 1")
    assert not audit.rebuild().ok
    with database.transaction() as session:
        for con_id in (11, 12):
            PositionFolds().refold(session, [(ACCOUNT, con_id)], NEXT_DAY)
    assert audit.rebuild().ok
