"""When a broker tells the values of an account: every three minutes, on every fill of the login, or at once."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from tests.support.plain_day import request, seat
from tests.support.spread_day import in_step, walk, world
from tests.support.spread_day import request as spread_request

from htbot.backtest.account_news import AccountNews
from htbot.backtest.day_loop import play_session
from htbot.backtest.plain_run import PlainRun
from htbot.backtest.spread_account import SpreadAccount
from htbot.backtest.spread_request import SpreadRequest
from htbot.backtest.spread_run import SpreadRun
from htbot.domain.sessions import Session
from htbot.matching.fees import Plan


@pytest.fixture(scope="module")
def session() -> Session:
    return in_step(world(walk())).sessions()[0]


def account() -> SpreadAccount:
    return SpreadAccount("DU1", Decimal(100_000), Plan.FIXED, lambda _con_id: None)


def test_it_is_told_every_three_minutes_and_on_fills(session: Session) -> None:
    held, opens = account(), session.opens
    news = AccountNews(held, opens - timedelta(minutes=5))
    known = []
    for seconds, filled in ((0, False), (30, False), (60, False), (90, True), (120, False), (240, False), (270, False)):
        held.cash = Decimal(100_000 + seconds)
        now = opens + timedelta(seconds=seconds)
        news.hear(session, now, filled=filled)
        known.append(int(news.money(session, now).net_liquidation) - 100_000)
    assert known == [0, 0, 60, 90, 90, 240, 240], "five minutes before the open plus three, six, nine"


def test_without_a_beginning_it_is_told_at_once(session: Session) -> None:
    held = account()
    news = AccountNews(held, None)
    news.hear(session, session.opens, filled=False)
    held.cash = Decimal(5)
    assert news.money(session, session.opens).net_liquidation == Decimal(5)


class Idle(SpreadRun):
    """A run that hears when accounts have traded."""

    def __init__(self, request: SpreadRequest) -> None:
        super().__init__(request)
        self.now = request.terms.market.start
        self.heard: set[datetime] = set()

    def move(self, now: datetime, session: Session) -> bool:
        self.now = now
        return super().move(now, session)

    def tell(self, session: Session, *, filled: bool) -> None:
        self.heard |= {self.now} if filled else set()
        super().tell(session, filled=filled)


def test_a_fill_in_one_account_tells_the_values_of_all(session: Session) -> None:
    """Two runs with accounts of their own in one loop: the one that does not trade hears of the other's fills."""
    market = world(walk(seed=11, price=450.0), symbol="SPY")
    trading = PlainRun(request(market, seat("fast")))
    idle = Idle(spread_request(market, symbol="SPY", account="DU2", enabled_after=session.closes))
    for run in (trading, idle):
        run.begin(session.opens)
    play_session(market, session, [trading, idle])
    assert not idle.result([session]).fills
    assert idle.heard == {fill.executed_at for fill in trading.result([session]).fills}
    assert idle.heard
