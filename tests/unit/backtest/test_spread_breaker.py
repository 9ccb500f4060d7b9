from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from tests.support.paper_world import DAYS, START, HandMarket

from htbot.backtest.spread_account import SpreadAccount
from htbot.backtest.spread_book import SpreadBook
from htbot.backtest.spread_breaker import SpreadBreaker
from htbot.backtest.spread_feed import SpreadFeed
from htbot.matching.fees import Plan
from htbot.risk.breaker import BreakerLimits
from htbot.strategies.base import Needs


class Losses(SpreadBook):
    """A book that has lost an amount."""

    def __init__(self, lost: int) -> None:
        super().__init__()
        self.lost = lost

    def realized_usd(self, session: date) -> Decimal:
        assert session == DAYS[0]
        return Decimal(-self.lost)


@pytest.fixture
def feed() -> SpreadFeed:
    made = SpreadFeed(HandMarket(), Needs("SPX", 5, 10, 10))
    made.move(START)
    return made


def account(cash: int = 100_000) -> SpreadAccount:
    return SpreadAccount("DU1", Decimal(cash), Plan.FIXED, lambda _con_id: None)


def test_a_daily_loss_trips_once_and_ends_with_its_session(feed: SpreadFeed) -> None:
    breaker = SpreadBreaker(BreakerLimits(daily_loss_usd=Decimal(500)))
    breaker.begin(SpreadBook(), feed)
    assert not breaker.look(Losses(499), account(), feed, DAYS[0])
    assert breaker.halted_by is None
    assert breaker.look(Losses(500), account(), feed, DAYS[0])
    assert not breaker.look(Losses(600), account(), feed, DAYS[0])
    assert breaker.halted_by is not None
    assert breaker.halted_by.startswith("breaker by daily_loss: the day's P&L is -500.00 USD")
    assert len(breaker.trips) == 1
    breaker.begin(SpreadBook(), feed)
    assert breaker.halted_by is None


def test_a_drawdown_stays(feed: SpreadFeed) -> None:
    breaker = SpreadBreaker(BreakerLimits())
    breaker.begin(SpreadBook(), feed)
    assert not breaker.look(SpreadBook(), account(), feed, DAYS[0])
    assert breaker.peak_usd == 100_000
    assert breaker.look(SpreadBook(), account(90_000), feed, DAYS[0])
    breaker.begin(SpreadBook(), feed)
    assert breaker.halted_by is not None
    assert "drawdown" in breaker.halted_by
    assert not breaker.look(SpreadBook(), account(80_000), feed, DAYS[0]), "it has tripped already"
