from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.support import record
from tests.support.postgres import (  # noqa: F401 - fixtures
    database,
    database_url,
    empty_database_url,
    fresh_database_url,
    postgres_server,
    record_template,
    shared_database,
    shared_database_url,
)

from htbot.domain.orders import OrderIntent
from htbot.domain.trades import Trade
from htbot.persistence.engine import Database
from htbot.persistence.repositories import (
    DeskStateRepository,
    IntentRepository,
    RiskDecisionRepository,
    TradeRepository,
)

Enter = Callable[..., tuple[Trade, OrderIntent]]


def die_after(write: Callable[..., object], *arguments: object) -> None:
    """A process that is killed after a write and before its commit."""
    write(*arguments)
    raise ZeroDivisionError


@pytest.fixture
def enter(database: Database) -> Enter:  # noqa: F811
    """Stores an approved trade with its pending entry, as the decision's transaction does."""

    def store(number: int = 1, **changes: object) -> tuple[Trade, OrderIntent]:
        trade = record.trade(number, **changes)
        intent = record.entry(trade, number)
        with database.transaction() as session:
            RiskDecisionRepository(session).add(record.approval(number))
            assert TradeRepository(session).add(trade)
            assert IntentRepository(session).add(intent)
        return trade, intent

    return store


@pytest.fixture
def epoch(database: Database) -> int:  # noqa: F811
    """A desk has begun."""
    with database.transaction() as session:
        return DeskStateRepository(session).begin_epoch()
