from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.support.spread_day import CALENDAR, DAY, Bars, poisoned, walk, world

from htbot.backtest.strangle_request import StrangleRequest
from htbot.backtest.strangle_run import StrangleResult, run_strangle
from htbot.backtest.strangle_side import BidBars
from htbot.domain.errors import ConfigurationError
from htbot.domain.orders import ExitReason
from htbot.strategies.strangle_momentum import BidBar, StrangleConfig, StrangleMomentum

BARS = walk()
_SESSION = CALENDAR.on(DAY)
assert _SESSION is not None
OPENS = _SESSION.opens
NEAR = {"call_index": 2, "put_index": 3, "max_premium": Decimal(40), "momentum_threshold": 1.1, "bid_bar_minutes": 5}


def run(bars: Bars, first: date = DAY, risk: str = "100000", **changes: Any) -> StrangleResult:
    strategy = StrangleMomentum(StrangleConfig(**{**NEAR, **changes}))
    return run_strangle(StrangleRequest(strategy, world(bars, first), Decimal(risk), first=first, last=DAY))


@pytest.fixture(scope="module")
def whole() -> StrangleResult:
    return run(BARS, date(2024, 7, 1))


def test_each_side_is_bought_once_a_session(whole: StrangleResult) -> None:
    assert len(whole.trades) == 2 * len(whole.days) == 6
    assert len({trade.id for trade in whole.trades}) == 6
    assert {leg.side for trade in whole.trades for leg in trade.legs} == {"BUY"}
    assert {trade.legs[0].right for trade in whole.trades} == {"C", "P"}
    assert whole.refusals == {}


def test_nothing_is_ever_short_and_nothing_stays(whole: StrangleResult) -> None:
    held: dict[int, int] = {}
    for fill in sorted(whole.fills, key=lambda fill: fill.executed_at):
        held[fill.con_id] = held.get(fill.con_id, 0) + fill.signed_quantity
        assert held[fill.con_id] >= 0
    assert set(held.values()) == {0}


def test_money_is_that_of_the_fills(whole: StrangleResult) -> None:
    cash = -sum((fill.signed_quantity * fill.price * fill.multiplier for fill in whole.fills), Decimal(0))
    fees = sum((fill.commission or Decimal(0) for fill in whole.fills), Decimal(0))
    assert sum(trade.gross_pnl for trade in whole.trades) == cash
    assert whole.curve.equity[-1] == Decimal(100_000) + cash - fees
    assert sum(trade.net_pnl for trade in whole.trades) == cash - fees
    for trade in whole.trades:
        assert trade.max_loss <= trade.gross_pnl <= trade.max_gain
        assert trade.gross_pnl >= -trade.exposure


def test_it_leaves_by_time_and_by_momentum(whole: StrangleResult) -> None:
    assert ExitReason.PROFIT_TARGET in {trade.exit_reason for trade in whole.trades}
    patient = run(BARS, momentum_threshold=100.0)
    assert {trade.exit_reason for trade in patient.trades} <= {ExitReason.TIME, ExitReason.EXPIRY}
    assert ExitReason.TIME in {trade.exit_reason for trade in patient.trades}
    assert whole.modelled_share == 1.0


def test_a_dear_option_is_not_bought() -> None:
    result = run(BARS, max_premium=Decimal("0.05"))
    assert (result.trades, result.refusals) == ((), {"premium": 2})
    assert result.modelled_share is None


def test_the_risk_of_the_day_bounds_what_is_paid() -> None:
    assert run(BARS, risk="1").refusals == {"day_risk": 2}


@pytest.mark.parametrize("minutes", [10, 30, 60])
def test_noise_after_an_instant_changes_nothing_before_it(minutes: int) -> None:
    cut, plain = OPENS + timedelta(minutes=minutes), run(BARS)
    other = run(poisoned(BARS, cut))
    assert filled(other, cut) == filled(plain, cut)
    assert filled(plain, cut)
    assert filled(other, OPENS + timedelta(hours=7)) != filled(plain, OPENS + timedelta(hours=7))


def test_a_file_that_ends_early_gives_the_first_part() -> None:
    cut = OPENS + timedelta(minutes=45)
    assert filled(run({at: row for at, row in BARS.items() if at < cut}), cut) == filled(run(BARS), cut)


def test_days_that_are_not_there_are_refused() -> None:
    strategy = StrangleMomentum(StrangleConfig())
    asked = StrangleRequest(strategy, world(BARS), Decimal(1), first=DAY, last=date(2024, 7, 2))
    with pytest.raises(ConfigurationError, match="no sessions from 2024-07-03 to 2024-07-02"):
        run_strangle(asked)


def test_bars_of_bids_close_with_the_first_look_after_them() -> None:
    bars, at = BidBars(900), OPENS
    for minutes, bid in ((0, 1.0), (5, 3.0), (10, 0.5), (14, 2.0)):
        bars.see(at + timedelta(minutes=minutes), bid)
    assert bars.last is None
    bars.see(at + timedelta(minutes=15), None)
    assert bars.last == BidBar(1.0, 3.0, 0.5, 2.0)
    bars.see(at + timedelta(minutes=31), 9.0)
    assert bars.last == BidBar(1.0, 3.0, 0.5, 2.0)


def filled(result: StrangleResult, until: datetime) -> list[object]:
    return [fill for fill in result.fills if fill.executed_at < until]
