"""Strategy 2 in a backtest: the run, the gate and the exits of every other strategy on options."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from tests.support.breakout_world import limits_of
from tests.support.spread_day import DAY, Bars, request, walk, world

from htbot.backtest.spread_report import result_trade
from htbot.backtest.spread_request import SpreadResult
from htbot.backtest.spread_run import run_spreads
from htbot.domain.orders import Purpose
from htbot.strategies.strangle_momentum import StrangleConfig, StrangleMomentum

BARS = walk()
NEAR = {"call_index": 2, "put_index": 3, "max_premium": Decimal(40), "momentum_threshold": 1.1, "bid_bar_minutes": 5}


def run(bars: Bars, first: date = DAY, risk: str = "100000", **changes: Any) -> SpreadResult:
    strategy = StrangleMomentum(StrangleConfig(**{**NEAR, **changes}))
    limits = replace(limits_of("SPX"), max_risk_per_day_usd=Decimal(risk), hours=strategy.hours)
    return run_spreads(request(world(bars, first), first, strategy=strategy, limits=limits, last=DAY))


@pytest.fixture(scope="module")
def whole() -> SpreadResult:
    return run(BARS, date(2024, 7, 2))


def test_each_side_is_bought_once_a_session(whole: SpreadResult) -> None:
    entries = [one for one in whole.intents if one.purpose is Purpose.ENTRY]
    assert len(entries) == 2 * len(whole.days) == 4
    assert {(one.session, one.legs[0].right) for one in entries} == {
        (day, right) for day in whole.days for right in {leg.legs[0].right for leg in entries}
    }
    assert len(whole.trades) >= 3
    assert {leg.side for trade in whole.trades for leg in trade.legs} == {"BUY"}
    assert {trade.legs[0].right for trade in whole.trades} == {"C", "P"}


def test_nothing_is_ever_short_and_nothing_stays(whole: SpreadResult) -> None:
    held: dict[int, int] = {}
    for fill in whole.fills:
        held[fill.con_id] = held.get(fill.con_id, 0) + fill.signed_quantity
        assert held[fill.con_id] >= 0
    assert set(held.values()) == {0}


def test_money_is_that_of_the_fills(whole: SpreadResult) -> None:
    cash = -sum((fill.signed_quantity * fill.price * fill.multiplier for fill in whole.fills), Decimal(0))
    fees = sum((fill.commission or Decimal(0) for fill in whole.fills), Decimal(0))
    assert whole.gross_pnl == cash
    assert whole.curve.equity[-1] == Decimal(100_000) + cash - fees
    for trade in map(result_trade, whole.trades):
        assert trade.max_loss <= trade.gross_pnl <= trade.max_gain
        assert trade.gross_pnl >= -trade.exposure
        assert (trade.credit, trade.debit) == (None, None)


def test_no_entry_pays_more_than_its_ask_and_every_price_is_on_its_grid(whole: SpreadResult) -> None:
    worst = {one.ref: one.worst_limit for one in whole.intents if one.purpose is Purpose.ENTRY}
    for fill in whole.fills:
        if fill.ref in worst:
            assert fill.price <= worst[fill.ref]
        if not fill.exec_id.startswith("expiry"):
            assert fill.price % (Decimal("0.1") if fill.price >= 3 else Decimal("0.05")) == 0


def test_it_leaves_by_time_and_by_momentum(whole: SpreadResult) -> None:
    assert "profit_target" in {trade.exit_reason for trade in whole.trades}
    patient = run(BARS, momentum_threshold=100.0)
    assert {"time"} <= {trade.exit_reason for trade in patient.trades} <= {"time", "expiry"}, "or nobody bid"
    stopped = run(BARS, momentum_threshold=100.0, stop_loss_usd=Decimal(100))
    assert "stop_loss" in {trade.exit_reason for trade in stopped.trades}


def test_a_dear_option_is_waited_for() -> None:
    result = run(BARS, max_premium=Decimal("0.05"))
    assert (result.trades, result.signals) == ((), ())
    assert any("above max_premium=0.05" in str(one.why_not) for one in result.evaluations)


def test_the_risk_of_the_day_bounds_what_is_paid() -> None:
    assert [one.refused_by and one.refused_by.split(":")[0] for one in run(BARS, risk="1").signals] == ["day_risk"] * 2
